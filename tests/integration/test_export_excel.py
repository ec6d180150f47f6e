"""The Excel workbook: numbers that are numbers, shown as printed, and sums that Excel works out to our own figures."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.exports.csv_table import TIDY_COLUMNS
from services.reporting.exports.excel import write_excel
from services.reporting.exports.excel_book import Book, height_of, number_format, shown_parts
from services.reporting.exports.imprint import Imprint
from services.reporting.rows import NO_FIGURE
from services.reporting.table import Question, Table
from shared.money import LIMIT_PENCE, short_text
from tests.opened_elsewhere import converted, text_of_pdf
from tests.reporting_extremes import INJECTIONS, hostile, largest
from tests.reporting_figures import PRINTED, january_2012, table_of
from tests.workbooks import as_shown, parts, require_same_after_recalculation, sheets, without_kept_values

IMPRINT = Imprint(
    "Cabinet, 26 January 2012", "Edition 3", date(2011, 12, 7), datetime(2012, 1, 26, 9, tzinfo=UTC), "1f0c" * 16
)
REFERENCE = list(csv.reader(io.StringIO(PRINTED.decode())))
#: The head of the printed sheet: the rows above the header row.
HEAD = 5
FORMATS = re.compile(r'"(?P<before>[^"]*)"(?P<digits>[#,]*0)(?P<decimals>\.0+)?(?P<thousands>,*)"(?P<after>[^"]*)"')


def printed(cells: list[str]) -> list[str]:
    """A row of the sheet as a row of the printed table: what is new in a year, then the cumulative beside it."""
    name, whose, first, *rest, total = cells
    years = [first, *(" ".join(filter(None, pair)) for pair in zip(rest[::2], rest[1::2], strict=True))]
    return [name, whose, *years, total]


def rendered(pence: int, form: str) -> str:
    """What Excel makes of an amount by such a format; without rounding, for none of ours may need it."""
    match = FORMATS.fullmatch(form.split(";")[pence < 0])
    assert match is not None, form
    decimals = len(match["decimals"] or ".") - 1
    unit = 100 * 1000 ** len(match["thousands"])
    shown, rest = divmod(abs(pence) * 10**decimals, unit)
    assert rest == 0, "it would be rounded"
    whole, part = divmod(shown, 10**decimals)
    digits = f"{whole:,}" if "#" in match["digits"] else str(whole)
    return match["before"] + digits + (f".{part:0{decimals}d}" if decimals else "") + match["after"]


def test_january_2012_as_shown_equals_the_printed_appendix_cell_by_cell(tmp_path: Path) -> None:
    shown = as_shown(without_kept_values(write_excel(table_of(*january_2012()), IMPRINT)), tmp_path)
    assert shown[HEAD] == [
        "Workstream",
        "Whose",
        "2011/12 in year",
        *(f"{year} {words}" for year in ("2012/13", "2013/14", "2014/15") for words in ("in year", "cumulative")),
        "Total",
    ]
    assert [printed(row) for row in shown[HEAD + 1 : HEAD + len(REFERENCE)]] == REFERENCE[1:]


@pytest.mark.parametrize("table", [table_of(*january_2012()), largest(7, 3), table_of()], ids=["2012", "large", "none"])
def test_numbers_are_numbers_and_kept_values_are_ours_to_the_penny(table: Table) -> None:
    rows = sheets(write_excel(table, IMPRINT))["Tracker"][HEAD + 1 :]
    for row, cells in zip(table.rows, rows, strict=False):
        assert cells[:2] == [row.workstream.name, row.label]
        for place, cell in enumerate(row.cells):
            new, cumulative = (cells[2], "") if place == 0 else cells[1 + 2 * place : 3 + 2 * place]
            if cell.in_year_pence:
                assert round(new * 100) == cell.in_year_pence
            else:
                assert new == cell.text.partition("(")[0].strip()
            assert (cumulative != "") == ("(" in cell.text)
            if cumulative != "":
                assert round(cumulative * 100) == cell.cumulative_pence
        assert cells[-1] == NO_FIGURE if row.total.text == NO_FIGURE else round(cells[-1] * 100) == row.total.pence
    for total, cells in zip(table.totals, rows[len(table.rows) :], strict=False):
        assert cells[-1] == NO_FIGURE if total.total.text == NO_FIGURE else round(cells[-1] * 100) == total.total.pence


@pytest.mark.parametrize("table", [table_of(*january_2012()), largest(7, 3), table_of()], ids=["2012", "large", "none"])
def test_a_recalculation_in_libreoffice_comes_to_the_same_figures(table: Table, tmp_path: Path) -> None:
    require_same_after_recalculation(write_excel(table, IMPRINT), tmp_path)


def test_cumulatives_and_totals_are_formulas() -> None:
    sheet = parts(write_excel(table_of(*january_2012()), IMPRINT))["xl/worksheets/sheet1.xml"]
    formulas = dict(re.findall(r'<c r="(\w+)"[^>]*><f>([^<]*)</f>', sheet))
    assert formulas["E7"] == "SUM(C7,D7)"
    assert formulas["I7"] == "SUM(C7,D7,F7,H7)"
    assert formulas["J7"] == "SUM(C7,D7,F7,H7)"
    assert formulas["J19"] == "SUM(J7,J9,J11,J13,J15,J17)"
    assert formulas["J20"] == "SUM(J8,J10,J12,J14,J16,J18)"


def test_another_figure_in_a_year_moves_the_totals(tmp_path: Path) -> None:
    content = write_excel(table_of(*january_2012()), IMPRINT)
    moved = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(without_kept_values(content))) as file, zipfile.ZipFile(moved, "w") as written:
        for name in file.namelist():
            part = file.read(name)
            if name == "xl/worksheets/sheet1.xml":
                assert b"<v>250000</v>" in part
                part = part.replace(b"<v>250000</v>", b"<v>1250000</v>", 1)
            written.writestr(name, part)
    rows = sheets(converted(moved.getvalue(), ".xlsx", "xlsx", tmp_path).read_bytes())["Tracker"]
    assert rows[HEAD + 1][-1] == 37_250_000
    assert rows[HEAD + 13][-1] == 84_850_000


def test_the_data_sheet_is_the_tidy_form() -> None:
    table = table_of(*january_2012())
    header, *rows = sheets(write_excel(table, IMPRINT))["Data"]
    assert header == list(TIDY_COLUMNS)
    assert rows[1] == [
        "se7",
        "highways",
        "Highways",
        "partnership",
        "South East 7",
        "2012/13",
        6_000_000.0,
        6_250_000.0,
        "quantified",
        "estimate",
        "£6m (£6.25m)",
    ]
    assert rows[4][6:9] == ["", "", "not_stated"]
    assert len(rows) == len(table.rows) * len(table.years)


def test_notes_projections_and_proof_are_there() -> None:
    table = table_of(*january_2012())
    rows = sheets(write_excel(table, IMPRINT))["Notes and proof"]
    firsts = [row[0] for row in rows]
    for note in table.notes:
        assert note.text in firsts
    assert ["Short term", 100_000_000.0] in [row[:2] for row in rows]
    assert [
        "Commodities Procurement",
        2_000.0,
        -2_000.0,
        "not stated",
        "Adds up; shares without a partnership figure",
    ] in rows
    assert ["All workstreams", 6_944_000.0, 76_906_000.0, 83_850_000.0, "Adds up"] in rows
    assert ["SE7", 83_850_000.0, 83_850_000.0, "They are equal", ""] in rows
    assert ["2014/15", 27_800_000.0, 83_850_000.0, 2_250_000.0, 6_944_000.0] in rows


def test_sums_that_do_not_add_up_are_called_out() -> None:
    table = table_of(*january_2012())
    spoilt = replace(table.proof.additions[0], total_pence=table.proof.additions[0].total_pence + 1)
    content = write_excel(replace(table, proof=replace(table.proof, additions=(spoilt,))), IMPRINT)
    found = sheets(content)
    assert any(str(row[0]).startswith("The sums of this table do not add up.") for row in found["Tracker"])
    assert ["SE7", 83_850_000.0, 83_850_000.01, "They are not equal", ""] in found["Notes and proof"]


@given(
    st.integers(-LIMIT_PENCE + 1, LIMIT_PENCE - 1) | st.integers(-(10**6), 10**6).map(lambda each: each * 10_000_000)
)
def test_a_number_format_shows_an_amount_exactly_as_it_is_printed(pence: int) -> None:
    assert rendered(pence, number_format(pence)) == short_text(pence)
    assert rendered(pence, number_format(pence, brackets=True)) == f"({short_text(pence)})"


def test_libreoffice_shows_amounts_as_they_are_printed(tmp_path: Path) -> None:
    amounts = [
        *(
            sign * unit * figure
            for sign in (1, -1)
            for unit in (1, 10, 10**5, 10**8, 10**11)
            for figure in (1, 25, 999)
        ),
        *(0, 123, 99_999, 100_000, 123_400, 123_456, 99_999_900, 625_000_000, 116_900_000, 123_456_789, 10**13),
    ]
    book = Book(IMPRINT, {})
    sheet = book.sheet("Amounts", columns=(30, 30), header_row=0)
    for row, pence in enumerate(amounts):
        book.amount(sheet, row, 0, pence, {})
        book.amount(sheet, row, 1, pence, {}, brackets=True)
    assert as_shown(book.finished(), tmp_path) == [[short_text(pence), f"({short_text(pence)})"] for pence in amounts]


@pytest.mark.parametrize("text", INJECTIONS)
def test_whatever_is_written_in_a_text_stays_a_text(text: str) -> None:
    content = write_excel(hostile(text), Imprint(text, text, digest=text))
    kept = re.sub("[\x00-\x1f\ufffe\ud800]", "\ufffd", text)
    found = sheets(content)
    assert found["Tracker"][HEAD + 1][:2] == [kept, kept]
    assert found["Data"][1][2] == kept
    assert found["Tracker"][HEAD + 5][2] == 1_000_000.0
    for name, part in parts(content).items():
        if name.startswith("xl/worksheets/sheet"):
            for formula in re.findall(r"<f>([^<]*)</f>", part):
                assert re.match(r"(SUM|IF|N|SUMPRODUCT)\(", formula), formula
                assert "evil" not in formula
                assert "cmd" not in formula
        assert 'TargetMode="External"' not in part


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_text_that_looks_like_a_formula_stays_one_when_it_is_edited(text: str) -> None:
    """Excel reads a cell anew when someone edits it, unless its format says that it was quoted."""
    content = parts(write_excel(hostile(text), IMPRINT))
    style = re.search(r'<c r="A7" s="(\d+)"', content["xl/worksheets/sheet1.xml"])
    assert style is not None
    styles = content["xl/styles.xml"]
    formats = re.findall(r"<xf [^>]*>", styles[styles.index("<cellXfs") : styles.index("</cellXfs>")])
    assert ('quotePrefix="1"' in formats[int(style[1])]) == (text[0] in "=+-@")


def test_the_head_and_foot_of_a_page_state_edition_as_at_and_hash() -> None:
    for name, part in parts(write_excel(table_of(*january_2012()), IMPRINT)).items():
        if name.startswith("xl/worksheets/sheet"):
            assert "Cabinet, 26 January 2012 (Edition 3), as at 7 December 2011, known at 26 January 2012" in part
            assert f"SHA-256 {'1f0c' * 16}&amp;R&amp;8 Page &amp;P of &amp;N</oddFooter>" in part


def test_a_long_title_with_an_ampersand_still_makes_a_page_head() -> None:
    imprint = Imprint("Cabinet & Scrutiny &G " * 20, "Edition 4", digest="ab" * 32)
    sheet = parts(write_excel(table_of(), imprint))["xl/worksheets/sheet1.xml"]
    assert "&amp;L&amp;8 Cabinet and Scrutiny andG Cabinet" in sheet
    assert f"SHA-256 {'ab' * 32}" in sheet


def test_each_sheet_prints_on_its_side_as_wide_as_the_paper_with_its_header_on_every_page() -> None:
    content = parts(write_excel(table_of(*january_2012()), IMPRINT))
    for number in range(1, 6):
        sheet = content[f"xl/worksheets/sheet{number}.xml"]
        assert 'orientation="landscape"' in sheet
        assert 'fitToHeight="0"' in sheet
    names = dict(re.findall(r'<definedName name="([^"]+)"[^>]*>([^<]*)<', content["xl/workbook.xml"]))
    assert "Tracker!$6:$6" in content["xl/workbook.xml"]
    data = re.search(r'ref="A1:([A-Z]+)([0-9]+)"', content["xl/tables/table2.xml"])
    assert data is not None
    areas = re.findall(r'name="_xlnm.Print_Area"[^>]*>([^<]*)<', content["xl/workbook.xml"])
    assert f"Data!$A$1:${data[1]}${data[2]}" in areas, "or a blank page is printed after the last row"
    assert names["Partnership_total"] == "Tracker!$J$19"
    assert names["Home_total"] == "Tracker!$J$20"
    assert '<pane xSplit="2" ySplit="6"' in content["xl/worksheets/sheet1.xml"]
    assert '<pane ySplit="1"' in content["xl/worksheets/sheet2.xml"]


def test_a_reader_who_does_not_see_is_told_the_title_and_what_each_table_is() -> None:
    content = parts(write_excel(table_of(*january_2012()), IMPRINT))
    assert (
        "<dc:title>South East 7 savings tracker: East Sussex County Council</dc:title>" in content["docProps/core.xml"]
    )
    described = re.search(r'altTextSummary="([^"]*)"', content["xl/tables/table1.xml"])
    assert described is not None
    assert "SE7 £83.85m and ESCC £6.944m" in described[1]
    merged = re.findall(r'<mergeCell ref="A(\d+):', content["xl/worksheets/sheet1.xml"])
    assert min(map(int, merged)) > 20, "nothing is merged but the notes below the table"
    assert "<mergeCell" not in content["xl/worksheets/sheet2.xml"] + content["xl/worksheets/sheet3.xml"]


def test_the_same_table_is_the_same_bytes_in_any_thread() -> None:
    table = table_of(*january_2012())
    with ThreadPoolExecutor(4) as pool:
        written = set(pool.map(lambda _: write_excel(table, IMPRINT), range(8)))
    assert len(written) == 1
    assert "2012-01-26T09:00:00Z" in parts(written.pop())["docProps/core.xml"]


def test_a_table_without_a_home_council_has_the_partnerships_rows_alone() -> None:
    rows = sheets(write_excel(table_of(*january_2012(), question=Question()), IMPRINT))["Tracker"]
    assert [row[1] for row in rows[HEAD + 1 : HEAD + 8]] == ["SE7"] * 7
    assert rows[1][0] == "All councils"


def test_the_largest_table_prints_every_amount_whole(tmp_path: Path) -> None:
    table = largest(years="2018/19")
    text = text_of_pdf(converted(write_excel(table, IMPRINT), ".xlsx", "pdf", tmp_path))
    assert "###" not in text
    for row in table.rows:
        assert row.total.text in text
        for cell in row.cells:
            assert cell.text.partition(" ")[0] in text


def test_a_text_too_long_for_a_row_goes_on_in_the_next() -> None:
    text = "Highways and Waste, " * 400
    shown = shown_parts(text)
    assert len(shown) > 4
    assert " ".join(shown).split() == text.split()
    assert height_of([(text[:1800], 84)]) < 409


def test_there_are_no_more_than_255_arguments_to_a_sum() -> None:
    sheet = parts(write_excel(largest(3, 300), IMPRINT))["xl/worksheets/sheet1.xml"]
    totals = [formula for formula in re.findall(r"<f>([^<]*)</f>", sheet) if ")+SUM(" in formula]
    assert len(totals) == 2
    assert max(group.count(",") + 1 for formula in totals for group in formula.split("+")) == 200
