"""The author's whole way, as the demonstration serves it: from signing in to the Word file, with every part real."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import docx
import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.looking import looking, photograph, sign_in, violations
from tests.faults.test_kill import free_port
from tests.reporting_figures import EAST_SUSSEX

pytestmark = pytest.mark.browser

READY_SECONDS = 60
TABLE = ".tracker-table >> nth=0"
TITLE = "Cabinet, 26 January 2012"
#: A machine that is busy with other things takes its time to draw.
expect.set_options(timeout=15_000)


@dataclass
class Demonstration:
    """``savings demo`` as a process of its own: intake, tracker and reporting, with January 2012 loaded."""

    address: str
    keys: dict[str, str]

    async def state(self, workstream: str, year: str, amount: str, reason: str) -> None:
        """A return of a workstream's lead, over HTTP."""
        async with httpx.AsyncClient(base_url=self.address) as http:
            answer = await http.post(
                "/v1/submissions",
                headers={"Authorization": f"Bearer {self.keys[f'lead-{workstream}']}"},
                json={
                    "workstream": workstream,
                    "scope": "partnership",
                    "as_at": "2012-01-20",
                    "reason": reason,
                    "lines": [{"year": year, "amount": amount, "basis": "estimate"}],
                },
            )
        assert answer.status_code == 201, answer.text


@pytest.fixture
async def demonstration(tmp_path: Path) -> AsyncIterator[Demonstration]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "savings", "demo", "--port", str(port), "--directory", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(READY_SECONDS):
            told = b""
            while b"Ready:" not in told:
                said = await process.stdout.readline()
                assert said, told.decode()
                told += said
        yield Demonstration(f"http://127.0.0.1:{port}", json.loads((tmp_path / "keys.json").read_text()))
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await process.communicate()


@pytest.fixture
async def page(browser: Browser, demonstration: Demonstration) -> AsyncIterator[Page]:
    async with looking(browser, demonstration.address) as page:
        yield page


async def test_an_author_reads_traces_publishes_sees_it_move_compares_and_takes_it_away(
    page: Page, demonstration: Demonstration, tmp_path: Path
) -> None:
    # Signs in, and reads the table as it will be printed.
    await sign_in(page, "author-ESX")
    await expect(page.locator(TABLE)).to_contain_text("£83.85m")
    await expect(page.locator(TABLE)).to_contain_text("£6.944m")

    # Opens a figure's history: who stated it, and from where.
    await page.locator(TABLE).get_by_role("link", name="£6m (£6.25m)").click()
    await expect(page.get_by_role("main")).to_contain_text("lead-highways")
    await expect(page.get_by_role("main")).to_contain_text("Workstream workbook")
    assert await violations(page) == []

    # Publishes an edition for the Cabinet's meeting.
    await page.get_by_role("navigation").get_by_role("link", name="Editions").click()
    await page.get_by_role("button", name="Publish an edition").click()
    await page.get_by_label("Name").fill(TITLE)
    meeting = page.get_by_role("group", name="Date of the meeting")
    for part, text in {"Day": "26", "Month": "1", "Year": "2012"}.items():
        await meeting.get_by_label(part).fill(text)
    await page.get_by_role("button", name="Publish").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(TITLE)
    await expect(page.get_by_role("main")).to_contain_text(f"Edition 1: {TITLE} is published.")
    assert await violations(page) == []

    # Sees a return change the draft that is open, and is told.
    await page.goto(f"/tracker?council={EAST_SUSSEX}")
    await expect(page.locator("#live-told")).to_have_text("The figures on this page update themselves.")
    await demonstration.state("highways", "2012/13", "£6.5m", "Two more roads.")
    await expect(page.locator(TABLE)).to_contain_text("£6.5m (£6.75m)")
    await expect(page.locator(TABLE)).to_contain_text("£84.35m")
    await expect(page.locator("#live-told")).to_contain_text("Highways, SE7, 2012/13 is now £6.5m (£6.75m)")

    # Compares the draft with the edition: what moved, by how much, and why.
    await page.get_by_role("navigation").get_by_role("link", name="What changed").click()
    moved = page.get_by_role("main")
    await expect(moved).to_contain_text("+£500k")
    await expect(moved).to_contain_text("Two more roads.")
    assert await violations(page) == []
    await photograph(page, "journey-what-changed")

    # Takes the edition away as Word: the figures published, whatever was stated since.
    await page.goto(f"/tracker?edition=1&council={EAST_SUSSEX}")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Word").first.click()
    file = await download.value
    assert file.suggested_filename == "SE7 savings tracker, Cabinet 26 January 2012, East Sussex.docx"
    await file.save_as(tmp_path / "edition.docx")
    cells = {cell.text for row in docx.Document(str(tmp_path / "edition.docx")).tables[0].rows for cell in row.cells}
    assert {"£83.85m", "£6.944m", "£6m (£6.25m)"} <= cells
    assert "£6.5m (£6.75m)" not in cells
