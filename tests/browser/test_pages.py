"""Every page in a real browser: WCAG 2.2 AA, 320 pixels, the keyboard alone, and no script."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from shared.clock import local_day, utc_now
from shared.figures import Basis
from tests.browser.looking import looking, overflow_pixels, photograph, sign_in, violations
from tests.listening import listening
from tests.reporting_figures import EAST_SUSSEX, KENT
from tests.reporting_service import Streams, line, served

pytestmark = pytest.mark.browser

#: What each reader opens, by the name of its picture.
OF_AN_AUTHOR = {
    "tracker-edition": "/tracker?edition=1",
    "workstreams": "/workstreams",
    "workstream": "/workstreams/highways",
    "councils": "/councils",
    "council": f"/councils/{EAST_SUSSEX}",
    "figure": "/figures?workstream=highways&year=2011/12",
    "figures": f"/figures?scope={EAST_SUSSEX}",
    "movements": "/movements",
    "editions": "/editions",
    "edition": "/editions/1?prove=true",
    "rounds": "/rounds",
    "round": "/rounds/1",
}
OF_THE_OFFICE = {
    "publish": "/editions/new",
    "published": "/editions/1?published=true",
    "open-round": "/rounds/new",
    "round-opened": "/rounds/1?opened=true",
    "checks": "/checks",
    "council-over-claimed": f"/councils/{KENT}",
}
MISTAKEN = (
    "/workstreams/roads",
    f"/councils/{KENT}",
    "/figures?workstream=ict&year=2019/20",
    "/movements?from=draft&basis=guess",
    "/movements?from=9",
    "/editions/9",
    "/rounds/9",
    "/checks",
    "/workstreams/ict?basis=guess",
)


@pytest.fixture
async def address(tmp_path: Path) -> AsyncIterator[str]:
    """January 2012 published, and what came after it: corrected, re-profiled, delivered, over-claimed; a round."""
    async with served(tmp_path, demonstration=True) as service:
        streams = Streams()
        await service.send(*streams.january_2012())
        edition = {"title": "Cabinet, 26 January 2012", "meeting_date": "2012-01-26", "notes": ["Property follows."]}
        assert (await service.post("/v1/editions", "office", edition)).status_code == 201
        today = local_day(utc_now())
        days = {"opens": today - timedelta(days=9), "due": today - timedelta(days=2), "closes": today}
        await service.post("/v1/rounds", "office", {"name": "Spring", **{name: str(day) for name, day in days.items()}})
        march = date(2012, 3, 7)
        await service.send(
            streams.posting("highways", line("2011/12", "£350k"), reason="The review found more."),
            streams.posting("highways", line("2012/13", "£5m"), line("2013/14", "£13m"), reason="Later.", as_at=march),
            streams.posting("highways", line("2011/12", "£300k", basis=Basis.ACTUAL), as_at=date(2012, 3, 31)),
            streams.posting("ict", line("2012/13", "£1.1m", initiative="Data Centres"), recorded_at=utc_now()),
            streams.posting("waste", line("2012/13", "£9m"), scope=KENT, by="finance-KEN", as_at=march),
            streams.posting("procurement", line("2012/13", "£1,234,567.89"), as_at=march),
        )
        async with listening(service.app) as address:
            yield address


@pytest.fixture
async def page(browser: Browser, address: str) -> AsyncIterator[Page]:
    async with looking(browser, address) as page:
        yield page


@pytest.mark.long
@pytest.mark.parametrize("width", [1280, 320])
async def test_every_page_meets_wcag_2_2_aa_and_is_no_wider_than_the_window(page: Page, width: int) -> None:
    for reader, paths in (("author-ESX", OF_AN_AUTHOR), ("office", OF_THE_OFFICE)):
        await page.context.clear_cookies()
        await page.set_viewport_size({"width": 1280, "height": 900})
        await sign_in(page, reader, "/tracker")
        await page.set_viewport_size({"width": width, "height": 900})
        for name, path in paths.items():
            answer = await page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            assert await violations(page) == [], path
            assert await overflow_pixels(page) <= 0, path
            await photograph(page, f"{name}-{width}")


@pytest.mark.long
async def test_every_page_that_tells_a_mistake_meets_wcag_2_2_aa_at_320_pixels(page: Page) -> None:
    await sign_in(page)
    await page.set_viewport_size({"width": 320, "height": 900})
    for path in MISTAKEN:
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status in (403, 404, 422), path
        assert await violations(page) == [], path
        assert await overflow_pixels(page) <= 0, path


@pytest.mark.long
async def test_a_form_that_tells_what_is_wrong_meets_wcag_2_2_aa_at_320_pixels(page: Page) -> None:
    await sign_in(page, "office", "/tracker")
    await page.set_viewport_size({"width": 320, "height": 900})
    for path, button in (("/rounds/new", "Open the round"), ("/editions/new", "Publish")):
        await page.goto(path)
        for box in await page.get_by_role("checkbox").all():
            await box.uncheck()
        await page.get_by_role("button", name=button).click()
        await expect(page.get_by_role("alert")).to_be_visible()
        assert await violations(page) == [], path
        assert await overflow_pixels(page) <= 0, path
        await photograph(page, f"mistaken{path.replace('/', '-')}-320")


async def test_the_parts_of_the_service_are_a_landmark_and_say_where_the_reader_is(page: Page) -> None:
    await sign_in(page)
    pages = page.get_by_role("navigation", name="Pages")
    for name, heading in (
        ("Workstreams", "Workstreams"),
        ("Councils", "Councils"),
        ("What changed", "What changed"),
        ("Editions", "Editions"),
        ("Rounds", "Rounds"),
        ("Tracker", "Savings tracker"),
    ):
        await pages.get_by_role("link", name=name).click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text(heading)
        await expect(pages.get_by_role("link", name=name)).to_have_attribute("aria-current", "true")


async def test_a_figure_is_followed_to_its_return_by_the_keyboard_alone(page: Page) -> None:
    await sign_in(page)
    await page.get_by_role("region", name="Potential savings and avoided costs").focus()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Highways").first).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="£300k").first).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Highways, 2011/12")
    await expect(page.get_by_text("The review found more.")).to_be_visible()
    link = page.get_by_role("link", name=re.compile("^Return")).first
    await expect(link).to_have_attribute("href", re.compile("^/v1/submissions/"))


async def test_every_table_that_scrolls_can_be_scrolled_with_the_keyboard(page: Page) -> None:
    await sign_in(page)
    await page.set_viewport_size({"width": 320, "height": 700})
    for path in ("/movements", "/rounds/1", "/figures?workstream=highways&year=2011/12"):
        await page.goto(path)
        await page.locator(".tracker-region").first.focus()
        for _ in range(8):
            await page.keyboard.press("ArrowRight")
        await page.wait_for_function("document.querySelector('.tracker-region').scrollLeft > 0")


async def test_the_charts_are_images_with_words_and_their_figures_open_by_keyboard(page: Page) -> None:
    await sign_in(page)
    images = page.locator(".tracker-chart__picture")
    assert await images.count() == 3
    for image in await images.all():
        await image.scroll_into_view_if_needed()
        assert len(await image.get_attribute("alt") or "") > 80
        assert await image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 300
    figures = page.locator(".tracker-chart table").first
    await expect(figures).to_be_hidden()
    await page.locator(".tracker-chart summary").first.focus()
    await page.keyboard.press("Enter")
    await expect(figures).to_be_visible()


async def test_an_edition_is_published_with_script_off_by_the_keyboard_alone(browser: Browser, address: str) -> None:
    async with looking(browser, address, script=False) as page:
        await sign_in(page, "office", "/tracker")
        await page.goto("/editions/new")
        await page.get_by_label("Name").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("Enter a name for the edition")
        await page.get_by_role("link", name="Enter the date of the meeting").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("group", name="Date of the meeting").get_by_label("Day")).to_be_focused()
        for typed in ("6", "3", "2012"):
            await page.keyboard.type(typed)
            await page.keyboard.press("Tab")
        await page.get_by_label("Name").focus()
        await page.keyboard.type("Cabinet, 6 March 2012")
        await page.get_by_role("button", name="Publish").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Cabinet, 6 March 2012")
        await expect(page.get_by_text("Edition 2: Cabinet, 6 March 2012 is published.")).to_be_visible()
        await page.get_by_role("link", name="what changed from Cabinet, 26 January 2012").click()
        await expect(page.get_by_text("Later.", exact=True).first).to_be_visible()


async def test_a_round_is_opened_with_script_off_by_the_keyboard_alone(browser: Browser, address: str) -> None:
    async with looking(browser, address, script=False) as page:
        await sign_in(page, "office", "/tracker")
        await page.goto("/rounds")
        await page.get_by_role("button", name="Open a round").focus()
        await page.keyboard.press("Enter")
        await page.get_by_role("group", name="Returns are due").get_by_label("Year").fill("2001")
        await page.get_by_label("Waste").focus()
        await page.keyboard.press("Space")
        await page.keyboard.press("Enter")
        await expect(page).to_have_title("Error: Open a round – South East 7 savings tracker")
        await expect(page.get_by_role("alert")).to_contain_text("No round has been opened.")
        await page.get_by_role("link", name="The day that returns are due must be").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("group", name="Returns are due").get_by_label("Day")).to_be_focused()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.type(str(utc_now().year + 1))
        await page.keyboard.press("Tab")
        for _ in range(2):
            await page.keyboard.press("Tab")
        await page.keyboard.type(str(utc_now().year + 2))
        await page.get_by_label("Name").focus()
        await page.keyboard.type("Quarter 3, 2026/27")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Quarter 3, 2026/27")
        await expect(page.get_by_text("The round Quarter 3, 2026/27 is opened.")).to_be_visible()
        assert await page.get_by_text("Not expected").count() == 8


@pytest.mark.long
async def test_without_script_every_page_is_whole(browser: Browser, address: str) -> None:
    async with looking(browser, address, script=False) as page:
        await sign_in(page)
        for path in OF_AN_AUTHOR.values():
            await page.goto(path)
            await expect(page.locator("main table").first).to_be_visible()
        await page.goto("/movements")
        await page.get_by_label("Home council").select_option("None: South East 7 alone")
        await page.get_by_role("button", name="Show what changed").click()
        await expect(page.locator(".tracker-table__home")).to_have_count(0)
