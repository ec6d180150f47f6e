"""Opening a round by a form: by the office alone, once, and with all that is wrong told at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.clock import local_day, utc_now
from tests.page_reading import Page
from tests.reporting_figures import EAST_SUSSEX, KENT, SE7
from tests.reporting_service import Service, served

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
ENTERED: dict[str, Any] = {
    "name": "Quarter 3, 2026/27",
    **dict(zip(("opens-day", "opens-month", "opens-year"), ("1", "12", "2026"), strict=True)),
    **dict(zip(("due-day", "due-month", "due-year"), ("8", "1", "2027"), strict=True)),
    **dict(zip(("closes-day", "closes-month", "closes-year"), ("22", "1", "2027"), strict=True)),
    "workstreams": ["ict", "waste"],
    "scopes": ["partnership", EAST_SUSSEX, KENT],
}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path) as running:
        await sign_in(running, "office")
        yield running


async def sign_in(service: Service, name: str) -> None:
    service.http.cookies.clear()
    await service.http.post("/sign-in", data={"key": service.keys[name]}, headers=OWN_PAGE)


async def send(service: Service, headers: dict[str, str] = OWN_PAGE, **different: Any) -> httpx.Response:
    token = different.pop("token", None) or Page.of(await service.get("/rounds/new")).values()["token"]
    return await service.http.post("/rounds/new", data={"token": token, **ENTERED, **different}, headers=headers)


async def rounds(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await service.get("/v1/rounds")).json()["rounds"]
    return found


def told(page: Page) -> dict[str, str]:
    """What the error summary says, and where that leads."""
    return page.links("//div[contains(@class, 'govuk-error-summary')]")


def ticked(page: Page) -> list[str]:
    return [str(each.get("value")) for each in page.root.xpath("//input[@type='checkbox'][@checked]")]


async def test_a_round_is_opened_by_a_form_and_is_the_apis_round(service: Service) -> None:
    assert Page.of(await service.get("/rounds")).links()["Open a round"] == "/rounds/new"
    answer = await send(service)
    assert (answer.status_code, answer.headers["location"]) == (303, "/rounds/1?opened=true")
    page = Page.of(await service.get(answer.headers["location"]))
    assert page.heading == "Quarter 3, 2026/27"
    assert "The round Quarter 3, 2026/27 is opened." in page.text
    (made,) = await rounds(service)
    days = ("2026-12-01", "2027-01-08", "2027-01-22")
    assert (made["name"], made["opens"], made["due"], made["closes"]) == ("Quarter 3, 2026/27", *days)
    streams = (await service.get("/v1/rounds/1/coverage")).json()["streams"]
    assert [(each["workstream"], each["scope"]) for each in streams] == [
        (workstream, scope) for workstream in ("waste", "ict") for scope in ("partnership", EAST_SUSSEX, KENT)
    ]


async def test_what_is_proposed_is_every_figure_from_today(service: Service) -> None:
    form = Page.of(await service.get("/rounds/new"))
    today = local_day(utc_now())
    for name, weeks in (("opens", 0), ("due", 4), ("closes", 6)):
        day = today + timedelta(weeks=weeks)
        shown = [form.values()[f"{name}-{part}"] for part in ("day", "month", "year")]
        assert shown == [str(day.day), str(day.month), str(day.year)]
    assert ticked(form) == [
        *(workstream.code for workstream in SE7.workstreams),
        "partnership",
        *(council.gss for council in SE7.councils),
    ]
    assert (await send(service, workstreams=ticked(form)[:6], scopes=ticked(form)[6:])).status_code == 303
    (made,) = await rounds(service)
    assert made["expected"] == len(SE7.workstreams) * (len(SE7.councils) + 1)


async def test_all_that_is_wrong_is_told_at_once_and_what_was_entered_is_kept(service: Service) -> None:
    wrong = {"name": " ", "opens-month": "13", "due-year": "2028", "scopes": [], "workstreams": ["roads", "ict"]}
    page = Page.of(await send(service, **wrong), 422)
    assert list(told(page).values()) == ["#name", "#opens-day", "#closes-day", "#workstreams", "#scopes"]
    for address in told(page).values():
        assert page.root.get_element_by_id(address[1:]) is not None
    assert page.source.count("govuk-error-message") == 5
    assert (page.values()["opens-month"], page.values()["due-year"]) == ("13", "2028")
    assert ticked(page) == ["ict"]
    assert page.source.count("<title>Error: Open a round") == 1
    nothing = {f"{name}-{part}": "" for name in ("opens", "due", "closes") for part in ("day", "month", "year")}
    missing = told(Page.of(await send(service, **nothing), 422))
    assert list(missing) == [
        "Enter the day that the round opens",
        "Enter the day that returns are due",
        "Enter the day that the round closes",
    ]
    early = told(Page.of(await send(service, **{"due-year": "2025"}), 422))
    assert list(early) == ["The day that returns are due must be the day that the round opens, or after it"]
    assert await rounds(service) == []


async def test_a_form_sent_twice_at_once_opens_one_round(service: Service) -> None:
    token = Page.of(await service.get("/rounds/new")).values()["token"]
    answers = await asyncio.gather(*(send(service, token=token) for _ in range(3)))
    assert [answer.headers.get("location") for answer in answers] == ["/rounds/1?opened=true"] * 3
    assert len(await rounds(service)) == 1


async def test_another_round_of_that_name_is_not_opened_and_the_form_says_why(service: Service) -> None:
    await send(service)
    for different in ({"due-day": "9"}, {"scopes": [KENT]}):
        page = Page.of(await send(service, **different), 409)
        assert told(page) == {
            "There is a round Quarter 3, 2026/27, and it does not change. Give another name.": "#name"
        }
        assert page.values()["name"] == "Quarter 3, 2026/27"
    assert len(await rounds(service)) == 1


async def test_no_other_site_and_nobody_but_the_office_can_open_one(service: Service) -> None:
    theirs = Page.of(await service.get("/rounds/new")).values()["token"]
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.test"}, {}):
        assert (await send(service, headers, token=theirs)).status_code == 403
    assert "out of date" in Page.of(await send(service, token="x"), 403).text
    for name in ("author-ESX", "lead-ict", "finance-KEN", "auditor"):
        await sign_in(service, name)
        assert "Open a round" not in Page.of(await service.get("/rounds")).text, name
        assert (await service.get("/rounds/new")).status_code == 403, name
        assert (await send(service, token=theirs)).status_code == 403, name
    assert await rounds(service) == []
