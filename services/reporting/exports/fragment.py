"""The table as a piece of HTML to be copied into a page or a message: everything it needs is in it. Pure.

Styles stand on each element and there is no class, id or script: what takes it in (a council's own pages, a mail) keeps
inline styles and little else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from typing import Final

from services.reporting.exports import greys
from services.reporting.exports.imprint import Imprint
from services.reporting.rows import Row, TotalRow
from services.reporting.table import Table

MEDIA_TYPE: Final = "text/html; charset=utf-8"

_FONT: Final = f"font-family: Arial, Helvetica, sans-serif; color: #{greys.INK}"
_BORDER: Final = f"border: 1px solid #{greys.LINE}; padding: 4px 8px"
_HEAD: Final = f"{_BORDER}; background: #{greys.HEADER_GROUND}; color: #{greys.HEADER_INK}"
_NAME: Final = f"{_BORDER}; background: #FFFFFF; text-align: left"


def html_fragment(table: Table, imprint: Imprint) -> bytes:
    """A table element and the notes and imprint under it, as UTF-8."""
    parts = [
        f'<table lang="en-GB" style="border-collapse: collapse; font-size: 14px; {_FONT}">',
        f'<caption style="padding-bottom: 8px; font-weight: bold; text-align: left">{escape(table.title)}: '
        f"{escape(table.caption)}, {table.years[0]} to {table.years[-1]}</caption>",
        "<thead><tr>",
        *(
            f'<th scope="col" style="{_HEAD}; text-align: {side}">{escape(text)}</th>'
            for text, side in (
                ("Workstream", "left"),
                ("Whose", "left"),
                *((str(year), "right") for year in table.years),
                ("Total", "right"),
            )
        ),
        "</tr></thead>",
        *_groups(table),
        "</table>",
        f'<ul style="font-size: 12px; {_FONT}">',
        *(f"<li>{escape(note.text)}</li>" for note in table.notes),
        "</ul>",
        f'<p style="font-size: 12px; {_FONT}">{escape(imprint.text)}'
        + (f"<br>{escape(imprint.digest_text)}" if imprint.digest else "")
        + "</p>",
    ]
    return ("\n".join(parts) + "\n").encode()


def _groups(table: Table) -> Iterator[str]:
    """A body for each workstream, so that its name is a header of its rows and of no other; then the totals."""
    for _, group in groupby(table.rows, key=lambda row: row.workstream.code):
        rows = list(group)
        yield "<tbody>"
        for row in rows:
            cells = [(cell.text, "normal") for cell in row.cells]
            yield _row(row, rows[0] is row, rows[0].workstream.name, len(rows), [*cells, (row.total.text, "bold")])
        yield "</tbody>"
    yield "<tfoot>"
    for total in table.totals:
        blank = [("", "normal") for _ in table.years]
        first = table.totals[0]
        yield _row(total, first is total, first.title, len(table.totals), [*blank, (total.total.text, "bold")])
    yield "</tfoot>"


def _row(row: Row | TotalRow, is_first: bool, name: str, count: int, cells: Iterable[tuple[str, str]]) -> str:
    grey = greys.PARTNERSHIP_GREY if row.is_partnership else greys.HOME_GREY
    style = f"{_BORDER}; background: #{grey}"
    heading = f'<th scope="rowgroup" rowspan="{count}" style="{_NAME}">{escape(name)}</th>' if is_first else ""
    amounts = "".join(
        f'<td style="{style}; text-align: right; font-weight: {weight}">{escape(text)}</td>' for text, weight in cells
    )
    return f'<tr>{heading}<th scope="row" style="{style}; text-align: left">{escape(row.label)}</th>{amounts}</tr>'
