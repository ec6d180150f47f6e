"""The table taken away: each form at its own address, opened by a program that is not ours."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from docx import Document
from python_calamine import CalamineWorkbook

from savings.demonstration import RETURNS
from savings.loading import read_returns
from tests.deployment import Deployment, deployed

EAST_SUSSEX = "E10000011"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PRINTED = Path("tests/reference/se7-2012-01-26-appendix-1.csv").read_text(encoding="utf-8")


@pytest.fixture
async def january_2012(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        for prepared in read_returns(RETURNS):
            answer = await deployment.post("/v1/submissions", prepared.sent_by, prepared.content)
            assert answer.status_code == 201, answer.text
        await deployment.settle()
        yield deployment


@pytest.mark.parametrize(
    ("suffix", "media_type", "starts"),
    [
        ("docx", WORD, b"PK"),
        ("xlsx", EXCEL, b"PK"),
        ("html", "text/html; charset=utf-8", b"<"),
        ("json", "application/json", b"{"),
    ],
)
async def test_each_form_comes_under_a_name_to_keep_and_is_not_sent_twice(
    january_2012: Deployment, suffix: str, media_type: str, starts: bytes
) -> None:
    answer = await january_2012.get(f"/v1/tracker.{suffix}", "author-ESX", council=EAST_SUSSEX)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == media_type
    assert answer.content.startswith(starts)
    if suffix != "json":
        name = f'filename="SE7 savings tracker, Draft, East Sussex.{suffix}"'
        assert name in answer.headers["content-disposition"]
    again = await january_2012.http.get(
        f"/v1/tracker.{suffix}?council={EAST_SUSSEX}",
        headers={**january_2012.credential("author-ESX"), "If-None-Match": answer.headers["etag"]},
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_the_word_document_has_every_cell_of_the_printed_table(january_2012: Deployment) -> None:
    answer = await january_2012.get("/v1/tracker.docx", "author-ESX", council=EAST_SUSSEX)
    document = Document(io.BytesIO(answer.content))
    table = document.tables[0]
    found = [[cell.text.strip() for cell in row.cells] for row in table.rows][1:]
    printed = [line.split(",") for line in PRINTED.splitlines()[1:]]
    assert [row[2:] for row in found] == [row[2:] for row in printed]
    assert any("Draft" in part.text for section in document.sections for part in section.footer.paragraphs)


async def test_the_workbook_s_totals_are_numbers(january_2012: Deployment) -> None:
    answer = await january_2012.get("/v1/tracker.xlsx", "author-ESX", council=EAST_SUSSEX)
    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_name("Tracker").to_python()
    numbers = [cell for row in rows for cell in row if isinstance(cell, (int, float))]
    assert {83_850_000, 6_944_000} <= set(numbers)


async def test_the_pdf_says_what_it_is(january_2012: Deployment) -> None:
    answer = await january_2012.get("/v1/tracker.pdf", "author-ESX", council=EAST_SUSSEX)
    if answer.status_code == 503:
        # A machine without Pango is told what to install, and all else works.
        assert "libpango" in answer.text
        assert os.environ.get("CI") != "true", "CI must have Pango"
        return
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-")


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        (WORD, WORD),
        (f"text/plain, {EXCEL};q=0.5", EXCEL),
        ("text/csv", "text/csv; charset=utf-8; header=present"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "application/json"),
    ],
)
async def test_one_address_answers_in_the_form_that_is_preferred(
    january_2012: Deployment, accept: str, media_type: str
) -> None:
    headers = {**january_2012.credential("author-ESX"), "Accept": accept}
    answer = await january_2012.http.get("/v1/tracker", headers=headers)
    assert answer.headers["content-type"] == media_type


@pytest.mark.parametrize("suffix", ["docx", "xlsx", "pdf", "html", "json"])
async def test_no_form_shows_another_council_s_share(january_2012: Deployment, suffix: str) -> None:
    answer = await january_2012.get(f"/v1/tracker.{suffix}", "author-KEN", council=EAST_SUSSEX)
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
