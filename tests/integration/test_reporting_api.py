"""The tracker over HTTP: what is answered, to whom, and when it has not changed."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.reporting.answers import Answers
from shared.figures import Basis, Benefit, Status
from tests.reporting_figures import EAST_SUSSEX, KENT, PRINTED, SE7
from tests.reporting_service import Service, Streams, line, served

JSON = "/v1/tracker"
CSV = "/v1/tracker.csv"
OWN_COUNCIL = ["lead-sen", "finance-ESX", "author-ESX"]
SEES_ALL = ["office", "auditor"]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path) as running:
        yield running


@pytest.fixture
async def january(service: Service) -> Service:
    await service.send(*Streams().january_2012())
    return service


def cell(body: dict[str, Any], workstream: str, year: str, scope: str = "partnership") -> dict[str, Any]:
    (row,) = [row for row in body["rows"] if (row["workstream"], row["scope"]) == (workstream, scope)]
    return next(each for each in row["cells"] if each["year"] == year)  # type: ignore[no-any-return]


# What is answered


async def test_the_printed_csv_is_the_reference_file_byte_for_byte(january: Service) -> None:
    answer = await january.get(CSV, "author-ESX", layout="printed")
    assert answer.content == PRINTED
    assert answer.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    assert answer.headers["content-disposition"].startswith(
        'attachment; filename="SE7 savings tracker, Draft, East Sussex.csv"'
    )


async def test_the_tidy_csv_adds_up_to_the_totals_of_the_report(january: Service) -> None:
    answer = await january.get(CSV, "author-ESX")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    for scope, total in (("partnership", 83_850_000), (EAST_SUSSEX, 6_944_000)):
        assert sum(Decimal(row["in_year"] or 0) for row in rows if row["scope"] == scope) == total


async def test_the_json_has_the_numbers_the_text_and_the_entry_behind_each_cell(january: Service) -> None:
    answer = await january.get(JSON, "author-ESX")
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    found = cell(body, "waste", "2012/13")
    (entry,) = found.pop("entries")
    assert found == {
        "year": "2012/13",
        "in_year": "1250000.00",
        "cumulative": "6700000.00",
        "printed": "£1.25m (£6.7m)",
        "status": "quantified",
        "carried": False,
        "carried_forward": False,
    }
    assert entry["submission"] == f"/v1/submissions/{entry['submission_id']}"
    assert {name: entry[name] for name in ("amount", "as_at", "stated_by", "basis", "status", "line")} == {
        "amount": "1250000.00",
        "as_at": "2011-12-07",
        "stated_by": "lead-waste",
        "basis": "estimate",
        "status": "quantified",
        "line": 0,
    }


async def test_the_json_carries_totals_notes_coverage_and_the_proof(january: Service) -> None:
    body = (await january.get(JSON, "author-ESX")).json()
    assert [total["total"] for total in body["totals"]] == [
        {"amount": "83850000.00", "printed": "£83.85m"},
        {"amount": "6944000.00", "printed": "£6.944m"},
    ]
    assert [year["cumulative"] for year in body["totals"][0]["years"]] == [
        "17400000.00",
        "32550000.00",
        "56050000.00",
        "83850000.00",
    ]
    assert body["proof"]["holds"] is True
    assert [part["workstream"] for part in body["proof"]["apportionments"] if part["over_claimed"]] == ["procurement"]
    assert body["coverage"]["without_partnership_figure"] == ["property", "procurement"]
    assert body["coverage"]["latest_as_at"] == "2011-12-07"
    assert body["headline"]["long_term"] == {"amount": "1500000000.00", "printed": "£1.5bn"}
    assert [projection["printed"] for projection in body["projections"]] == ["£310m", "£1bn", "£100m"]
    assert {note["kind"] for note in body["notes"]} >= {"brackets", "greys", "benefits", "not_in_the_totals"}
    assert all(narrative["update"]["text"] for narrative in body["narratives"])


async def test_the_same_state_gives_the_same_bytes_from_a_read_model_built_again(tmp_path: Path) -> None:
    bodies, tags = set(), set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        async with served(tmp_path / name) as service:
            january = Streams().january_2012()
            await service.send(*(january if name == "one" else reversed(january)))
            answer = await service.get(JSON, "author-ESX")
            bodies.add(answer.content)
            tags.add(answer.headers["etag"])
    assert len(bodies) == 1
    assert len(tags) == 2, "a database made anew must not vouch for the copies of the one before"


async def test_the_home_council_is_the_callers_own_unless_another_or_none_is_asked_for(january: Service) -> None:
    for by in OWN_COUNCIL:
        assert (await january.get(JSON, by)).json()["home_council"]["gss"] == EAST_SUSSEX
        assert (await january.get(JSON, by, council="none")).json()["home_council"] is None
    for by in SEES_ALL:
        assert (await january.get(JSON, by)).json()["home_council"] is None
        assert (await january.get(JSON, by, council=KENT)).json()["home_council"]["gss"] == KENT


async def test_as_at_leaves_out_what_became_true_later_and_known_at_what_was_recorded_later(service: Service) -> None:
    streams = Streams()
    await service.send(
        streams.posting("ict", line("2011/12", "£1m"), as_at=date(2011, 9, 1)),
        streams.posting("ict", line("2011/12", "£2m"), as_at=date(2011, 12, 7)),
        streams.posting("ict", line("2011/12", "£3m"), as_at=date(2011, 10, 1)),
    )

    async def printed(**query: str) -> str:
        return str(cell((await service.get(JSON, "office", **query)).json(), "ict", "2011/12")["printed"])

    assert await printed() == "£2m"
    assert await printed(as_at="2011-12-06") == "£3m"
    assert await printed(as_at="2011-09-30") == "£1m"
    assert await printed(as_at="2011-08-31") == "–"
    assert await printed(as_at="2011-12-06", known_at="2011-12-08T09:32:30Z") == "£1m"
    assert await printed(known_at="2011-12-08T09:32:00Z") == "£2m"
    assert await printed(known_at="2011-12-08T10:31:30+01:00") == "£1m"
    assert await printed(known_at="2011-12-07") == "–"
    assert await printed(known_at="2011-12-08") == "£2m", "a date stands for the end of that day"


async def test_basis_benefit_recurrence_and_flow_narrow_the_table(service: Service) -> None:
    await service.send(
        Streams().posting(
            "ict",
            line("2011/12", "£1m", basis=Basis.ESTIMATE),
            line("2011/12", "£2m", basis=Basis.FORECAST),
            line("2012/13", "£4m", benefit=Benefit.AVOIDED_COST),
        )
    )

    async def total(**query: str) -> str:
        return str((await service.get(JSON, "office", **query)).json()["totals"][0]["total"]["printed"])

    assert await total() == "£6m"
    assert await total(basis="estimate") == "£5m"
    assert await total(benefit="avoided_cost") == "£4m"
    assert await total(recurrence="one_off") == "–"
    assert await total(flow="cost") == "–"


async def test_a_placeholder_is_told_as_such_and_not_as_a_zero(service: Service) -> None:
    await service.send(Streams().posting("ict", line("2011/12", Status.TO_BE_CONFIRMED)))
    found = cell((await service.get(JSON, "office")).json(), "ict", "2011/12")
    assert (found["in_year"], found["cumulative"], found["printed"]) == (None, None, "To be confirmed")


# To whom


@pytest.mark.parametrize("path", [JSON, CSV])
async def test_without_a_key_nothing_is_answered(january: Service, path: str) -> None:
    answer = await january.get(path)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", [JSON, CSV])
async def test_a_share_is_seen_by_its_council_the_office_and_auditors_alone(january: Service, path: str) -> None:
    for by in january.keys:
        answer = await january.get(path, by, council=EAST_SUSSEX)
        may = by in (*SEES_ALL, *OWN_COUNCIL)
        assert answer.status_code == (200 if may else 403), by
        if not may:
            assert "East Sussex County Council" in answer.json()["detail"]
            assert "£" not in answer.text


async def test_the_partnerships_figures_are_seen_by_all_and_give_no_share_away(january: Service) -> None:
    for by in january.keys:
        body = (await january.get(JSON, by, council="none")).json()
        assert body["totals"][0]["total"]["printed"] == "£83.85m"
        assert {row["scope"] for row in body["rows"]} == {"partnership"}


async def test_a_tag_learnt_from_someone_else_opens_nothing(january: Service) -> None:
    tag = (await january.get(JSON, "author-ESX", council=EAST_SUSSEX)).headers["etag"]
    answer = await january.get(JSON, "author-KEN", [("If-None-Match", tag)], council=EAST_SUSSEX)
    assert answer.status_code == 403


# Bad input


@pytest.mark.parametrize("path", [JSON, CSV])
async def test_an_unknown_council_is_answered_with_those_there_are(service: Service, path: str) -> None:
    answer = await service.get(path, "office", council="E99999999")
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["given"]) == ("/query/council", "E99999999")
    assert fault["allowed"] == ["none", *(f"{council.gss} ({council.name})" for council in SE7.councils)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("as_at", "7 December"),
        ("as_at", "2011-02-30"),
        ("as_at", "0001-01-01"),
        ("as_at", "2011-12-07T10:00:00Z"),
        ("known_at", "soon"),
        ("known_at", "9999-12-31"),
        ("known_at", "2012-01-26T17:30:00"),
        ("basis", "guess"),
        ("benefit", "cashable"),
        ("recurrence", "twice"),
        ("flow", "in"),
        ("layout", "wide"),
        ("colour", "grey"),
    ],
)
async def test_a_parameter_that_cannot_be_used_is_named_with_what_was_given(
    service: Service, name: str, value: str
) -> None:
    answer = await service.get(CSV, "office", **{name: value})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == f"/query/{name}"
    assert fault["given"] == (name if name == "colour" else value)
    assert fault["allowed"]
    assert fault["fix"]


async def test_all_that_is_wrong_is_told_at_once(service: Service) -> None:
    answer = await service.http.get(
        f"{JSON}?as_at=x&known_at=y&basis=z&council=q&basis=best", headers=service.credential("office")
    )
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [
        "/query/basis",
        "/query/council",
        "/query/as_at",
        "/query/known_at",
        "/query/basis",
    ]


async def test_an_empty_parameter_is_as_if_it_were_not_there(january: Service) -> None:
    plain = await january.get(JSON, "author-ESX")
    assert (
        await january.get(JSON, "author-ESX", as_at="", known_at="", council="", benefit="")
    ).content == plain.content


# When it has not changed


@pytest.mark.parametrize(("path", "query"), [(JSON, {}), (CSV, {}), (CSV, {"layout": "printed"}), ("/tracker", {})])
async def test_what_has_not_changed_is_not_sent_again(january: Service, path: str, query: dict[str, str]) -> None:
    first = await january.get(path, "author-ESX", **query)
    again = await january.get(path, "author-ESX", [("If-None-Match", first.headers["etag"])], **query)
    assert (again.status_code, again.content) == (304, b"")
    assert not first.headers["etag"].startswith("W/")
    for name in ("etag", "cache-control", "vary", "content-security-policy"):
        assert again.headers[name] == first.headers[name], name


async def test_the_tag_changes_when_something_is_posted_and_not_otherwise(service: Service) -> None:
    streams = Streams()

    async def tag(**query: str) -> str:
        return str((await service.get(JSON, "office", **query)).headers["etag"])

    first = streams.posting("ict", line("2011/12", "£1m"))
    tags = [await tag()]
    await service.send(first)
    tags.append(await tag())
    await service.send(first)
    assert await tag() == tags[-1], "the same event again is nothing new"
    await service.send(streams.posting("ict", line("2011/12", "£2m")))
    tags.append(await tag())
    tags += [await tag(council=EAST_SUSSEX), await tag(as_at="2011-12-07"), await tag(known_at="2011-12-09")]
    tags += [await tag(basis="actual"), await tag(flow="net"), await tag(council=KENT)]
    tags.append(str((await service.get(CSV, "office")).headers["etag"]))
    tags.append(str((await service.get(CSV, "office", layout="printed")).headers["etag"]))
    assert len(set(tags)) == len(tags)


async def test_a_table_is_built_once_for_all_who_ask_and_not_for_a_304(
    january: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await january.get(JSON, "author-ESX")

    async def must_not_be_called(*_: object) -> None:
        raise AssertionError("the table was built again")

    monkeypatch.setattr(Answers, "figures", must_not_be_called)
    for by in ("author-ESX", "finance-ESX", "office"):
        assert (await january.get(JSON, by, council=EAST_SUSSEX)).content == first.content
        assert (
            await january.get(JSON, by, [("If-None-Match", first.headers["etag"])], council=EAST_SUSSEX)
        ).status_code == 304
    with pytest.raises(AssertionError, match="built again"):
        await january.get(JSON, "office", council=KENT)


async def test_readiness_tells_what_was_folded_and_what_waits(january: Service) -> None:
    answer = await january.get("/readyz")
    assert answer.status_code == 200
    checks = answer.json()["checks"]
    assert checks["database"]["detail"] == "11 returns folded, 0 events parked"
    assert checks["lag"]["detail"] == "0 events wait to be folded"
