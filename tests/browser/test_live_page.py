"""The draft brings itself up to date in a real browser: what is read stays in its place, and it is told politely."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from services.reporting.live import Pace
from shared.figures import Status
from tests.listening import listening
from tests.reporting_figures import EAST_SUSSEX
from tests.reporting_service import Service, Streams, line, served

pytestmark = pytest.mark.browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
TABLE = ".tracker-table >> nth=0"
TOLD = "#live-told"
#: A machine that is busy with other things takes its time to draw.
expect.set_options(timeout=15_000)


class Draft:
    """The tracker as an author of East Sussex has it open, and returns that move it."""

    def __init__(self, service: Service, streams: Streams, page: Page) -> None:
        self.service = service
        self.streams = streams
        self.page = page

    async def open(self) -> None:
        await self.page.goto(f"/tracker?council={EAST_SUSSEX}")
        await self.page.get_by_role("button", name="author-ESX").click()
        await expect(self.page.get_by_role("heading", level=1)).to_contain_text("Savings tracker")

    async def listening(self, count: int = 1) -> None:
        """Wait until the page's script listens, or with none until it does not."""
        async with asyncio.timeout(10):
            while self.service.reporting.live.open_count != count:  # noqa: ASYNC110 - it calls nobody back
                await asyncio.sleep(0.02)

    async def post(self, amount: str | Status, workstream: str = "highways", scope: str = "partnership") -> None:
        await self.service.send(
            self.streams.posting(workstream, line("2012/13", amount, reason="more roads"), scope=scope)
        )


@pytest.fixture
async def draft(browser: Browser, tmp_path: Path) -> AsyncIterator[Draft]:
    """Whatever the page complains of while a test runs fails that test."""
    async with served(tmp_path, demonstration=True) as service:
        streams = Streams()
        await service.send(*streams.january_2012())
        live = service.reporting.live
        live.pace = Pace(heartbeat=1, poll=60, gather=0.05)
        running = asyncio.create_task(live.run())
        async with listening(service.app) as address:
            context = await browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
            page = await context.new_page()
            complaints: list[str] = []
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            yield Draft(service, streams, page)
            await context.close()
            live.close()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        assert [told for told in complaints if "401" not in told and "[DOM]" not in told] == []


async def test_a_return_changes_the_draft_and_says_which_figure_is_what_now(draft: Draft) -> None:
    await draft.open()
    await draft.listening()
    await expect(draft.page.locator(TOLD)).to_have_text("The figures on this page update themselves.")
    await draft.post("£6.5m")
    await expect(draft.page.locator(TABLE)).to_contain_text("£6.5m (£6.75m)")
    await expect(draft.page.locator(TOLD)).to_have_text(
        "The table was updated: Highways, SE7, 2012/13 is now £6.5m (£6.75m); "
        "Highways, SE7, 2013/14 is now £12m (£18.75m); Highways, SE7, 2014/15 is now £18m (£36.75m); "
        "2 more figures changed."
    )
    told = draft.page.locator(TOLD)
    assert (await told.get_attribute("role"), await told.get_attribute("aria-live")) == ("status", "polite")
    await draft.page.screenshot(path=Path("var/screenshots/tracker-live.png"), full_page=True)


async def test_a_page_that_updated_itself_is_the_page_as_it_would_be_loaded_now(draft: Draft) -> None:
    await draft.open()
    await draft.listening()
    await draft.post("£7.125m")
    await draft.post(Status.TO_BE_CONFIRMED, workstream="ict")
    await draft.post("£1m", workstream="waste", scope=EAST_SUSSEX)
    await expect(draft.page.locator(TABLE)).to_contain_text("£7.125m")
    await expect(draft.page.locator(TABLE)).to_contain_text("To be confirmed")
    parts = "[...document.querySelectorAll('[data-live]')].map(part => part.innerHTML.replace(/\\s+/g, ' '))"
    folded = await draft.service.reporting.answers.version()
    await expect(draft.page.locator("#live")).to_have_attribute("data-version", str(folded.number))
    updated = await draft.page.evaluate(parts)
    await draft.page.reload()
    assert await draft.page.evaluate(parts) == updated
    assert len(updated) > 1


