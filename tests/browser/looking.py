"""Looking at pages in a browser: with somebody signed in, every complaint counted, WCAG 2.2 AA asked of axe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Request, expect

from tests.reporting_figures import EAST_SUSSEX

SCREENSHOTS = Path("var/screenshots")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


#: An answer of 4xx that a test asks for; a hint about password managers; what was still under way when a test had seen
#: enough, or became a download.
EXPECTED = (
    "Failed to load resource: the server responded with a status of 4",
    "[DOM] Password forms",
    "net::ERR_ABORTED",
)


def failure_of(request: Request) -> str:
    return f"{request.failure} {request.url}"


@asynccontextmanager
async def looking(browser: Browser, address: str, *, script: bool = True) -> AsyncIterator[Page]:
    """A page of the browser; whatever it complains of in the block ends the block with a failure."""
    context = await browser.new_context(
        base_url=address, viewport={"width": 1280, "height": 900}, java_script_enabled=script
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("requestfailed", lambda request: complaints.append(failure_of(request)))
    yield page
    await context.close()
    assert [told for told in complaints if not told.startswith(EXPECTED)] == []


async def sign_in(page: Page, name: str = "author-ESX", path: str = f"/tracker?council={EAST_SUSSEX}") -> None:
    await page.goto(path)
    await page.get_by_role("button", name=name).click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Savings tracker")


async def violations(page: Page) -> list[str]:
    found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    return [
        f"{each['id']}: {each['help']}: {node['html']}"
        for each in found.response["violations"]
        for node in each["nodes"]
    ]


async def photograph(page: Page, name: str) -> None:
    """For people to look at; the browser's driver makes the folder."""
    await page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


async def overflow_pixels(page: Page) -> int:
    """By how much the page itself is wider than the window."""
    return int(await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
