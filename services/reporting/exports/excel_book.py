"""An Excel workbook that holds texts as texts and amounts as numbers, shown as the printed table shows them."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC
from typing import Any, Final

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from services.reporting.exports.characters import one_line
from services.reporting.exports.csv_table import guarded
from services.reporting.exports.greys import HEADER_GROUND, HEADER_INK, INK, LINE, QUIET_INK
from services.reporting.exports.imprint import Imprint
from services.reporting.rows import NO_FIGURE
from shared.money import as_decimal, short_text

#: What a cell holds at most (Excel's own limit), and what is still shown in a row of the greatest height.
TEXT_LIMIT: Final = 32_767
SHOWN_LIMIT: Final = 1_800
_MARGIN_TEXT_LIMIT: Final = 110
_LINE_POINTS: Final = 13.5
#: What a cell's indent and edges take, in letters.
_EDGES: Final = 2.5
#: The widths of a word's average letter and of a space beside that of a figure, which is what a column is measured in.
_LETTER, _SPACE = 0.95, 0.55
_AMOUNT: Final = re.compile(r"-?£[\d,]+(?:\.(?P<decimals>\d+))?(?P<unit>k|m|bn)?")
_THOUSANDS: Final = {"k": 1, "m": 2, "bn": 3}
_A3, _A4 = 8, 9
#: In letters. Wider than that, fitted to A4, nobody could read it.
_WIDEST_ON_A4: Final = 215

HEADER: Final = {
    "bold": True,
    "bg_color": f"#{HEADER_GROUND}",
    "font_color": f"#{HEADER_INK}",
    "text_wrap": True,
    "valign": "vcenter",
    "indent": 1,
}
CELL: Final = {
    "bottom": 1,
    "bottom_color": f"#{LINE}",
    "top": 1,
    "top_color": f"#{LINE}",
    "valign": "vcenter",
    "font_color": f"#{INK}",
    "text_wrap": True,
    "indent": 1,
}
#: Of the numbers that stand in the cells: right, and not up against the next column.
RIGHT: Final = {"align": "right", "indent": 1}
WRAPPED: Final = {"text_wrap": True, "valign": "top", "font_color": f"#{INK}"}
TITLE: Final = {"bold": True, "font_size": 14, "font_color": f"#{INK}"}
HEADING: Final = {"bold": True, "font_size": 12, "font_color": f"#{INK}"}
QUIET: Final = {"font_size": 9, "font_color": f"#{QUIET_INK}"}


def number_format(pence: int, *, brackets: bool = False, is_movement: bool = False) -> str:
    """The number format that shows an amount exactly as the table prints it: ``£6.25m``, ``(£434k)``, ``£1,234.56``.

    That of a movement shows nothing as a dash. It is made for this amount: another amount typed over it is shown in the
    same unit, with as many decimals.
    """
    match = _AMOUNT.fullmatch(short_text(pence))
    assert match is not None  # noqa: S101 - the text is our own
    decimals = f".{'0' * len(match['decimals'])}" if match["decimals"] else ""
    unit = match["unit"] or ""
    digits = f"0{decimals}{',' * _THOUSANDS[unit]}" if unit else f"#,##0{decimals}"
    opening, closing = ("(", ")") if brackets else ("", "")
    above, below = (f'"{opening}{sign}£"{digits}"{unit}{closing}"' for sign in ("", "-"))
    return f'{above};{below};"{NO_FIGURE}"' if is_movement else f"{above};{below}"


def number_of(pence: int) -> int | float:
    """The amount in pounds, as a spreadsheet keeps it: fifteen figures, which is pence up to £1 trillion."""
    return pence // 100 if pence % 100 == 0 else float(as_decimal(pence))


class Book:
    """A workbook in the making. The same calls give the same bytes; nothing is written but to memory."""

    def __init__(self, imprint: Imprint, properties: Mapping[str, str]) -> None:
        self._made = io.BytesIO()
        self._imprint = imprint
        self.workbook: Workbook = xlsxwriter.Workbook(
            self._made,
            {
                "in_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
                "default_format_properties": {"font_name": "Arial", "font_size": 10},
            },
        )
        self._formats: dict[tuple[tuple[str, Any], ...], Format] = {}
        # Excel reads it as UTC and knows no zone.
        made_at = imprint.made_at.astimezone(UTC).replace(tzinfo=None)
        texts = {name: one_line(text)[:255] for name, text in properties.items()}
        self.workbook.set_properties({**texts, "created": made_at})
        self.workbook.set_custom_property("Edition", one_line(imprint.text)[:255], "text")
        if imprint.digest:
            self.workbook.set_custom_property("SHA-256", one_line(imprint.digest)[:255], "text")

    def sheet(self, name: str, *, columns: Sequence[float], header_row: int) -> Worksheet:
        """A sheet ready to be printed: on its side, as wide as the paper, its header row on every page."""
        sheet = self.workbook.add_worksheet(name)
        for column, width in enumerate(columns):
            sheet.set_column(column, column, width)
        sheet.hide_gridlines(2)
        sheet.set_landscape()
        sheet.set_paper(_A4 if sum(columns) <= _WIDEST_ON_A4 else _A3)
        sheet.set_margins(left=0.5, right=0.5, top=0.8, bottom=0.8)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(header_row)
        sheet.set_header(f"&L&8 {_margin_text(self._imprint.text)}&R&8 &A")
        digest = f"\n{_margin_text(self._imprint.digest_text)}" if self._imprint.digest else ""
        sheet.set_footer(f"&L&8 {_margin_text(self._imprint.title)}{digest}&R&8 Page &P of &N")
        return sheet

    def declare(
        self,
        sheet: Worksheet,
        name: str,
        corners: tuple[int, int, int, int],
        headers: Sequence[str],
        description: str,
        amounts: Sequence[int] = (),
        *,
        filters: bool = False,
    ) -> None:
        """Say that it is a table, and write its header row: so that a screen reader tells each cell's header.

        ``corners`` are its first row and column and its last; ``amounts`` the columns that are headed on the right.
        """
        sheet.add_table(
            *corners,
            {
                "name": name,
                "title": name.replace("_", " "),
                "description": one_line(description)[:TEXT_LIMIT],
                "style": None,
                "autofilter": filters,
                "banded_rows": False,
                "columns": [
                    {
                        "header": header,
                        "header_format": self.form({**HEADER, **(RIGHT if at in amounts else {})}),
                    }
                    for at, header in enumerate(headers)
                ],
            },
        )

    def text(self, sheet: Worksheet, row: int, column: int, text: str, form: Mapping[str, Any]) -> None:
        """A text, whatever it looks like: never a formula, an address or a number, also when it is edited."""
        line = one_line(text)[:TEXT_LIMIT]
        quoted = {"quote_prefix": True} if guarded(line) != line else {}
        sheet.write_string(row, column, line, self.form({**form, **quoted}))

    def amount(
        self,
        sheet: Worksheet,
        row: int,
        column: int,
        pence: int,
        form: Mapping[str, Any],
        *,
        formula: str | None = None,
        brackets: bool = False,
        is_movement: bool = False,
    ) -> None:
        """An amount: a number, or a formula that comes to it, shown as it is printed."""
        drawn = self.form(
            {**form, **RIGHT, "num_format": number_format(pence, brackets=brackets, is_movement=is_movement)}
        )
        if formula is None:
            sheet.write_number(row, column, number_of(pence), drawn)
        else:
            sheet.write_formula(row, column, formula, drawn, number_of(pence))

    def form(self, properties: Mapping[str, Any]) -> Format:
        """One format for all cells that look alike."""
        key = tuple(sorted(properties.items()))
        if key not in self._formats:
            self._formats[key] = self.workbook.add_format(dict(properties))
        return self._formats[key]

    def finished(self) -> bytes:
        self.workbook.close()
        return self._made.getvalue()


def shown_parts(text: str) -> list[str]:
    """A text in parts that can each be seen whole in a row; cut between words."""
    parts, rest = [], one_line(text)
    while len(rest) > SHOWN_LIMIT:
        cut = rest.rfind(" ", 0, SHOWN_LIMIT) + 1 or SHOWN_LIMIT
        parts.append(rest[:cut].rstrip())
        rest = rest[cut:]
    return [*parts, rest]


def width_of(texts: Iterable[str], *, least: float, most: float) -> float:
    """The width of a column, in letters, in which those texts stand in one line, within limits."""
    return min(most, max(least, _EDGES + 1.05 * max((len(one_line(text)) for text in texts), default=0)))


def height_of(texts: Iterable[tuple[str, float]]) -> float:
    """The height of a row, in points, for texts in columns of those widths.

    Excel would find it by itself, but not for merged cells, and other programs do not.
    """
    return _LINE_POINTS * max((_lines_of(text, width) for text, width in texts), default=1) + 2


def _lines_of(text: str, width: float) -> int:
    """In how many lines a text is broken, words kept whole where they can be."""
    lines, room = 1, 0.0
    for word in text.split():
        letters = _LETTER * len(word)
        if room and room + _SPACE + letters > width - _EDGES:
            lines, room = lines + 1, 0.0
        room += letters + (_SPACE if room else 0)
        if room > width - _EDGES:
            more = int(room / max(1.0, width - _EDGES))
            lines, room = lines + more, room - more * (width - _EDGES)
    return lines


def _margin_text(text: str) -> str:
    """A text for the head or foot of a page, where ``&`` gives orders and there is little room."""
    line = one_line(text).replace("&", "and")
    return line if len(line) <= _MARGIN_TEXT_LIMIT else f"{line[: _MARGIN_TEXT_LIMIT - 1]}…"
