"""The pages in a real browser: accessible (WCAG 2.2 AA), usable by keyboard and at 320 pixels, with nothing blocked."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.looking import looking, overflow_pixels, photograph, sign_in, violations
from tests.reporting_figures import EAST_SUSSEX, PRINTED

pytestmark = pytest.mark.browser

REGION = ".tracker-region >> nth=0"


@pytest.fixture
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    async with looking(browser, address) as page:
        yield page


async def test_signing_in_leads_to_the_table_as_it_was_printed(page: Page) -> None:
    await sign_in(page)
    shown = await page.locator(".tracker-table >> nth=0").evaluate(
        """table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent.trim()))"""
    )
    reference = list(csv.reader(io.StringIO(PRINTED.decode())))[1:]
    # A workstream's name spans its rows, and stands in the first of them alone.
    spanned = [row if place % 2 == 0 else row[1:] for place, row in enumerate(reference)]
    assert shown[1:] == spanned
    await photograph(page, "tracker")


async def test_the_two_greys_differ_and_the_text_on_them_is_black(page: Page) -> None:
    await sign_in(page)
    grounds = await page.evaluate(
        """[".tracker-table__partnership", ".tracker-table__home"].map(
             name => getComputedStyle(document.querySelector(name)).backgroundColor)"""
    )
    assert grounds == ["rgb(241, 242, 243)", "rgb(198, 201, 204)"]


@pytest.mark.parametrize("width", [1280, 320])
async def test_the_tracker_meets_wcag_2_2_aa(page: Page, width: int) -> None:
    await sign_in(page)
    await page.set_viewport_size({"width": width, "height": 800})
    assert await violations(page) == []
    assert await overflow_pixels(page) <= 0
    await photograph(page, f"tracker-{width}")


@pytest.mark.parametrize("width", [1280, 320])
async def test_the_sign_in_page_meets_wcag_2_2_aa(page: Page, width: int) -> None:
    await page.set_viewport_size({"width": width, "height": 800})
    await page.goto("/sign-in")
    assert await violations(page) == []
    assert await overflow_pixels(page) <= 0
    await photograph(page, f"sign-in-{width}")
    await page.get_by_label("Your key").fill("sav_wrong")
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("unknown, expired or revoked")
    assert await violations(page) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "path",
    ["/tracker?as_at=yesterday&flow=in", "/tracker?council=E10000016", "/nowhere", "/tracker?council=none&flow=net"],
)
async def test_pages_that_tell_a_mistake_meet_wcag_2_2_aa_too(page: Page, path: str) -> None:
    await sign_in(page)
    await page.goto(path)
    assert await violations(page) == []
    assert await overflow_pixels(page) <= 0


async def test_a_link_in_the_error_summary_leads_to_its_field(page: Page) -> None:
    await sign_in(page)
    await page.goto("/tracker?as_at=yesterday")
    await page.get_by_role("link", name="yesterday is not a date").click()
    await expect(page.get_by_label("As at")).to_be_focused()


async def test_on_a_narrow_screen_the_table_scrolls_and_the_page_does_not(page: Page) -> None:
    await sign_in(page)
    await page.set_viewport_size({"width": 320, "height": 640})
    await page.locator(REGION).focus()
    for _ in range(12):
        await page.keyboard.press("ArrowRight")
    await page.wait_for_function("document.querySelector('.tracker-region').scrollLeft > 0")
    assert await overflow_pixels(page) <= 0


async def test_the_keyboard_alone_reaches_the_table_and_changes_what_it_shows(page: Page) -> None:
    await sign_in(page)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to main content")).to_be_focused()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("region", name="Potential savings and avoided costs")).to_be_focused()
    # Every figure is a link; who does not want them all goes round them.
    await page.keyboard.press("Shift+Tab")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("Home council")).to_be_focused()
    await page.keyboard.press("Home")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Escape")
    await page.get_by_label("Basis").focus()
    await page.keyboard.type("Est")
    await page.get_by_label("As at").focus()
    await page.keyboard.type("2011-12-06")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("as at 6 December 2011")
    assert "basis=estimate" in page.url


async def test_what_is_sorted_under_details_opens_without_script(page: Page) -> None:
    await sign_in(page)
    await expect(page.get_by_label("Recurrence")).to_be_hidden()
    await page.get_by_text("Benefit, recurrence, and costs").click()
    await page.get_by_label("Benefit").select_option("Avoided cost")
    await page.get_by_role("button", name="Show the table").click()
    await expect(page.get_by_label("Recurrence")).to_be_visible()
    await expect(page.locator(".tracker-table >> nth=0")).to_contain_text("£1.323m")
    await expect(page.get_by_text("Only avoided costs are shown.")).to_be_visible()


async def test_a_page_loaded_again_from_what_the_browser_kept_is_whole(page: Page) -> None:
    """A 304 renews the headers of the kept page: with other ones, its stylesheets would be blocked."""
    await sign_in(page)
    again = await page.goto(f"/tracker?council={EAST_SUSSEX}")
    assert again is not None
    assert again.status in (200, 304)
    assert await page.evaluate("getComputedStyle(document.querySelector('.tracker-header')).backgroundColor") == (
        "rgb(31, 58, 77)"
    )


async def test_the_table_can_be_taken_away(page: Page, tmp_path: Path) -> None:
    await sign_in(page)
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="CSV as printed").click()
    download = await downloading.value
    assert download.suggested_filename == "SE7 savings tracker, Draft, East Sussex.csv"
    kept = tmp_path / "table.csv"
    await download.save_as(kept)
    assert kept.read_bytes() == PRINTED


async def test_signing_out_leaves_nothing_to_see(page: Page) -> None:
    await sign_in(page)
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
