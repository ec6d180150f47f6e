"""Writing a sheet from the top down: headings, paragraphs, and small tables under each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from xlsxwriter.utility import xl_rowcol_to_cell
from xlsxwriter.worksheet import Worksheet

from services.reporting.exports.excel_book import (
    CELL,
    HEADER,
    HEADING,
    RIGHT,
    WRAPPED,
    Book,
    height_of,
    shown_parts,
)


class Lines:
    """Where the next line is written. ``widths`` are those of the sheet's columns."""

    def __init__(self, book: Book, sheet: Worksheet, row: int, widths: Sequence[float]) -> None:
        self.book, self.sheet, self.row, self._widths = book, sheet, row, widths

    def heading(self, text: str) -> None:
        self.row += 1
        self.book.text(self.sheet, self.row, 0, text, HEADING)
        self.row += 1

    def paragraph(self, text: str) -> None:
        for part in shown_parts(text):
            self.sheet.set_row(self.row, height_of([(part, self._widths[0])]))
            self.book.text(self.sheet, self.row, 0, part, WRAPPED)
            self.row += 1

    def header(self, *texts: str, amounts: Sequence[int] = ()) -> None:
        self.sheet.set_row(self.row, height_of(zip(texts, self._widths, strict=False)))
        for column, text in enumerate(texts):
            self.text(column, text, {**HEADER, **(RIGHT if column in amounts else {})})
        self.row += 1

    def high_enough_for(self, *texts: str) -> None:
        """For the texts of the row, from the first column on."""
        self.sheet.set_row(self.row, height_of(zip(texts, self._widths, strict=False)))

    def text(self, column: int, text: str, form: Mapping[str, Any] = CELL) -> None:
        self.book.text(self.sheet, self.row, column, text, form)

    def amount(
        self,
        column: int,
        pence: int,
        form: Mapping[str, Any] = CELL,
        *,
        formula: str | None = None,
        is_movement: bool = False,
    ) -> None:
        """An amount; one of a movement shows nothing as a dash."""
        self.book.amount(self.sheet, self.row, column, pence, form, formula=formula, is_movement=is_movement)

    def count(self, column: int, number: int, form: Mapping[str, Any] = CELL, *, formula: str) -> None:
        """A whole number that a formula comes to."""
        self.sheet.write_formula(self.row, column, formula, self.book.form({**form, **RIGHT}), number)

    def day(self, column: int, day: date | None, form: Mapping[str, Any] = CELL) -> None:
        """A day as Excel keeps one; nothing where there is none."""
        drawn = self.book.form({**form, "num_format": "d mmmm yyyy", "align": "left"})
        if day is None:
            self.sheet.write_blank(self.row, column, None, drawn)
        else:
            self.sheet.write_datetime(self.row, column, day, drawn)

    def words(self, column: int, formula: str, text: str, form: Mapping[str, Any] = CELL) -> None:
        """A formula that comes to words."""
        self.sheet.write_formula(self.row, column, formula, self.book.form(form), text)

    def cell(self, column: int, row: int | None = None) -> str:
        return str(xl_rowcol_to_cell(self.row if row is None else row, column))
