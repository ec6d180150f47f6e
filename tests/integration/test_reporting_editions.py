"""Editions over HTTP: published once, never changed, rebuilt to the byte, and what moved and was corrected since."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.reporting import editions as editions_module
from services.reporting.proof import Addition
from services.reporting.table import Question, Table
from shared.figures import PARTNERSHIP, Basis, Scope, Status
from shared.money import Pence
from tests.conftest import UrlOf
from tests.integration.test_reporting_folding import DAYS, migrated, returns_of, stated  # noqa: F401 - a fixture
from tests.reporting_figures import EAST_SUSSEX, KENT, PRINTED, SE7
from tests.reporting_service import Service, Streams, line, served

CABINET = {"title": "Cabinet, 26 January 2012", "meeting_date": "2012-01-26"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path) as running:
        yield running


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest.fixture
async def january(service: Service, streams: Streams) -> Service:
    await service.send(*streams.january_2012())
    return service


async def publish(service: Service, key: str | None = None, **different: Any) -> httpx.Response:
    headers = [("Idempotency-Key", key)] if key else []
    return await service.post("/v1/editions", "office", CABINET | different, headers)


async def published(service: Service, **different: Any) -> dict[str, Any]:
    answer = await publish(service, **different)
    assert answer.status_code == 201, answer.text
    return answer.json()  # type: ignore[no-any-return]


async def frozen(service: Service, number: int, council: str = EAST_SUSSEX) -> bytes:
    answer = await service.get("/v1/tracker", "office", edition=number, council=council)
    assert answer.status_code == 200, answer.text
    return answer.content


async def proves(service: Service, number: int) -> bool:
    body = (await service.get(f"/v1/editions/{number}/proof", "auditor")).json()
    assert set(body["tables"]) == {"none", *(council.gss for council in SE7.councils)}
    return bool(body["holds"])


# Publishing


async def test_an_edition_has_a_number_a_hash_and_the_tables_of_every_council(january: Service) -> None:
    edition = await published(january, notes=["Figures of Property follow."])
    assert (edition["number"], edition["as_at"], edition["published_by"]) == (1, "2011-12-07", "office")
    assert edition["notes"] == ["Figures of Property follow."]
    assert edition["councils"] == [council.gss for council in SE7.councils]
    assert (await january.get("/v1/editions", "author-ESX")).json() == {"editions": [edition]}
    assert (await january.get("/v1/editions/1", "author-ESX")).json() == edition


async def test_the_hash_vouches_for_the_manifest_and_the_manifest_for_each_table(january: Service) -> None:
    edition = await published(january)
    manifest = await january.get("/v1/editions/1/manifest", "auditor")
    assert hashlib.sha256(manifest.content).hexdigest() == edition["digest"]
    digest = hashlib.sha256(await frozen(january, 1)).hexdigest()
    assert manifest.json()["tables"][EAST_SUSSEX] == edition["tables"][EAST_SUSSEX] == digest
    heads = {(each["workstream"], each["scope"]): each for each in manifest.json()["positions"]}
    assert len(heads[("waste", "partnership")]["hash"]) == 64


async def test_an_edition_is_answered_as_it_was_printed_after_later_figures(january: Service, streams: Streams) -> None:
    await published(january)
    before = await frozen(january, 1)
    await january.send(streams.posting("highways", line("2011/12", "£9m"), as_at=date(2012, 3, 28), reason="More."))
    assert await frozen(january, 1) == before
    printed = await january.get("/v1/tracker.csv", "author-ESX", edition=1, layout="printed")
    assert printed.content == PRINTED
    assert (
        'filename="SE7 savings tracker, Cabinet 26 January 2012, East Sussex' in printed.headers["content-disposition"]
    )
    assert printed.headers["savings-edition"] == "1"
    draft = await january.get("/v1/tracker.csv", "author-ESX", layout="printed")
    assert draft.content != PRINTED


async def test_publishing_the_same_title_and_day_again_is_a_conflict_that_names_the_edition(january: Service) -> None:
    await published(january)
    again = await publish(january)
    assert again.status_code == 409
    assert "Edition 1: Cabinet, 26 January 2012" in again.json()["detail"]


async def test_published_again_under_its_key_an_edition_is_answered_as_the_first_time(january: Service) -> None:
    first, again = await publish(january, "a-key"), await publish(january, "a-key")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await publish(january, "a-key", title="Another")
    assert other.status_code == 409
    assert len((await january.get("/v1/editions", "office")).json()["editions"]) == 1


async def test_published_many_times_at_once_there_is_one_edition(january: Service) -> None:
    answers = await asyncio.gather(*(publish(january) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    under_key = await asyncio.gather(*(publish(january, "a-key", title="Second") for _ in range(4)))
    assert [answer.json()["number"] for answer in under_key] == [2, 2, 2, 2]
    assert [each["number"] for each in (await january.get("/v1/editions", "office")).json()["editions"]] == [1, 2]


async def test_an_empty_table_is_not_published(service: Service) -> None:
    answer = await publish(service)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "empty"


async def test_where_a_sum_does_not_hold_nothing_is_published_and_it_says_where(
    january: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = editions_module.Figures.table

    def wrong(self: Any, question: Any) -> Table:
        table = honest(self, question)
        addition = Addition(PARTNERSHIP, "SE7", Pence(1), Pence(2))
        object.__setattr__(table.proof, "additions", (addition,))
        return table

    monkeypatch.setattr(editions_module.Figures, "table", wrong)
    answer = await publish(january)
    assert answer.status_code == 422
    assert "the rows of SE7 come to £0.01 and their total is £0.02" in answer.text
    monkeypatch.undo()
    assert (await january.get("/v1/editions", "office")).json() == {"editions": []}


async def test_where_a_figure_is_not_what_its_movements_come_to_nothing_is_published(
    service: Service, streams: Streams
) -> None:
    posted = streams.posting("ict", line("2011/12", "£1m"))
    wrong = posted.entries[0].model_copy(update={"movement_pence": 99})
    await service.send(posted.model_copy(update={"entries": (wrong,)}))
    answer = await publish(service)
    assert answer.status_code == 422
    assert "ICT, partnership, 2011/12, estimate, saving: the movements come to £0.99" in answer.text


async def test_where_a_return_is_missing_nothing_is_published(service: Service, streams: Streams) -> None:
    first, second = (streams.posting("ict", line("2011/12", amount)) for amount in ("£1m", "£2m"))
    await service.send(second)
    answer = await publish(service)
    assert answer.status_code == 422
    assert "Of the 2 returns of ict/partnership, 1 have not arrived here." in answer.text
    await service.send(first)
    assert "movements" not in (await publish(service)).text


@pytest.mark.parametrize("by", ["lead-ict", "finance-ESX", "auditor"])
async def test_only_the_office_and_authors_publish(january: Service, by: str) -> None:
    assert (await january.post("/v1/editions", by, CABINET)).status_code == 403


async def test_an_author_publishes_for_its_own_council_alone(january: Service) -> None:
    for councils in ([KENT], [EAST_SUSSEX, KENT], []):
        refused = await january.post("/v1/editions", "author-ESX", CABINET | {"councils": councils})
        assert refused.status_code == 403, councils
        assert "is published by the programme office" in refused.json()["detail"]
    published = await january.post("/v1/editions", "author-ESX", CABINET)
    assert published.status_code == 201
    edition = published.json()
    assert (edition["councils"], edition["published_by"]) == ([EAST_SUSSEX], "author-ESX")
    assert sorted(edition["tables"]) == sorted([EAST_SUSSEX, "none"])


async def test_a_table_is_compared_with_the_last_edition_for_its_own_council(january: Service) -> None:
    await january.post("/v1/editions", "office", CABINET)
    await january.post("/v1/editions", "author-KEN", CABINET | {"title": "Kent's Cabinet"})
    editions = january.reporting.answers.editions
    compared = {home: await editions.last_before(9, Question(home=home)) for home in (EAST_SUSSEX, KENT, None)}
    assert {home: edition.number for home, edition in compared.items() if edition} == {EAST_SUSSEX: 1, KENT: 2, None: 2}


@pytest.mark.parametrize(
    ("different", "pointer"),
    [
        ({"title": " "}, "/title"),
        ({"meeting_date": "soon"}, "/meeting_date"),
        ({"councils": ["E10000011", "X"]}, "/councils/1"),
        ({"colour": "red"}, "/colour"),
        ({"as_at": "2999-01-01"}, "/as_at"),
    ],
)
async def test_what_is_wrong_in_a_publication_is_named(
    january: Service, different: dict[str, Any], pointer: str
) -> None:
    answer = await publish(january, **different)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_the_database_itself_refuses_to_change_what_was_published(january: Service) -> None:
    await published(january)
    for statement in (
        "UPDATE editions SET title = 'Another'",
        "DELETE FROM edition_tables",
        "UPDATE edition_positions SET version = 0",
        "DELETE FROM editions",
    ):
        with pytest.raises(DBAPIError, match="made once and never changed"):
            async with january.reporting.database.write() as connection:
                await connection.execute(text(statement))


async def test_on_either_back_end_one_edition_is_published_never_changed_and_rebuilt(
    tmp_path: Path, database_url: UrlOf
) -> None:
    streams = Streams()
    async with served(tmp_path, database_url_reporting=SecretStr(database_url("reporting"))) as service:
        assert (await publish(service)).status_code == 422
        await service.send(*streams.january_2012())
        answers = await asyncio.gather(*(publish(service) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]
        before = await frozen(service, 1)
        await service.send(
            streams.posting("highways", line("2011/12", "£350k"), reason="Recounted."),
            streams.posting("waste", line("2012/13", "£1m", basis=Basis.FORECAST), as_at=date(2011, 11, 1)),
            streams.posting("ict", as_at=date(2011, 12, 1), update="An update, late."),
        )
        assert await proves(service, 1)
        assert await frozen(service, 1) == before
        (touched,) = (await service.get("/v1/corrections", "office")).json()["editions"]
        assert [cell["workstream"] for cell in touched["cells"]] == ["highways", "waste"]
        assert (await service.get("/v1/movements", "office")).json()["holds"] is True
        for statement in (
            "UPDATE editions SET title = 'Another'",
            "DELETE FROM edition_positions",
            "DELETE FROM edition_tables",
        ):
            with pytest.raises(DBAPIError, match="made once and never changed"):
                async with service.reporting.database.write() as connection:
                    await connection.execute(text(statement))


# Who may publish by a session

ANOTHER_SITE = [
    {"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {},
]


@pytest.mark.parametrize("headers", ANOTHER_SITE)
@pytest.mark.parametrize("path", ["/v1/editions", "/v1/rounds"])
async def test_no_other_site_publishes_with_a_readers_session(
    january: Service, path: str, headers: dict[str, str]
) -> None:
    own_page = {"Sec-Fetch-Site": "same-origin"}
    await january.http.post("/sign-in", data={"key": january.keys["office"]}, headers=own_page)
    refused = await january.http.post(path, json=CABINET, headers=headers)
    assert (refused.status_code, refused.json()["type"]) == (403, "forbidden")
    assert (await january.get("/v1/editions")).json() == {"editions": []}
    assert (await january.http.post("/v1/editions", json=CABINET, headers=own_page)).status_code == 201


@pytest.mark.parametrize("said", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"])
@pytest.mark.parametrize("path", ["/v1/editions", "/v1/rounds"])
async def test_what_says_that_it_is_no_json_is_not_read(january: Service, path: str, said: str) -> None:
    refused = await january.post(path, "office", CABINET, [("Content-Type", said)])
    assert (refused.status_code, refused.json()["type"]) == (415, "wrong-media-type")
    assert "Content-Type: application/json" in refused.json()["fix"]


# What is misspelt


@pytest.mark.parametrize(
    "path", ["editions", "editions/1", "editions/1/manifest", "editions/1/proof", "rounds", "rounds/1/coverage"]
)
async def test_a_parameter_that_there_is_not_is_refused_by_name(january: Service, path: str) -> None:
    refused = await january.get(f"/v1/{path}", "office", councl=KENT)
    assert refused.status_code == 422
    assert [(each["code"], each["pointer"]) for each in refused.json()["errors"]] == [
        ("unknown-parameter", "/query/councl")
    ]


async def test_what_is_to_be_tried_alone_is_not_published(january: Service) -> None:
    assert (await january.post("/v1/editions?dry_run=true", "office", CABINET)).status_code == 422
    assert (await january.get("/v1/editions", "office")).json() == {"editions": []}


# Who sees what


async def test_an_unknown_edition_is_answered_with_those_that_there_are(january: Service) -> None:
    for path in ("/v1/editions/7", "/v1/tracker?edition=7", "/v1/tracker.csv?edition=7", "/v1/movements?from=7"):
        answer = await january.get(path, "author-ESX")
        assert (answer.status_code, answer.json()["detail"]) == (404, "There is no edition 7."), path
    await published(january)
    assert "Edition 1: Cabinet, 26 January 2012" in (await january.get("/v1/editions/7", "office")).json()["fix"]
    assert (await january.get("/v1/tracker", "office", edition="seven")).status_code == 422


async def test_a_councils_rows_of_an_edition_are_seen_by_whoever_sees_them_in_the_draft(january: Service) -> None:
    await published(january)
    for by, council, status in (
        ("author-ESX", EAST_SUSSEX, 200),
        ("author-ESX", KENT, 403),
        ("author-ESX", "none", 200),
        ("auditor", KENT, 200),
    ):
        for path in ("/v1/tracker", "/v1/tracker.csv", "/v1/movements"):
            asked = {"council": council} | ({} if path == "/v1/movements" else {"edition": 1})
            assert (await january.get(path, by, **asked)).status_code == status, (by, council, path)
        path = "/v1/editions/1/corrections"
        assert (await january.get(path, by, council=council)).status_code == status
    own = (await january.get("/v1/tracker", "author-ESX", edition=1)).json()
    assert own["home_council"]["gss"] == EAST_SUSSEX


async def test_an_edition_for_one_council_shows_another_the_partnerships_rows_alone(january: Service) -> None:
    await published(january, councils=[EAST_SUSSEX])
    mine = (await january.get("/v1/tracker", "author-KEN", edition=1)).json()
    assert mine["home_council"] is None
    asked = await january.get("/v1/tracker", "author-KEN", edition=1, council=KENT)
    assert asked.status_code == 422
    assert asked.json()["errors"][0]["allowed"] == ["none", "E10000011 (East Sussex County Council)"]


async def test_an_edition_has_no_other_clocks_than_its_own(january: Service) -> None:
    await published(january)
    answer = await january.get("/v1/tracker", "office", edition=1, as_at="2011-01-01")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/as_at"


async def test_an_edition_is_not_sent_to_who_has_it(january: Service) -> None:
    await published(january)
    first = await january.get("/v1/tracker", "author-ESX", edition=1)
    tag = first.headers["etag"]
    again = await january.get("/v1/tracker", "author-ESX", [("If-None-Match", tag)], edition="latest")
    assert (again.status_code, again.headers["savings-edition"]) == (304, "1")


# What moved since, and what reaches back


async def test_what_moved_since_the_last_edition_is_told_by_kind_with_its_reason(
    january: Service, streams: Streams
) -> None:
    await published(january)
    await january.send(
        streams.posting(
            "highways", line("2011/12", "£350k"), as_at=date(2012, 3, 28), reason="More was found.", by="lead-highways"
        )
    )
    body = (await january.get("/v1/movements", "author-ESX")).json()
    assert (body["from_edition"], body["to_edition"], body["to_title"], body["holds"]) == (1, None, "Draft", True)
    (row,) = [row for row in body["rows"] if row["changes"]]
    assert (row["workstream"], row["old"], row["new"]) == ("highways", "36250000.00", "36350000.00")
    assert row["parts"] == {"new": "0.00", "reprofiled": "0.00", "corrected": "100000.00", "changed_basis": "0.00"}
    (change,) = row["changes"]
    assert (change["reasons"], change["because"][0]["stated_by"]) == (["More was found."], "lead-highways")
    assert [(total["movement"], total["rows"]) for total in body["totals"]] == [("100000.00",) * 2, ("0.00",) * 2]
    await published(january, title="Cabinet, 26 April 2012", meeting_date="2012-04-26")
    between = (await january.get("/v1/movements", "author-ESX", **{"from": 1, "to": 2})).json()
    assert between["rows"] == body["rows"]
    assert (await january.get("/v1/movements", "author-ESX", **{"from": "draft"})).status_code == 422


async def test_a_correction_that_reaches_back_names_the_editions_and_drafts_the_footnote(
    january: Service, streams: Streams
) -> None:
    await published(january)
    await january.send(
        streams.posting("ict", line("2011/12", "£9m"), as_at=date(2012, 3, 28)),
        streams.posting("highways", line("2011/12", "£350k"), reason="Recounted.", by="lead-highways"),
    )
    body = (await january.get("/v1/corrections", "author-ESX")).json()
    (touched,) = body["editions"]
    assert touched["edition"] == 1
    assert [(cell["workstream"], cell["printed"], cell["would_be"]) for cell in touched["cells"]] == [
        ("highways", "£250k", "£350k")
    ]
    assert touched["footnote"] == (
        "Since Cabinet, 26 January 2012 was published, a figure has been corrected: Highways, SE7, 2011/12: £250k "
        "would be £350k (Recounted; stated by lead-highways as at 7 December 2011)."
    )
    (submission,) = touched["submissions"]
    assert submission == touched["cells"][0]["because"][0]["submission_id"]
    assert await proves(january, 1)


async def test_a_share_corrected_behind_an_edition_is_told_to_all_who_may_see_it(
    january: Service, streams: Streams
) -> None:
    await published(january, councils=[EAST_SUSSEX, KENT])
    await january.send(
        streams.posting("highways", line("2011/12", "£350k")),
        streams.posting("highways", line("2011/12", "£111k"), scope=EAST_SUSSEX),
        streams.posting("highways", line("2011/12", "£222k"), scope=KENT),
    )

    async def told(by: str, **query: str) -> list[str]:
        """Whose figures are told, alike of the one edition and in the list of all."""
        one = (await january.get("/v1/editions/1/corrections", by, **query)).json()
        assert (await january.get("/v1/corrections", by, **query)).json() == {"editions": [one]}
        return [cell["scope"] for cell in one["cells"]]

    for by in ("office", "auditor"):
        assert await told(by) == [PARTNERSHIP, EAST_SUSSEX, KENT]
    assert await told("author-ESX") == [PARTNERSHIP, EAST_SUSSEX]
    assert await told("author-SRY") == [PARTNERSHIP]
    assert await told("office", council=KENT) == [PARTNERSHIP, KENT]
    assert await told("office", council="none") == [PARTNERSHIP]


async def test_a_later_figure_about_later_days_reaches_back_behind_nothing(january: Service, streams: Streams) -> None:
    await published(january)
    await january.send(streams.posting("highways", line("2011/12", "£350k"), as_at=date(2012, 3, 28)))
    assert (await january.get("/v1/corrections", "author-ESX")).json() == {"editions": []}
    alone = (await january.get("/v1/editions/1/corrections", "author-ESX")).json()
    assert (alone["footnote"], alone["cells"]) == (None, [])


async def test_a_history_that_was_tampered_with_is_told_and_draws_no_file(january: Service) -> None:
    await published(january)
    before = await frozen(january, 1)
    async with january.reporting.database.write() as connection:
        await connection.execute(text("UPDATE entries SET amount_pence = amount_pence + 1 WHERE amount_pence > 0"))
    assert not await proves(january, 1)
    assert await frozen(january, 1) == before
    assert (await january.get("/v1/tracker.csv", "office", edition=1)).status_code == 503


# Anything may be stated before and after; an edition stays what it was.

corrections = st.lists(
    st.tuples(
        st.sampled_from(["ict", "sen"]),
        st.sampled_from([PARTNERSHIP, EAST_SUSSEX]),
        st.sampled_from(DAYS),
        st.lists(
            st.tuples(
                st.sampled_from(["2011/12", "2012/13"]),
                st.sampled_from(list(Basis)),
                st.integers(-5, 5).map(lambda pounds: f"{pounds}.00") | st.just(Status.NIL),
            ),
            min_size=1,
            max_size=4,
            unique_by=lambda entry: entry[:2],
        ),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stated, corrections)
def test_whatever_is_stated_later_an_edition_is_rebuilt_to_the_byte_and_the_movement_adds_up(
    migrated: Path,  # noqa: F811 - the fixture
    tmp_path: Path,
    first: list[tuple[str, Scope, date, list[tuple[str, Basis, str | Status]]]],
    later: list[tuple[str, Scope, date, list[tuple[str, Basis, str | Status]]]],
) -> None:
    returns = returns_of([*first, *later])
    folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "data"
    shutil.copytree(migrated, folder)

    async def scenario() -> None:
        async with served(folder) as service:
            await service.send(*returns[: len(first)])
            answer = await publish(service)
            if answer.status_code == 422:
                assert answer.json()["errors"][0]["code"] == "empty"
                return
            before = await frozen(service, 1)
            manifest = (await service.get("/v1/editions/1/manifest", "auditor")).content
            for each in returns[len(first) :]:
                await service.send(each)
                assert await proves(service, 1)
                assert await frozen(service, 1) == before
                body = (await service.get("/v1/movements", "author-ESX")).json()
                assert body["holds"] is True
            now = (await service.get("/v1/tracker", "author-ESX")).json()
            assert [total["new"] for total in body["totals"]] == [
                total["total"]["amount"] or "0.00" for total in now["totals"]
            ]
            assert (await service.get("/v1/editions/1/manifest", "auditor")).content == manifest

    asyncio.run(scenario())
