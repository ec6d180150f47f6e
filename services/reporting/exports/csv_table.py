"""The tracker table as CSV: UTF-8 with no byte order mark, commas, lines that end in LF, quotes where needed. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from services.reporting.rows import Cell, Row
from services.reporting.table import Table
from shared.money import pounds

TIDY_COLUMNS = (
    "partnership",
    "workstream_code",
    "workstream",
    "scope",
    "scope_name",
    "year",
    "in_year",
    "cumulative",
    "status",
    "basis",
    "printed",
)
#: The others hold amounts, codes of the country's and set phrases: ``-50000.00`` stays a number.
_WRITTEN_FREELY = frozenset(("partnership", "workstream_code", "workstream", "scope_name"))


def printed_csv(table: Table) -> bytes:
    """The columns and the text of the printed table, as in ``se7-2012-01-26-appendix-1.csv``.

    The cells hold the table's own text, made of amounts and set phrases, and go unguarded: ``-£50k`` stays what it is.
    """
    header = ("workstream", "row", *(str(year) for year in table.years), "total")
    rows = [
        (guarded(row.workstream.name), guarded(row.label), *(cell.text for cell in row.cells), row.total.text)
        for row in table.rows
    ]
    totals = [
        (total.title, guarded(total.label), *("" for _ in table.years), total.total.text) for total in table.totals
    ]
    return _written([header, *rows, *totals])


def tidy_csv(table: Table) -> bytes:
    """One row for each workstream, scope and year; amounts are plain numbers of pounds, empty where none is stated.

    ``scope`` is ``partnership`` or an ONS GSS code; ``basis`` names each basis among the figures, joined by ``+``.
    """
    rows = (tidy_texts(table, row, cell) for row in table.rows for cell in row.cells)
    return _written(
        [
            TIDY_COLUMNS,
            *(
                [
                    guarded(text) if name in _WRITTEN_FREELY else text
                    for name, text in zip(TIDY_COLUMNS, row, strict=True)
                ]
                for row in rows
            ),
        ]
    )


def tidy_texts(table: Table, row: Row, cell: Cell) -> Sequence[str]:
    """A row of the tidy form, its texts as they are."""
    return (
        table.partnership.code,
        row.workstream.code,
        row.workstream.name,
        row.scope,
        table.partnership.scope_name(row.scope),
        str(cell.year),
        "" if cell.in_year_pence is None else pounds(cell.in_year_pence),
        "" if cell.cumulative_pence is None else pounds(cell.cumulative_pence),
        cell.status,
        "+".join(sorted({each.account.basis for each in cell.behind})),
        cell.text,
    )


def guarded(text: str) -> str:
    """Text that a spreadsheet will not take for a formula: a quote before ``= + - @``, a tab or a line end.

    See OWASP, "CSV Injection". Numbers are not text and stay as they are.
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")) else text


def _written(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
