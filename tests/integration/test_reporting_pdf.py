"""The table as PDF, read back by other programs: its text, its tags, and whether it is PDF/UA-1."""

from __future__ import annotations

import builtins
import csv
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pikepdf
import pytest

from services.reporting.charts import charts_of, figures_by_basis
from services.reporting.exports import pdf
from services.reporting.exports.imprint import Imprint
from services.reporting.exports.pdf import MissingPart, pdf_of, write_pdf
from services.reporting.exports.pictures import ChartPicture, draw_chart
from services.reporting.narrative import narrative_starter
from services.reporting.rows import Posted
from services.reporting.table import Question, Table, build_table
from shared.errors import Unavailable
from shared.figures import PARTNERSHIP
from shared.money import short_text
from tests.many_councils import figures_of, large_table, many_councils
from tests.pdf_checking import as_printed, facts_of, faults_in, require_pango, tables_of, text_of
from tests.reporting_figures import PRINTED, SE7, january_2012, table_of

EDITION = Imprint(
    "Cabinet, 26 January 2012", "Edition 1", date(2011, 12, 7), datetime(2012, 1, 26, 17, tzinfo=UTC), "0123abcd" * 8
)


@pytest.fixture(autouse=True)
def _pango(request: pytest.FixtureRequest) -> None:
    if "without_pango" not in request.node.name:
        require_pango()


def pictures_of(table: Table, figures: list[Posted]) -> list[ChartPicture]:
    return [draw_chart(chart) for chart in charts_of(table, figures_by_basis(table, figures, PARTNERSHIP))]


def made(table: Table, figures: list[Posted]) -> bytes:
    return pdf_of(table, EDITION, version=12, pictures=pictures_of(table, figures), narrative=narrative_starter(table))


@cache
def january() -> bytes:
    return made(table_of(*january_2012()), january_2012())


@cache
def large() -> bytes:
    partnership = many_councils()
    return made(large_table(partnership), figures_of(partnership))


@pytest.fixture
def january_file(tmp_path: Path) -> Path:
    path = tmp_path / "january.pdf"
    path.write_bytes(january())
    return path


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    path = tmp_path / "large.pdf"
    path.write_bytes(large())
    return path


def test_every_figure_of_the_printed_table_is_in_its_cell(january_file: Path) -> None:
    table = tables_of(january_file)[0]
    assert as_printed(table) == list(csv.reader(PRINTED.decode().splitlines()))[1:]
    text = text_of(january_file)
    for row in csv.reader(PRINTED.decode().splitlines()):
        assert all(cell in text for cell in row)


def test_every_amount_is_told_with_its_year_its_workstream_and_whose_it_is(january_file: Path) -> None:
    table = tables_of(january_file)[0]
    years = [cell.text for cell in table.rows[0]]
    name = ""
    for row in table.rows[1:]:
        name = row[0].text if row[0].rows > 1 else name
        label = next(cell.text for cell in reversed(row) if cell.kind == "TH")
        amounts = [cell for cell in row if cell.kind == "TD"]
        assert [cell.headers for cell in amounts] == [[year, name, label] for year in years[2:]]


