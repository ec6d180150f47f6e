"""Workstreams, councils and figures as pages: the API's figures, down to the returns, for those who may see them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from services.reporting.pages import figures as figures_module
from shared.figures import Basis, Benefit, Flow, Status
from shared.money import parse_pounds, short_text
from tests.page_reading import Page
from tests.reporting_figures import EAST_SUSSEX, KENT, SE7
from tests.reporting_service import Service, Streams, line, served

CAPTION = "Potential savings and avoided costs"


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


def printed(amount: str) -> str:
    return short_text(parse_pounds(amount))


# From the tracker to the figures


async def test_every_figure_of_the_tracker_leads_to_a_page_that_says_the_same(january: Service) -> None:
    tracker = Page.of(await january.get("/tracker", "author-ESX"))
    table = (await january.get("/v1/tracker", "author-ESX")).json()
    followed = 0
    for place, row in enumerate(table["rows"]):
        # The workstream's name stands in the first of its rows alone.
        first = 2 if place % 2 == 0 else 1
        for column, cell in enumerate(row["cells"]):
            if cell["printed"] != "–":
                path = tracker.link_in(CAPTION, place + 1, first + column)
                terms = Page.of(await january.get(path, "author-ESX")).terms()
                assert terms["As printed"] == cell["printed"], path
                if cell["in_year"] not in (None, "0.00"):
                    assert terms[f"New in {cell['year']}"] == printed(cell["in_year"])
                followed += 1
    assert followed > 30


async def test_the_totals_lead_to_the_figures_that_they_are_added_up_from(january: Service) -> None:
    tracker = Page.of(await january.get("/tracker", "author-ESX"))
    path = tracker.link_in(CAPTION, -1, -1)
    page = Page.of(await january.get(path, "author-ESX"))
    rows = page.table("The ")
    assert rows[-1] == ["Together", "£6.944m"]
    assert sum(parse_pounds(row[-1]) for row in rows[1:-1]) == parse_pounds("£6.944m")
    assert "They add up to £6.944m; the table says £6.944m. They are equal." in page.text


async def test_a_figure_tells_who_stated_each_entry_when_why_and_from_where(january: Service, streams: Streams) -> None:
    await january.send(
        streams.posting("highways", line("2011/12", "£350k"), reason="The review found more.", by="lead-highways")
    )
    page = Page.of(await january.get("/figures?workstream=highways&year=2011/12", "author-ESX"))
    assert page.terms() == {"As printed": "£350k", "New in 2011/12": "£350k", "Cumulative by 2011/12": "£350k"}
    head, first, second = page.table("Estimate: whole workstream")
    assert head == ["Recorded", "As at", "Stated", "Movement", "Balance", "Who", "Why, and from where"]
    assert first[2:5] == ["£250k", "+£250k", "£250k"]
    assert second[1:5] == ["7 December 2011", "£350k", "+£100k", "£350k"]
    assert second[5] == "lead-highways Brighton & Hove City Council"
    assert "The review found more. Workstream workbook, P08." in second[6]
    assert page.links()["Return return-1"].startswith("/v1/submissions/return-")


async def test_an_entry_about_an_earlier_day_is_told_to_move_nothing(january: Service, streams: Streams) -> None:
    await january.send(streams.posting("highways", line("2011/12", "£9m"), as_at=date(2011, 9, 30)))
    page = Page.of(await january.get("/figures?workstream=highways&year=2011/12", "author-ESX"))
    assert page.terms()["As printed"] == "£250k"
    late = page.table("Estimate: whole workstream")[-1]
    assert late[2:5] == ["£9m", "–", "£250k"]
    assert "moves nothing" in late[6]


async def test_what_is_stated_and_does_not_count_is_shown_and_said_not_to(january: Service, streams: Streams) -> None:
    await january.send(
        streams.posting("highways", line("2011/12", "£300k", basis=Basis.ACTUAL), as_at=date(2012, 3, 31)),
        streams.posting("highways", line("2011/12", "£40k", flow=Flow.COST, benefit=Benefit.CASH_RELEASING)),
    )
    page = Page.of(await january.get("/figures?workstream=highways&year=2011/12", "author-ESX"))
    assert page.table("The figure that counts")[-1] == ["Together", "£300k"]
    assert "Actual: whole workstream. Cash-releasing, recurring Does not count" not in page.text
    assert "Estimate: whole workstream. Cash-releasing, recurring Does not count" in page.text
    net = Page.of(await january.get("/figures?workstream=highways&year=2011/12&flow=net", "author-ESX"))
    assert net.table("The 2 figures that count")[-1] == ["Together, costs taken off", "£260k"]
    assert "-£40k" in net.text


async def test_a_figure_of_an_edition_has_the_history_that_led_to_it(january: Service, streams: Streams) -> None:
    await january.post("/v1/editions", "office", {"title": "Cabinet", "meeting_date": "2012-01-26"})
    await january.send(streams.posting("highways", line("2011/12", "£350k"), reason="Found more."))
    page = Page.of(await january.get("/figures?workstream=highways&year=2011/12&edition=1", "author-ESX"))
    assert page.terms()["As printed"] == "£250k"
    assert "Found more." not in page.text
    known = Page.of(
        await january.get("/figures?workstream=highways&year=2011/12&known_at=2011-12-08T09:32:00Z", "author-ESX")
    )
    assert known.terms()["As printed"] == "£250k"


async def test_a_figure_as_at_a_day_has_the_history_up_to_that_day(january: Service, streams: Streams) -> None:
    await january.send(
        streams.posting("highways", line("2011/12", "£350k"), as_at=date(2012, 3, 7), reason="Found more.")
    )
    path = "/figures?workstream=highways&year=2011/12&as_at=2011-12-31"
    page = Page.of(await january.get(path, "author-ESX"))
    assert [row[2] for row in page.table("Estimate: whole workstream")[1:]] == ["£250k"]
    assert "Found more." in Page.of(await january.get(path.replace("2011-12-31", "2012-12-31"), "author-ESX")).text


async def test_a_long_history_is_cut_and_says_so(
    january: Service, streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures_module, "ENTRIES_SHOWN", 2)
    await january.send(*(streams.posting("highways", line("2011/12", f"£{n}k")) for n in (1, 2, 3)))
    page = Page.of(await january.get("/figures?workstream=highways&year=2011/12", "author-ESX"))
    assert "The last 2 of 4 entries are shown." in page.text
    assert [row[2] for row in page.table("Estimate: whole workstream")[1:]] == ["£2k", "£3k"]


async def test_nothing_new_and_nothing_at_all_are_told_apart(january: Service) -> None:
    carried = Page.of(await january.get("/figures?workstream=sen&year=2013/14&scope=partnership", "author-ESX"))
    assert "Nothing new is stated for 2013/14" in carried.text
    empty = Page.of(await january.get(f"/figures?workstream=property&year=2013/14&scope={EAST_SUSSEX}", "author-ESX"))
    assert "Nothing has been stated here that counts." in empty.text
    assert "There is no entry yet." in empty.text


# Workstreams


async def test_a_workstream_tells_its_purpose_lead_update_and_figures(january: Service) -> None:
    page = Page.of(await january.get("/workstreams/highways", "author-ESX"))
    rows = page.table(CAPTION)
    table = (await january.get("/v1/tracker", "author-ESX")).json()
    mine = [row for row in table["rows"] if row["workstream"] == "highways"]
    assert [row[1:] for row in rows[1:]] == [
        [*(cell["printed"] for cell in row["cells"]), row["total"]["printed"]] for row in mine
    ]
    assert SE7.workstream_by_code["highways"].purpose in page.text
    assert "Led by Surrey County Council" in page.text
    (update,) = [told["update"] for told in table["narratives"] if told["workstream"] == "highways"]
    assert " ".join(update["text"].split()) in page.text


async def test_the_initiatives_add_up_to_the_workstreams_figure(january: Service, streams: Streams) -> None:
    await january.send(
        streams.posting("ict", line("2012/13", "£1.169m", initiative="Data Centres"), as_at=date(2012, 3, 7)),
        streams.posting(
            "ict", line("2012/13", Status.TO_BE_CONFIRMED, initiative="Unheard of"), as_at=date(2012, 3, 7)
        ),
    )
    rows = Page.of(await january.get("/workstreams/ict", "author-ESX")).table("What SE7 states of each")
    by_name = {row[0]: row[1:] for row in rows}
    assert by_name["Data Centres"] == ["–", "£1.169m", "–", "–", "£1.169m"]
    assert by_name["Unheard of"] == ["–"] * 5
    assert by_name["Cloud technology"] == ["–"] * 5
    whole, last = by_name["Whole workstream, no initiative named"], rows[-1][1:]
    assert parse_pounds(last[1]) == parse_pounds(whole[1]) + parse_pounds("£1.169m")


async def test_a_workstreams_chart_is_an_image_with_words_and_figures(january: Service) -> None:
    page = Page.of(await january.get("/workstreams/highways", "author-ESX"))
    (image,) = page.root.iter("img")
    assert "Highways by basis" in image.get("alt")
    drawn = await january.get(image.get("src"), "author-ESX")
    assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")
    assert drawn.content.startswith(b"<svg")
    assert page.table("The figures of this chart")[1] == ["Estimate", "£250k", "£6m", "£12m", "£18m", "£36.25m"]


async def test_a_workstream_shows_the_returns_of_the_whole_and_of_the_home_council_alone(
    january: Service, streams: Streams
) -> None:
    await january.send(streams.posting("highways", line("2011/12", "£1k"), scope=KENT, by="finance-KEN"))
    rows = Page.of(await january.get("/workstreams/highways", "author-ESX")).table("What was stated of Highways")
    assert {row[2] for row in rows[1:]} == {"South East 7", "East Sussex County Council"}
    assert "Estimate +£36.25m" in [row[4] for row in rows]
    assert "finance-KEN" not in str(rows)


# Councils


async def test_a_council_sees_its_ledger_and_its_share_of_each_workstream(january: Service) -> None:
    page = Page.of(await january.get(f"/councils/{EAST_SUSSEX}", "author-ESX"))
    table = (await january.get("/v1/tracker", "author-ESX")).json()
    own = [row for row in table["rows"] if row["scope"] == EAST_SUSSEX]
    ledger = page.table(CAPTION)
    assert [row[1:] for row in ledger[1:-1]] == [
        [*(cell["printed"] for cell in row["cells"]), row["total"]["printed"]] for row in own
    ]
    assert ledger[-1][-1] == table["totals"][1]["total"]["printed"] == "£6.944m"
    parts = {part["workstream"]: part for part in table["proof"]["apportionments"]}
    shares = page.table("Its share beside the whole")
    assert [row[3] for row in shares[1:-1] if row[3] != "–"] == [
        printed(part["unapportioned"]) for code, part in parts.items() if code and part["partnership_is_stated"]
    ] + [printed(part["unapportioned"]) for code, part in parts.items() if code == "procurement"]


async def test_over_claimed_is_flagged_on_the_council_and_on_the_workstream(january: Service, streams: Streams) -> None:
    await january.send(streams.posting("waste", line("2011/12", "£9bn"), scope=KENT, by="finance-KEN"))
    shares = Page.of(await january.get(f"/councils/{KENT}", "author-KEN")).table("Its share beside the whole")
    flags = {row[0]: row[4] for row in shares[1:]}
    assert flags["Waste"] == "Over-claimed"
    assert flags["Highways"] == "Unapportioned"
    assert flags["Commodities Procurement"] == "No SE7 figure yet"
    assert "Over-claimed" in Page.of(await january.get("/workstreams/waste", "author-ESX")).text


async def test_the_councils_are_listed_and_lead_only_where_the_reader_may_go(january: Service) -> None:
    page = Page.of(await january.get("/councils", "author-ESX"))
    rows = {row[0]: row for row in page.table("The councils of South East 7")}
    assert rows["East Sussex County Council"][3] == "Stated"
    assert rows["Kent County Council"][2:] == ["Waste", "None yet"]
    assert "East Sussex County Council" in page.links()
    assert "Kent County Council" not in page.links()
    assert "Kent County Council" in Page.of(await january.get("/councils", "auditor")).links()


async def test_the_workstreams_are_listed_with_the_tables_totals(january: Service) -> None:
    page = Page.of(await january.get("/workstreams", "author-ESX"))
    assert page.table(CAPTION)[-1] == ["Total potential savings", "£83.85m", "£6.944m"]
    assert page.links()["Waste"].startswith("/workstreams/waste")


# Who may see what, and what is not there


async def test_nobody_sees_another_councils_share_on_a_page(january: Service) -> None:
    for name in ("lead-ict", "finance-KEN", "author-KEN"):
        for path in (
            f"/councils/{EAST_SUSSEX}",
            f"/figures?scope={EAST_SUSSEX}",
            f"/figures?scope={EAST_SUSSEX}&workstream=ict&year=2011/12&council=none",
            f"/workstreams/ict?council={EAST_SUSSEX}",
            f"/workstreams/ict/chart.svg?council={EAST_SUSSEX}",
            f"/tracker/charts/council-shares?council={EAST_SUSSEX}",
        ):
            page = Page.of(await january.get(path, name), 403)
            assert "The share of East Sussex County Council is seen by that council" in page.text, (name, path)


async def test_who_is_refused_is_told_what_there_is_to_see(january: Service) -> None:
    links = Page.of(await january.get(f"/councils/{EAST_SUSSEX}", "author-KEN"), 403).links()
    assert links["Kent County Council"] == f"/councils/{KENT}"
    assert links["South East 7 as a whole"] == "/tracker?council=none"
    assert "East Sussex County Council" not in links


async def test_office_and_auditors_see_every_council(january: Service) -> None:
    for name in ("office", "auditor"):
        for council in SE7.councils:
            page = Page.of(await january.get(f"/councils/{council.gss}", name))
            assert page.heading == council.name


async def test_what_is_not_there_is_answered_with_what_is(january: Service) -> None:
    for path, link in (
        ("/workstreams/roads", "Highways"),
        ("/councils/E10000099", "East Sussex County Council"),
        ("/figures?workstream=roads", "Highways"),
        ("/figures?workstream=ict&year=2019/20", "2012/13"),
        ("/figures?scope=E10000099", "The tracker, where every figure leads here"),
        ("/tracker?edition=9", "The draft, as it stands now"),
        ("/workstreams/ict?edition=9", "The draft, as it stands now"),
        ("/tracker/charts/pie", "The tracker, with its charts"),
    ):
        address = Page.of(await january.get(path, "author-ESX"), 404).links()[link]
        assert (await january.get(address, "author-ESX")).status_code == 200, path


async def test_a_slip_in_an_address_is_a_page_that_says_what_may_stand_there(january: Service) -> None:
    page = Page.of(await january.get("/workstreams/ict?basis=guess&colour=red", "author-ESX"), 422)
    assert "There is no basis guess." in page.text
    assert "There is no parameter colour." in page.text
    assert "What may stand there: best, estimate, forecast, actual." in page.text


async def test_an_empty_read_model_has_its_pages_too(service: Service) -> None:
    for path in ("/workstreams", "/workstreams/ict", "/councils", f"/councils/{EAST_SUSSEX}", "/figures"):
        Page.of(await service.get(path, "author-ESX"))
    assert (await service.get("/workstreams/ict/chart.svg", "author-ESX")).status_code == 404
    assert (await service.get("/tracker/charts/by-basis", "author-ESX")).status_code == 404
