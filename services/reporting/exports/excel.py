"""The table as an Excel workbook: the printed sheet, the data, what moved, who has reported, the notes and the proof.

Amounts are numbers of pounds; cumulatives, movements and totals are formulas whose kept values are the table's own.
Uses the processor, no network and no clock; safe in any thread. The same table and imprint give the same bytes.
"""

from __future__ import annotations

from typing import Final

from services.reporting.exports.excel_book import Book
from services.reporting.exports.excel_coverage import write_coverage
from services.reporting.exports.excel_data import write_data
from services.reporting.exports.excel_movements import write_movements
from services.reporting.exports.excel_notes import Places, write_notes
from services.reporting.exports.excel_tracker import write_tracker
from services.reporting.exports.imprint import Imprint
from services.reporting.exports.word_tags import description_of
from services.reporting.movement import Movements
from services.reporting.table import Table

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def write_excel(table: Table, imprint: Imprint, movements: Movements | None = None) -> bytes:
    """The table as an ``.xlsx``; ``movements`` are those since the edition before, where there is one."""
    book = Book(
        imprint,
        {
            "title": f"{table.title}: {table.home.name}" if table.home else table.title,
            "subject": f"{table.caption}, {table.years[0]} to {table.years[-1]}",
            "author": table.partnership.name,
            "comments": description_of(table),
        },
    )
    places = Places(write_tracker(book, table, imprint), write_data(book, table))
    write_movements(book, table, movements, places)
    write_coverage(book, table)
    write_notes(book, table, places)
    return book.finished()