@pytest.mark.parametrize("content", [january, large], ids=["january 2012", "74 councils"])
def test_every_header_cell_says_what_it_is_about(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "table.pdf"
    path.write_bytes(content())
    tables = tables_of(path)
    assert len(tables) >= 5
    for table in tables:
        assert {cell.scope for cell in table.rows[0]} == {"/Column"}
        assert {cell.scope for row in table.rows[1:] for cell in row if cell.kind == "TH"} == {"/Row"}
        assert all(row[0].kind == "TH" for row in table.rows)


def test_the_document_has_a_title_a_language_and_says_that_it_is_accessible(january_file: Path) -> None:
    facts = facts_of(january_file)
    assert facts["Title"].startswith("South East 7 savings tracker, East Sussex County Council: Cabinet, 26 January")
    assert "SHA-256 0123abcd" in facts["Subject"]
    assert (facts["Tagged"], facts["PDF version"]) == ("yes", "1.7")
    assert facts["Page size"] == "841.89 x 595.276 pts (A4)"
    with pikepdf.open(january_file) as document:
        assert str(document.Root.Lang) == "en-GB"
        assert document.Root.ViewerPreferences.DisplayDocTitle
        assert document.open_metadata()["pdfuaid:part"] == "1"


@pytest.mark.long
@pytest.mark.parametrize("content", [january, large], ids=["january 2012", "74 councils"])
def test_the_file_is_pdf_ua_1(content: Any, tmp_path: Path) -> None:
    path = tmp_path / "checked.pdf"
    path.write_bytes(content())
    assert faults_in(path) == []


def test_each_chart_is_one_figure_with_its_words(january_file: Path) -> None:
    table = table_of(*january_2012())
    with pikepdf.open(january_file) as document:
        told = [
            str(each.Alt)
            for each in document.objects
            if isinstance(each, pikepdf.Dictionary) and each.get("/S") == "/Figure"
        ]
    assert told == [picture.alternative_text for picture in pictures_of(table, january_2012())]


def test_the_figures_of_each_chart_stand_beside_it(january_file: Path) -> None:
    table = table_of(*january_2012())
    shown = [each.texts for each in tables_of(january_file)]
    for picture in pictures_of(table, january_2012()):
        rows = [[row.label, *(cell.text for cell in row.cells)] for row in picture.data.rows]
        assert [list(picture.data.columns), *rows] in shown


def test_each_page_states_what_it_was_made_from_and_its_number(january_file: Path) -> None:
    pages = text_of(january_file).rstrip("\f").split("\f")
    assert len(pages) == int(facts_of(january_file)["Pages"])
    for number, page in enumerate(pages, start=1):
        assert "Cabinet, 26 January 2012 (Edition 1), as at 7 December 2011" in page
        assert f"SHA-256 {'0123abcd' * 8}" in page
        assert f"Page {number} of {len(pages)}" in page


def test_a_table_that_goes_on_over_the_page_is_headed_again_and_totalled_once(large_file: Path) -> None:
    tables = [table for table in tables_of(large_file) if table.texts[0][:2] == ["Workstream", "Whose"]]
    assert len(tables) == 2
    assert tables[0].texts[0] == tables[1].texts[0]
    total = large_table().totals[0].total.text
    assert [sum(total in row for row in table.texts) for table in tables] == [0, 1]
    names = [row[0].text for table in tables for row in table.rows[1:] if row[0].rows > 1]
    assert names == [*(each.name for each in many_councils().workstreams), "Total potential savings"]


def test_all_of_74_councils_are_there(large_file: Path) -> None:
    text = " ".join(text_of(large_file).split())
    for council in many_councils().councils:
        assert council.name in text
    home = large_table().totals[1].total.pence
    assert home is not None
    assert short_text(home) in text


def test_the_same_table_is_the_same_bytes_in_any_thread() -> None:
    table, figures = table_of(*january_2012()), january_2012()
    with ThreadPoolExecutor(2) as threads:
        written = list(threads.map(lambda _: made(table, figures), range(2)))
    assert written == [january(), january()]


def test_a_name_is_text_whatever_it_holds(tmp_path: Path) -> None:
    hostile = '<img src="https://example.test/x.png"> & "more"'
    named = SE7.workstreams[0].model_copy(update={"name": hostile})
    partnership = SE7.model_copy(update={"workstreams": (named, *SE7.workstreams[1:])})
    path = tmp_path / "hostile.pdf"
    path.write_bytes(pdf_of(build_table(partnership, [], (), Question()), EDITION, version=0))
    # It goes on in other lines where it is too long for its column.
    assert "".join(tables_of(path)[0].texts[1][0].split()) == "".join(hostile.split())


def test_nothing_is_fetched_and_a_picture_that_is_not_given_is_an_error() -> None:
    for address in ("chart:other", "https://example.test/x.png", "file:///etc/passwd", "/static/icon.svg"):
        html = f'<html lang="en-GB"><title>T</title><img src="{address}" alt="A picture">'
        with pytest.raises(MissingPart):
            write_pdf(html, EDITION, {})


def test_without_pango_everything_else_works_and_a_pdf_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0'")
        return real(name, *arguments, **named)

    monkeypatch.delitem(sys.modules, "weasyprint", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    pdf.load.cache_clear()
    with pytest.raises(Unavailable, match="Pango") as raised:
        pdf_of(table_of(), EDITION, version=0)
    assert raised.value.fix is not None
    assert "libpango-1.0-0" in raised.value.fix
    monkeypatch.undo()
    pdf.load.cache_clear()
