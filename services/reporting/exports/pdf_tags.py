"""The structure of tables in a tagged PDF: which cells each header is about, said so that a screen reader can say it.

WeasyPrint 70 gives headers no Scope (its issue 2508), counts columns wrongly in a row that an earlier header reaches
down into, and gives no tree of ids. This puts all three right, on the finished structure alone: a header in a table's
head is about its column, any other about its rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pydyf

_SECTIONS: Final = ("/THead", "/TBody", "/TFoot")
_CELLS: Final = ("/TH", "/TD")


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell in the grid of its table; ``is_column_header`` where it is in the head."""

    element: Any
    row: int
    column: int
    rows: int
    columns: int
    is_column_header: bool

    @property
    def is_header(self) -> bool:
        return bool(self.element["S"] == "/TH")

    def is_about(self, other: _Cell) -> bool:
        """Whether this header is about a cell: above it in its columns, or before it in its rows."""
        if self.is_column_header:
            return self.column < other.column + other.columns and other.column < self.column + self.columns
        return self.row < other.row + other.rows and other.row < self.row + self.rows and self.column < other.column


def organise_tables(pdf: pydyf.PDF) -> None:
    """Give each header its Scope and an id, each other cell its headers' ids, and the document the tree of ids."""
    named: dict[str, bytes] = {}
    for element in list(pdf.objects):
        if isinstance(element, dict) and element.get("S") == "/Table":
            for name, header in _organise(pdf, element):
                named[name] = header.reference
    if named:
        names = pydyf.Dictionary({"Names": pydyf.Array()})
        for name in sorted(named):
            names["Names"] += [pydyf.String(name), named[name]]
        pdf.add_object(names)
        root = next(each for each in pdf.objects if isinstance(each, dict) and each.get("Type") == "/StructTreeRoot")
        root["IDTree"] = names.reference


def _organise(pdf: pydyf.PDF, table: Any) -> Iterator[tuple[str, Any]]:
    cells = list(_grid(pdf, table))
    headers: list[tuple[str, _Cell]] = []
    for cell in cells:
        if cell.is_header:
            name = f"t{table.number}r{cell.row}c{cell.column}"
            cell.element["ID"] = pydyf.String(name)
            cell.element["A"]["Scope"] = "/Column" if cell.is_column_header else "/Row"
            headers.append((name, cell))
            yield name, cell.element
    for cell in cells:
        if not cell.is_header:
            about = [pydyf.String(name) for name, header in headers if header.is_about(cell)]
            cell.element["A"]["Headers"] = pydyf.Array(about)


def _grid(pdf: pydyf.PDF, table: Any) -> Iterator[_Cell]:
    """The cells of a table with their places, past those that an earlier row's cell reaches down into."""
    taken: set[tuple[int, int]] = set()
    for number, (row, is_head) in enumerate(_rows(pdf, table)):
        column = 0
        for element in _kids(pdf, row):
            if element.get("S") not in _CELLS:
                continue
            while (number, column) in taken:
                column += 1
            rows, columns = element["A"].get("RowSpan", 1), element["A"].get("ColSpan", 1)
            taken |= {(number + down, column + along) for down in range(rows) for along in range(columns)}
            yield _Cell(element, number, column, rows, columns, is_head and element["S"] == "/TH")
            column += columns


def _rows(pdf: pydyf.PDF, table: Any) -> Iterator[tuple[Any, bool]]:
    for part in _kids(pdf, table):
        if part.get("S") == "/TR":
            yield part, False
        elif part.get("S") in _SECTIONS:
            for row in _kids(pdf, part):
                if row.get("S") == "/TR":
                    yield row, part["S"] == "/THead"


def _kids(pdf: pydyf.PDF, element: Any) -> Iterator[Any]:
    """The structure elements in an element; a kid that is content is a number, and no reference."""
    for kid in element["K"]:
        if isinstance(kid, bytes):
            found = pdf.objects[int(kid.split()[0])]
            if isinstance(found, dict) and "K" in found:
                yield found
