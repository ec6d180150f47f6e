"""Editions, movements, rounds and checks as pages: what the API says, for people; and publishing by a form."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from services.reporting import editions as editions_module
from services.reporting.changes import KINDS
from services.reporting.proof import Addition
from services.reporting.table import Table
from shared.bus.port import Message
from shared.clock import local_day, utc_now
from shared.events import ENTRIES_TOPIC
from shared.figures import PARTNERSHIP, Basis
from shared.money import Pence, parse_pounds
from shared.principal import Principal, Role
from tests.conftest import UrlOf
from tests.page_reading import Page
from tests.reporting_figures import EAST_SUSSEX, KENT, SE7
from tests.reporting_service import Service, Streams, line, served

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
CABINET = {"title": "Cabinet, 26 January 2012", "meeting_date": "2012-01-26"}
ENTERED = {
    "title": "Cabinet, 26 January 2012",
    "meeting_date-day": "26",
    "meeting_date-month": "1",
    "meeting_date-year": "2012",
    "councils": [council.gss for council in SE7.councils],
    "notes": "Figures of Property follow.\n\nSo do those of Kent.",
}


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


async def sign_in(service: Service, name: str) -> None:
    service.http.cookies.clear()
    await service.http.post("/sign-in", data={"key": service.keys[name]}, headers=OWN_PAGE)


async def token(service: Service) -> str:
    return Page.of(await service.get("/editions/new")).values()["token"]


async def send_form(service: Service, headers: dict[str, str] = OWN_PAGE, **different: Any) -> httpx.Response:
    form = {"token": await token(service), **ENTERED, **different} if "token" not in different else ENTERED | different
    return await service.http.post("/editions/new", data=form, headers=headers)


def told(page: Page) -> dict[str, str]:
    """What the error summary says, and where that leads."""
    return page.links("//div[contains(@class, 'govuk-error-summary')]")


# Editions


async def test_an_edition_is_published_by_a_form_and_is_the_apis_edition(january: Service) -> None:
    await sign_in(january, "office")
    assert "Publish an edition" in Page.of(await january.get("/editions")).text
    answer = await send_form(january)
    assert (answer.status_code, answer.headers["location"]) == (303, "/editions/1?published=true")
    page = Page.of(await january.get(answer.headers["location"]))
    (edition,) = (await january.get("/v1/editions")).json()["editions"]
    assert edition["title"] == page.heading == "Cabinet, 26 January 2012"
    assert edition["notes"] == ["Figures of Property follow.", "So do those of Kent."]
    assert edition["councils"] == [council.gss for council in SE7.councils]
    terms = page.terms()
    assert terms["Hash"] == edition["digest"]
    assert terms["Meeting"] == "26 January 2012"
    assert terms["Home councils"] == "All 7 councils"
    assert "Edition 1: Cabinet, 26 January 2012 is published." in page.text
    assert "So do those of Kent." in page.text
    listed = Page.of(await january.get("/editions")).table("Published")
    assert listed[1][:4] == ["1", "Cabinet, 26 January 2012", "26 January 2012", "7 December 2011"]


async def test_an_author_publishes_for_its_own_council_without_choosing_one(january: Service) -> None:
    await sign_in(january, "author-ESX")
    form = Page.of(await january.get("/editions/new"))
    assert "It is for East Sussex County Council" in form.text
    assert KENT not in form.source
    assert (await send_form(january, councils=[EAST_SUSSEX])).status_code == 303
    (edition,) = (await january.get("/v1/editions")).json()["editions"]
    assert edition["councils"] == [EAST_SUSSEX]
    forged = await send_form(january, title="Another", councils=[KENT])
    assert forged.status_code == 403


async def test_a_form_sent_twice_at_once_publishes_once(january: Service) -> None:
    await sign_in(january, "office")
    same = await token(january)
    answers = await asyncio.gather(*(send_form(january, token=same) for _ in range(3)))
    assert [answer.headers.get("location") for answer in answers] == ["/editions/1?published=true"] * 3
    assert len((await january.get("/v1/editions")).json()["editions"]) == 1


async def test_published_again_the_form_comes_back_and_names_the_edition_in_the_way(january: Service) -> None:
    await sign_in(january, "office")
    await send_form(january)
    page = Page.of(await send_form(january), 409)
    ((problem, address),) = told(page).items()
    assert "Edition 1: Cabinet, 26 January 2012 has been published for that day" in problem
    assert address == "#title"
    assert page.values()["title"] == "Cabinet, 26 January 2012"
    assert "So do those of Kent." in page.source


async def test_where_the_arithmetic_does_not_hold_the_form_says_where(
    january: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await sign_in(january, "office")
    honest = editions_module.Figures.table

    def wrong(self: Any, question: Any) -> Table:
        table = honest(self, question)
        proof = type(table.proof)(table.proof.apportionments, (Addition(PARTNERSHIP, "SE7", Pence(1), Pence(2)),))
        return type(table)(**{name: getattr(table, name) for name in table.__slots__} | {"proof": proof})

    same = await token(january)
    monkeypatch.setattr(editions_module.Figures, "table", wrong)
    page = Page.of(await send_form(january, token=same), 422)
    assert "Nothing has been published." in page.text
    assert any("the rows of SE7 come to £0.01 and their total is £0.02" in problem for problem in told(page))
    assert "It cannot be published." in page.text
    monkeypatch.undo()
    assert (await january.get("/v1/editions")).json()["editions"] == []


async def test_an_empty_table_is_not_published_and_the_form_says_so(service: Service) -> None:
    await sign_in(service, "office")
    page = Page.of(await send_form(service), 422)
    assert any(problem.startswith("Nothing has been stated yet") for problem in told(page))


async def test_all_that_is_wrong_in_the_form_is_told_at_once_beside_its_field(january: Service) -> None:
    await sign_in(january, "office")
    wrong = {"title": " ", "meeting_date-month": "13", "councils": [], "as_at-day": "x", "notes": "n" * 2001}
    page = Page.of(await send_form(january, **wrong), 422)
    assert list(told(page).values()) == ["#title", "#notes", "#meeting_date-day", "#as_at-day", "#councils"]
    for address in told(page).values():
        assert page.root.get_element_by_id(address[1:]) is not None
    assert page.source.count("govuk-error-message") == 5
    assert page.values()["meeting_date-month"] == "13"
    future = Page.of(await send_form(january, **{"as_at-day": "1", "as_at-month": "1", "as_at-year": "2190"}), 422)
    assert [address for problem, address in told(future).items() if "has not come yet" in problem] == ["#as_at-day"]
    missing = {"meeting_date-day": "", "meeting_date-month": "", "meeting_date-year": ""}
    assert "Enter the date of the meeting" in told(Page.of(await send_form(january, **missing), 422))
    assert (await january.get("/v1/editions")).json()["editions"] == []


async def test_no_other_site_and_no_other_reader_can_send_the_form(january: Service) -> None:
    await sign_in(january, "office")
    theirs = await token(january)
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.test"}, {}):
        assert (await send_form(january, headers, token=theirs)).status_code == 403
    for forged in ("", "x", theirs[:-1] + ("A" if theirs[-1] != "A" else "B")):
        assert "out of date" in Page.of(await send_form(january, token=forged), 403).text
    _, january.keys["deputy"] = await january.reporting.door._access.create(
        Principal("deputy", Role.OFFICE), timedelta(days=1)
    )
    await sign_in(january, "deputy")
    assert "drawn for somebody else" in Page.of(await send_form(january, token=theirs), 403).text
    await sign_in(january, "auditor")
    assert (await january.get("/editions/new")).status_code == 403
    assert (await send_form(january, token=theirs)).status_code == 403
    assert (await january.get("/v1/editions")).json()["editions"] == []


async def test_who_may_not_publish_is_not_offered_it(january: Service) -> None:
    for name in ("lead-ict", "finance-KEN", "auditor"):
        assert "Publish an edition" not in Page.of(await january.get("/editions", name)).text
        assert (await january.get("/editions/new", name)).status_code == 403


async def test_an_edition_leads_to_its_table_downloads_manifest_and_proof(january: Service, streams: Streams) -> None:
    await january.post("/v1/editions", "office", CABINET)
    await january.send(streams.posting("highways", line("2011/12", "£350k"), reason="Recounted.", by="lead-highways"))
    page = Page.of(await january.get("/editions/1", "author-ESX"))
    for name in ("See its table", "CSV as printed", "JSON", "manifest", "What changed since, and why"):
        assert (await january.get(page.links()[name], "author-ESX")).status_code == 200, name
    assert "edition=1" in page.links()["Word"]
    assert page.table("Printed figures")[1] == ["Highways", "SE7", "2011/12", "£250k", "£350k"]
    footnote = (await january.get("/v1/editions/1/corrections", "author-ESX")).json()["footnote"]
    assert footnote in page.text
    assert "£350k" in Page.of(await january.get(page.links()["£350k"], "author-ESX")).text
    proved = Page.of(await january.get("/editions/1?prove=true", "author-ESX"))
    assert "all 8 tables are the same to the byte" in proved.text
    tracker = Page.of(await january.get("/tracker?edition=1", "author-ESX"))
    assert "£250k" in tracker.table("Potential savings and avoided costs")[1]
    assert "Cabinet, 26 January 2012" in tracker.text


async def test_a_share_corrected_behind_an_edition_is_shown_to_the_office_and_leads_to_its_figures(
    january: Service, streams: Streams
) -> None:
    await january.post("/v1/editions", "office", CABINET)
    await january.send(streams.posting("highways", line("2011/12", "£222k"), scope=KENT))
    page = Page.of(await january.get("/editions/1", "office"))
    assert page.table("Printed figures")[1][-1] == "£222k"
    assert "£222k" in Page.of(await january.get(page.links()["£222k"], "office")).text


async def test_an_edition_that_is_no_longer_what_was_published_is_told_to_be_so(january: Service) -> None:
    await january.post("/v1/editions", "office", CABINET)
    async with january.reporting.database.write() as connection:
        await connection.execute(text("UPDATE entries SET amount_pence = amount_pence + 1 WHERE amount_pence > 0"))
    page = Page.of(await january.get("/editions/1?prove=true", "auditor"))
    assert "it is not the same" in page.text
    assert "The table of Kent County Council is not what was published." in page.text


async def test_an_edition_not_for_a_council_is_refused_with_those_it_is_for(january: Service) -> None:
    await january.post("/v1/editions", "office", {**CABINET, "councils": [EAST_SUSSEX]})
    page = Page.of(await january.get(f"/tracker?edition=1&council={KENT}", "office"), 422)
    assert any("was not published for" in problem for problem in told(page))
    one = Page.of(await january.get(f"/editions/1?council={KENT}", "office"), 422)
    assert "East Sussex County Council" in one.text


# What changed


async def test_what_changed_is_what_the_api_says_with_the_reasons_given(january: Service, streams: Streams) -> None:
    await january.post("/v1/editions", "office", CABINET)
    await january.send(
        streams.posting("highways", line("2011/12", "£350k"), reason="The review found more."),
        streams.posting("highways", line("2012/13", "£5m"), line("2013/14", "£13m"), reason="Procurement slipped."),
        streams.posting("ict", line("2011/12", "£9m", basis=Basis.ACTUAL), as_at=date(2012, 3, 31)),
    )
    page = Page.of(await january.get("/movements", "author-ESX"))
    body = (await january.get("/v1/movements", "author-ESX")).json()
    shown = page.table("Movement of each total")
    for place, row in enumerate(body["rows"]):
        amounts = shown[place + 1][2:5] if place % 2 == 0 else shown[place + 1][1:4]
        assert [signed(each) for each in amounts] == [signed(row[name]) for name in ("old", "new", "movement")]
    total = body["totals"][0]
    assert [signed(each) for each in shown[-2][2:5]] == [signed(total[name]) for name in ("old", "new", "movement")]
    highways = {line_[0]: line_ for line_ in shown}["Highways"]
    assert highways[5:] == ["–", "£1m moved", "+£100k", "–"]
    why = page.table("Highways, South East 7: +£100k")
    by_kind = {(row[0], row[5]): row for row in why[1:]}
    # What the review found first made good what 2012/13 lost to later years.
    assert list(by_kind) == [(change["year"], KINDS[change["kind"]]) for change in body["rows"][0]["changes"]]
    assert "The review found more." in by_kind["2011/12", "Re-profiled between years"][6]
    assert "No reason was given" in str(page.table("ICT, South East 7"))
    assert page.text.count("They are equal.") == 2


def signed(amount: str) -> int:
    """An amount of the page or the API in pence; a dash is nothing."""
    return 0 if amount == "–" else parse_pounds(amount.removeprefix("+"))


async def test_two_editions_are_compared_and_the_narrative_leads_there(january: Service, streams: Streams) -> None:
    await january.post("/v1/editions", "office", CABINET)
    await january.send(streams.posting("highways", line("2011/12", "£350k"), reason="Recounted."))
    await january.post("/v1/editions", "office", {"title": "Cabinet, March", "meeting_date": "2012-03-06"})
    await january.send(streams.posting("highways", line("2011/12", "£400k"), reason="Again."))
    between = Page.of(await january.get("/movements?from=1&to=2", "author-ESX"))
    assert "Recounted." in between.text
    assert "Again." not in between.text
    tracker = Page.of(await january.get("/tracker?edition=2", "author-ESX"))
    assert tracker.links()["£100k"].startswith("/movements?")
    led = Page.of(await january.get(tracker.links()["£100k"], "author-ESX"))
    assert between.table("Movement of each total") == led.table("Movement of each total")
    draft = Page.of(await january.get("/tracker", "author-ESX"))
    assert "£50k more than in the edition of 6 March 2012" in draft.text


async def test_before_the_first_edition_there_is_nothing_to_compare(january: Service) -> None:
    assert "Nothing has been published yet" in Page.of(await january.get("/movements", "author-ESX")).text


async def test_a_slip_in_what_to_compare_is_shown_beside_the_form(january: Service) -> None:
    await january.post("/v1/editions", "office", CABINET)
    page = Page.of(await january.get("/movements?from=draft&basis=guess", "author-ESX"), 422)
    assert list(told(page).values()) == ["#basis"]
    page = Page.of(await january.get("/movements?from=draft", "author-ESX"), 422)
    assert list(told(page).values()) == ["#from"]
    links = Page.of(await january.get("/movements?from=7", "author-ESX"), 404).links()
    assert links["Edition 1: Cabinet, 26 January 2012"] == "/tracker?edition=1"
    other = Page.of(await january.get(f"/movements?council={KENT}", "author-ESX"), 403)
    assert "The share of Kent County Council" in other.text


# Rounds


async def test_a_rounds_coverage_is_what_the_api_says(january: Service, streams: Streams) -> None:
    today = local_day(utc_now())
    days = {"opens": today - timedelta(days=9), "due": today - timedelta(days=2), "closes": today + timedelta(days=3)}
    made = await january.post(
        "/v1/rounds", "office", {"name": "Winter", **{name: str(day) for name, day in days.items()}}
    )
    assert made.status_code == 201
    await january.send(
        streams.posting("ict", line("2011/12", "£7m"), recorded_at=utc_now()),
        streams.posting("waste", line("2011/12", "£7m"), recorded_at=utc_now() - timedelta(days=5)),
    )
    body = (await january.get("/v1/rounds/1/coverage", "author-ESX")).json()
    page = Page.of(await january.get("/rounds/1", "author-ESX"))
    counts = body["counts"]
    assert list(page.terms().values()) == [
        str(counts[name]) for name in ("expected", "on_time", "late", "carried_forward", "missing")
    ]
    assert (counts["late"], counts["on_time"]) == (1, 1)
    assert body["text"] in page.text
    rows = {row[0]: row for row in page.table("What has come")}
    order = rows["Whose figure"]
    assert rows["South East 7"][order.index("ICT")].startswith("Late")
    assert rows["South East 7"][order.index("Waste")].startswith("Received")
    assert rows["South East 7"][order.index("Highways")] == "Carried forward"
    assert rows["Kent County Council"][order.index("Waste")] == "Missing"
    listed = Page.of(await january.get("/rounds", "author-ESX")).table("Rounds")
    assert listed[1][0] == "Winter Open"
    assert listed[1][4:] == [
        str(counts[name]) for name in ("expected", "on_time", "late", "carried_forward", "missing")
    ]


async def test_a_round_or_edition_that_is_not_there_is_a_page_that_says_what_is(january: Service) -> None:
    await january.post("/v1/editions", "office", CABINET)
    for number in ("7", "0", "one", "9" * 30):
        links = Page.of(await january.get(f"/editions/{number}", "author-ESX"), 404).links()
        assert links["Edition 1: Cabinet, 26 January 2012"] == "/editions/1", number
        assert "There is no round" in Page.of(await january.get(f"/rounds/{number}", "author-ESX"), 404).text
    assert "None has been opened yet." in Page.of(await january.get("/rounds", "author-ESX")).text


# Checks


async def test_everything_holds_and_the_checks_say_how_much_was_examined(january: Service) -> None:
    await january.post("/v1/editions", "office", CABINET)
    page = Page.of(await january.get("/checks", "auditor"))
    assert "Everything adds up, and nothing was set aside." in page.text
    rows = page.table("What the pages are drawn from")
    assert [row[2] for row in rows[1:]] == ["Holds"] * 4
    assert all(int(row[1].replace(",", "")) > 0 for row in rows[1:])


async def test_what_does_not_hold_is_named_and_what_was_set_aside_is_shown(january: Service) -> None:
    async with january.reporting.database.write() as connection:
        await connection.execute(
            text("UPDATE entries SET movement_pence = movement_pence + 1 WHERE number = 1 AND amount_pence = 25000000")
        )
    await january.send_messages([Message(ENTRIES_TOPIC, "ict/partnership", b"not an event", ())])
    page = Page.of(await january.get("/checks", "office"))
    assert "Not everything adds up." in page.text
    results = {row[0]: row[2] for row in page.table("What the pages are drawn from")}
    assert "the movements come to £250000.01" in results["Every balance is the sum of its movements"]
    (parked,) = page.table("Events set aside")[1:]
    assert parked[1] == "ict/partnership"
    assert ENTRIES_TOPIC in parked[2]


async def test_a_return_that_has_not_arrived_is_named(january: Service, streams: Streams) -> None:
    streams.posting("waste", line("2011/12", "£1k"))
    await january.send(streams.posting("waste", line("2011/12", "£2k")))
    results = {row[0]: row[2] for row in Page.of(await january.get("/checks", "office")).table("What the pages")}
    assert (
        "Of the 3 returns of waste/partnership, 1 have not arrived here."
        in results["Every return of every stream has arrived"]
    )


async def test_checks_are_for_office_and_auditors_and_only_they_are_led_there(january: Service) -> None:
    for name in ("author-ESX", "lead-ict", "finance-KEN"):
        assert (await january.get("/checks", name)).status_code == 403
        assert "/checks" not in Page.of(await january.get("/tracker", name)).links("//nav").values()
    for name in ("office", "auditor"):
        assert "/checks" in Page.of(await january.get("/tracker", name)).links("//nav").values()


# Either database


async def test_every_page_is_drawn_from_either_database(tmp_path: Path, database_url: UrlOf) -> None:
    streams = Streams()
    async with served(tmp_path, database_url_reporting=SecretStr(database_url("reporting"))) as service:
        await service.send(*streams.january_2012())
        await service.post("/v1/editions", "office", CABINET)
        await service.send(
            streams.posting("highways", line("2011/12", "£350k"), as_at=date(2012, 3, 7), reason="Found more.")
        )
        figure = "/figures?workstream=highways&year=2011/12"
        for path, shown in (
            (figure, ["£250k", "£350k"]),
            (f"{figure}&edition=1", ["£250k"]),
            (f"{figure}&as_at=2011-12-31", ["£250k"]),
            (f"{figure}&known_at=2011-12-08T09:32:00Z", ["£250k"]),
        ):
            page = Page.of(await service.get(path, "office"))
            assert [row[2] for row in page.table("Estimate: whole workstream")[1:]] == shown, path
        for path in (
            *("/tracker", "/tracker?edition=1", "/workstreams", "/workstreams/ict?edition=1", "/councils"),
            *(f"/councils/{EAST_SUSSEX}?as_at=2011-12-31", "/figures", "/movements", "/editions", "/editions/new"),
            *("/editions/1?prove=true", "/rounds"),
        ):
            Page.of(await service.get(path, "office"))
        assert "Everything adds up" in Page.of(await service.get("/checks", "office")).text