async def test_focus_and_scrolling_stay_where_they_were(draft: Draft) -> None:
    await draft.open()
    await draft.listening()
    await draft.page.set_viewport_size({"width": 400, "height": 600})
    region = draft.page.locator(".tracker-region >> nth=0")
    await region.focus()
    await draft.page.evaluate("document.querySelector('.tracker-region').scrollLeft = 120")
    down = await draft.page.evaluate("(window.scrollTo(0, 240), window.scrollY)")
    await draft.post("£6.5m")
    await expect(draft.page.locator(TABLE)).to_contain_text("£6.5m (£6.75m)")
    await expect(region).to_be_focused()
    assert await draft.page.evaluate("document.querySelector('.tracker-region').scrollLeft") == 120
    assert await draft.page.evaluate("window.scrollY") == down


async def test_what_is_being_typed_is_left_alone(draft: Draft) -> None:
    await draft.open()
    await draft.listening()
    await draft.page.get_by_label("As at").fill("2011-12")
    await draft.post("£6.5m")
    await expect(draft.page.locator(TABLE)).to_contain_text("£6.5m (£6.75m)")
    await expect(draft.page.get_by_label("As at")).to_be_focused()
    await expect(draft.page.get_by_label("As at")).to_have_value("2011-12")


async def test_it_can_be_stopped_and_started_again(draft: Draft) -> None:
    """WCAG 2.2.2: who is disturbed by a page that moves can stop it."""
    await draft.open()
    await draft.listening()
    await draft.page.get_by_role("button", name="Stop updating").click()
    await expect(draft.page.locator(TOLD)).to_have_text("The figures on this page no longer update themselves.")
    await draft.listening(0)
    await draft.post("£6.5m")
    # What is stopped here stays so on the next page of the same visit.
    await draft.page.reload()
    await expect(draft.page.locator(TABLE)).to_contain_text("£6.5m (£6.75m)")
    await expect(draft.page.locator(TOLD)).to_have_text("The figures on this page no longer update themselves.")
    assert draft.service.reporting.live.open_count == 0
    await draft.post("£6.75m")
    await draft.page.get_by_role("button", name="Update by itself").click()
    await expect(draft.page.locator(TABLE)).to_contain_text("£6.75m (£7m)")


@pytest.mark.long
async def test_an_updated_page_meets_wcag_2_2_aa(draft: Draft) -> None:
    await draft.open()
    await draft.listening()
    await draft.post("£6.5m")
    await expect(draft.page.locator(TOLD)).to_contain_text("The table was updated")
    for width in (1280, 320):
        await draft.page.set_viewport_size({"width": width, "height": 800})
        found = await Axe().run(draft.page, options={"runOnly": {"type": "tag", "values": TAGS}})
        assert [f"{each['id']}: {each['help']}" for each in found.response["violations"]] == []
        assert await draft.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0


async def test_signed_out_elsewhere_the_page_says_that_it_is_no_longer_new(draft: Draft) -> None:
    await draft.open()
    await draft.listening()
    await draft.page.context.clear_cookies()
    await draft.post("£6.5m")
    await expect(draft.page.locator(TOLD)).to_contain_text("Load the page again")
    await expect(draft.page.locator(TABLE)).to_contain_text("£6m (£6.25m)")


async def test_a_table_of_the_past_does_not_move(draft: Draft) -> None:
    await draft.open()
    await draft.page.goto(f"/tracker?council={EAST_SUSSEX}&known_at=2012-01-26")
    assert await draft.page.locator("#live").count() == 0


async def test_without_script_the_page_is_whole_and_says_nothing_of_it(browser: Browser, tmp_path: Path) -> None:
    async with served(tmp_path, demonstration=True) as service:
        await service.send(*Streams().january_2012())
        async with listening(service.app) as address:
            context = await browser.new_context(base_url=address, java_script_enabled=False)
            draft = Draft(service, Streams(), await context.new_page())
            await draft.open()
            await expect(draft.page.locator(TABLE)).to_contain_text("£6m (£6.25m)")
            await expect(draft.page.locator("#live")).to_be_hidden()
            await context.close()
