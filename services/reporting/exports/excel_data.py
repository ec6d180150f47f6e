"""The tidy sheet of the workbook: a row for each workstream, scope and year, as in the CSV."""

from __future__ import annotations

from collections.abc import Mapping

from xlsxwriter.utility import xl_range_abs, xl_rowcol_to_cell

from services.reporting.exports.csv_table import TIDY_COLUMNS, tidy_texts
from services.reporting.exports.excel_book import CELL, RIGHT, Book, height_of, number_of, width_of
from services.reporting.table import Table


def write_data(book: Book, table: Table) -> Mapping[str, str]:
    """Add the sheet; returns the range of each column."""
    texts = [(row, cell, tidy_texts(table, row, cell)) for row in table.rows for cell in row.cells]
    widths = [
        width_of(column, least=8, most=44)
        for column in zip(TIDY_COLUMNS, *(written for _, _, written in texts), strict=True)
    ]
    sheet = book.sheet("Data", columns=widths, header_row=0)
    last_row = len(texts)
    describes = "One row for each workstream, scope and year. Amounts are pounds; empty where none is stated."
    in_year, cumulative = TIDY_COLUMNS.index("in_year"), TIDY_COLUMNS.index("cumulative")
    corners = (0, 0, last_row, len(TIDY_COLUMNS) - 1)
    book.declare(sheet, "Tracker_data", corners, TIDY_COLUMNS, describes, (in_year, cumulative), filters=True)
    amount = book.form({**CELL, **RIGHT, "num_format": "#,##0.00"})
    for at, (row, cell, written) in enumerate(texts, start=1):
        sheet.set_row(at, height_of(zip(written, widths, strict=True)))
        for column, text in enumerate(written):
            if column not in (in_year, cumulative):
                book.text(sheet, at, column, text, CELL)
        first = at - row.cells.index(cell)
        for column, pence in ((in_year, cell.in_year_pence), (cumulative, cell.cumulative_pence)):
            if pence is None:
                sheet.write_blank(at, column, None, amount)
            elif column == in_year:
                sheet.write_number(at, column, number_of(pence), amount)
            else:
                formula = f"=SUM({xl_rowcol_to_cell(first, in_year)}:{xl_rowcol_to_cell(at, in_year)})"
                sheet.write_formula(at, column, formula, amount, number_of(pence))
    # A cumulative starts anew with each row of the table: to Excel that looks like a slip.
    sheet.ignore_errors({"formula_differs": xl_range_abs(1, cumulative, last_row, cumulative).replace("$", "")})
    sheet.freeze_panes(1, 0)
    sheet.print_area(*corners)
    return {name: f"Data!{xl_range_abs(1, column, last_row, column)}" for column, name in enumerate(TIDY_COLUMNS)}
