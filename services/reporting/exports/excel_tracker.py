"""The printed sheet of the workbook: the table as the report prints it, its sums worked out in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from services.reporting.exports.excel_book import (
    CELL,
    HEADING,
    QUIET,
    RIGHT,
    TITLE,
    WRAPPED,
    Book,
    height_of,
    shown_parts,
    width_of,
)
from services.reporting.exports.excel_coverage import NAME as COVERAGE
from services.reporting.exports.excel_movements import NAME as MOVEMENTS
from services.reporting.exports.excel_notes import NAME as NOTES
from services.reporting.exports.greys import HOME_GREY, INK, PARTNERSHIP_GREY
from services.reporting.exports.imprint import Imprint
from services.reporting.exports.word_tags import description_of
from services.reporting.rows import NO_FIGURE, Row, Total, TotalRow
from services.reporting.table import Table
from shared.figures import Scope

_HEADER_ROW: Final = 5


@dataclass(frozen=True, slots=True)
class _Grid:
    """Which column holds what. A year has a column for what is new in it and, but for the first, for the cumulative."""

    in_year: tuple[int, ...]
    total: int

    @classmethod
    def of(cls, table: Table) -> _Grid:
        in_year = tuple(2 if place == 0 else 1 + 2 * place for place in range(len(table.years)))
        return cls(in_year, 2 * len(table.years) + 1)

    def sum_of_years(self, row: int, last: int) -> str:
        """What the years up to the one at ``last`` come to; a text among them counts as nothing."""
        return f"=SUM({','.join(xl_rowcol_to_cell(row, column) for column in self.in_year[: last + 1])})"


def write_tracker(book: Book, table: Table, imprint: Imprint) -> Mapping[tuple[str | None, Scope], str]:
    """The printed sheet; returns the cells of its last column."""
    name, grid = "Tracker", _Grid.of(table)
    widths = _widths(table, grid)
    sheet = book.sheet(name, columns=widths, header_row=_HEADER_ROW)
    book.text(sheet, 0, 0, table.title, TITLE)
    book.text(sheet, 1, 0, table.home.name if table.home else "All councils", HEADING)
    book.text(sheet, 2, 0, f"{table.caption}, {table.years[0]} to {table.years[-1]}", HEADING)
    book.text(sheet, 3, 0, imprint.text, QUIET)
    book.text(sheet, 4, 0, imprint.digest_text, QUIET)
    headers = _headers(table, grid)
    last_row = _HEADER_ROW + len(table.rows) + len(table.totals)
    amounts = range(2, grid.total + 1)
    corners = (_HEADER_ROW, 0, last_row, grid.total)
    book.declare(sheet, "Tracker_table", corners, headers, description_of(table), amounts)
    sheet.set_row(_HEADER_ROW, height_of(zip(headers, widths, strict=True)))
    places: dict[tuple[str | None, Scope], str] = {}
    row_of_scope: dict[Scope, list[int]] = {}
    at = _HEADER_ROW
    for row in table.rows:
        at += 1
        sheet.set_row(at, height_of([(row.workstream.name, widths[0]), (row.label, widths[1])]))
        _write_row(book, sheet, at, row, grid)
        places[row.workstream.code, row.scope] = f"{name}!{xl_rowcol_to_cell(at, grid.total, True, True)}"
        row_of_scope.setdefault(row.scope, []).append(at)
    for total in table.totals:
        at += 1
        sheet.set_row(at, height_of([(total.title, widths[0]), (total.label, widths[1])]))
        _write_total(book, sheet, at, total, grid, row_of_scope[total.scope])
        places[None, total.scope] = f"{name}!{xl_rowcol_to_cell(at, grid.total, True, True)}"
        kind = "Partnership" if total.is_partnership else "Home"
        book.workbook.define_name(f"{kind}_total", f"={places[None, total.scope]}")
    at = _write_under(book, sheet, at + 2, table, grid, sum(widths))
    sheet.freeze_panes(_HEADER_ROW + 1, 2)
    sheet.print_area(0, 0, at, grid.total)
    return places


def _headers(table: Table, grid: _Grid) -> list[str]:
    headers = ["Workstream", "Whose"]
    for place, year in enumerate(table.years):
        headers += [f"{year} in year"] if place == 0 else [f"{year} in year", f"{year} cumulative"]
    return [*headers, "Total"]


def _widths(table: Table, grid: _Grid) -> list[float]:
    """Wide enough for every amount, or a program shows ``###`` for it."""
    of_column: dict[int, list[str]] = {column: [] for column in range(2, grid.total + 1)}
    for row in table.rows:
        for cell, column in zip(row.cells, grid.in_year, strict=True):
            new, in_brackets, cumulative = cell.text.partition("(")
            of_column[column].append(new.strip())
            if in_brackets:
                of_column[column + 1].append(in_brackets + cumulative)
        of_column[grid.total].append(row.total.text)
    of_column[grid.total].extend(total.total.text for total in table.totals)
    return [
        width_of([row.workstream.name for row in table.rows], least=24, most=40),
        width_of([row.label for row in table.rows], least=8, most=16),
        *(width_of(texts, least=13, most=40) for texts in of_column.values()),
    ]


