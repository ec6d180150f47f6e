"""What the PDF says besides the table and the charts: the sentences with their links, and what moved."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pikepdf
import pytest

from services.reporting.changes import KINDS
from services.reporting.exports.imprint import Imprint
from services.reporting.files import PDF
from services.reporting.movement import State, movements_between
from services.reporting.report import Report
from services.reporting.table import Question, build_table
from shared.money import Pence, short_text
from tests.many_councils import figures_of, large_table
from tests.pdf_checking import faults_in, require_pango, right_edges_of, tables_of, text_of
from tests.reporting_figures import EAST_SUSSEX, SE7
from tests.reporting_movements import REASON, SEPTEMBER, moved

ADDRESS = "https://savings.example.test"
IMPRINT = Imprint("Cabinet, 26 January 2012", "Edition 2", date(2011, 12, 7), None, "1f0c" * 16, ("Provisional.",))


@cache
def report() -> Report:
    movements = moved()
    movements = replace(movements, before=replace(movements.before, edition=1, meeting_date=date(2011, 9, 20)))
    table = build_table(SE7, movements.after.posted, (), Question(home=EAST_SUSSEX))
    return Report(table, movements.after.posted, 12, IMPRINT, 2, movements, ADDRESS)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    require_pango()
    path = tmp_path / "report.pdf"
    path.write_bytes(_written())
    return path


@cache
def _written() -> bytes:
    return PDF.write(report())


@pytest.mark.long
def test_the_file_is_pdf_ua_1_links_and_all(made: Path) -> None:
    assert faults_in(made) == []


def test_every_number_of_a_sentence_is_a_link_to_what_it_comes_from(made: Path) -> None:
    link = report().link
    assert link is not None
    wanted = [
        link(part.reference) for sentence in report().narrative for part in sentence.parts if part.reference is not None
    ]
    with pikepdf.open(made) as document:
        found = [
            str(note.A.URI)
            for page in document.pages
            for note in page.get("/Annots", [])
            if note.Subtype == "/Link" and "/A" in note
        ]
    assert sorted(set(found)) == sorted(set(wanted))


def test_the_sentences_and_the_offices_notes_are_printed(made: Path) -> None:
    text = " ".join(text_of(made).split())
    for sentence in report().narrative:
        assert sentence.text in text
    assert "Notes to the edition • Provisional." in text


def test_what_changed_is_a_table_with_the_reasons_under_it(made: Path) -> None:
    found = next(table for table in tables_of(made) if "Movement" in table.texts[0])
    assert found.texts == [
        ["Workstream", "Whose", "Before", *KINDS.values(), "Movement", "After"],
        ["Highways", "SE7", "£35.25m", "–", "–", "£1m", "–", "£1m", "£36.25m"],
        ["Waste", "SE7", "£14m", "–", "–", "–", "£2m", "£2m", "£16m"],
        ["ICT", "SE7", "£32.5m", "–", "–", "-£500k", "–", "-£500k", "£32m"],
        ["Special Educational Needs (SEN)", "SE7", "£0", "£1.6m", "–", "–", "–", "£1.6m", "£1.6m"],
        ["All workstreams", "SE7", "£81.75m", "£1.6m", "–", "£500k", "£2m", "£4.1m", "£85.85m"],
        ["All workstreams", "ESCC", "£6.944m", "–", "–", "–", "–", "–", "£6.944m"],
    ]
    assert {cell.scope for cell in found.rows[0]} == {"/Column"}
    assert {cell.scope for row in found.rows[1:] for cell in row[:2]} == {"/Row"}
    text = text_of(made)
    assert f"What has changed since {SEPTEMBER}" in text
    assert f"Highways, SE7. Corrected: £1m – {REASON}" in text


def test_amounts_written_out_keep_to_the_paper(tmp_path: Path) -> None:
    require_pango()
    table = large_table()
    now = figures_of(table.partnership)
    was = [
        replace(each, figure=replace(each.figure, amount_pence=Pence((each.figure.amount_pence or 0) - 1_000_000)))
        for each in now
    ]
    before = build_table(table.partnership, was, (), table.question)
    movements = movements_between(
        State("Cabinet, 20 September 2011", before, tuple(was), 1, date(2011, 9, 20)),
        State("Cabinet, 26 January 2012", table, tuple(now), 2, date(2012, 1, 26)),
    )
    path = tmp_path / "large.pdf"
    path.write_bytes(PDF.write(Report(table, tuple(now), 12, IMPRINT, 2, movements)))
    edges = right_edges_of(path, short_text(movements.totals[0].new_pence))
    # A4 on its side is 842 points wide, and has a margin of 15 mm.
    assert edges
    assert max(edges) <= 842 - 42