def _write_row(book: Book, sheet: Worksheet, at: int, row: Row, grid: _Grid) -> None:
    ground = _ground(row.is_partnership)
    book.text(sheet, at, 0, row.workstream.name, {**ground, "bold": row.is_partnership})
    book.text(sheet, at, 1, row.label, ground)
    for place, (cell, column) in enumerate(zip(row.cells, grid.in_year, strict=True)):
        new, in_brackets, _ = cell.text.partition("(")
        if cell.in_year_pence and new:
            book.amount(sheet, at, column, cell.in_year_pence, ground)
        else:
            book.text(sheet, at, column, new.strip(), {**ground, **RIGHT})
        if in_brackets and cell.cumulative_pence is not None:
            formula = grid.sum_of_years(at, place)
            book.amount(sheet, at, column + 1, cell.cumulative_pence, ground, formula=formula, brackets=True)
        elif place > 0:
            sheet.write_blank(at, column + 1, None, book.form(ground))
    _write_sum(book, sheet, at, grid, row.total, grid.sum_of_years(at, len(row.cells) - 1), {**ground, "bold": True})


def _write_total(book: Book, sheet: Worksheet, at: int, total: TotalRow, grid: _Grid, rows: Sequence[int]) -> None:
    ground = {**_ground(total.is_partnership), "bold": True}
    book.text(sheet, at, 0, total.title, ground)
    book.text(sheet, at, 1, total.label, ground)
    for column in range(2, grid.total):
        sheet.write_blank(at, column, None, book.form(ground))
    cells = [xl_rowcol_to_cell(row, grid.total) for row in rows]
    # A function takes no more than 255 arguments.
    groups = [f"SUM({','.join(cells[start : start + 200])})" for start in range(0, len(cells), 200)]
    _write_sum(book, sheet, at, grid, total.total, f"={'+'.join(groups)}", ground)


def _write_sum(
    book: Book, sheet: Worksheet, at: int, grid: _Grid, total: Total, formula: str, form: Mapping[str, Any]
) -> None:
    if total.pence is None or total.text == NO_FIGURE:
        book.text(sheet, at, grid.total, total.text, {**form, **RIGHT})
    else:
        book.amount(sheet, at, grid.total, total.pence, form, formula=formula)


def _write_under(book: Book, sheet: Worksheet, at: int, table: Table, grid: _Grid, letters: float) -> int:
    """The notes, each across the whole table: below it no merged cell stands in anybody's way. Returns the last row."""
    texts = [note.text for note in table.notes]
    if not table.proof.holds:
        texts.insert(0, "The sums of this table do not add up. Do not use it; the arithmetic proof says where.")
    texts.append(
        f"What has changed stands on the sheet “{MOVEMENTS}”, who has reported on “{COVERAGE}”, projections and the "
        f"arithmetic proof on “{NOTES}”."
    )
    for text in [part for whole in texts for part in shown_parts(whole)]:
        sheet.merge_range(at, 0, at, grid.total, "", book.form(WRAPPED))
        book.text(sheet, at, 0, text, WRAPPED)
        sheet.set_row(at, height_of([(text, letters)]))
        at += 1
    return at


def _ground(is_partnership: bool) -> dict[str, Any]:
    """The grey of a row, and a dark line above each workstream's first."""
    if is_partnership:
        return {**CELL, "bg_color": f"#{PARTNERSHIP_GREY}", "top_color": f"#{INK}"}
    return {**CELL, "bg_color": f"#{HOME_GREY}"}
