"""The columns of a filled-in Word table: as drawn in the template, and yet wide enough for what stands in them.

Word breaks an amount in two where its column is too narrow, and a broken amount is misread. So a column gets at least
the width of its longest word, from those that have some to spare; where all together have none, the type gets smaller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from docx.document import Document
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docx.styles.style import BaseStyle, ParagraphStyle

#: The widths of Arial's letters as parts of its size, rather too wide than too narrow; bold ones are wider still.
_NARROW: Final = frozenset(",.:;'|!()[]-/fijlrt")
_NARROW_OF_SIZE: Final = 0.334
_FIGURE_OF_SIZE: Final = 0.557
_WIDE: Final = frozenset("mwMW@%—")
_WIDE_OF_SIZE: Final = 0.9
_CAPITAL_OF_SIZE: Final = 0.72
_BOLD: Final = 1.08
_TWIPS_OF_POINT: Final = 20
#: What a cell keeps free at its left and right, with something to spare.
_CELL_MARGINS_TWIPS: Final = 190
#: A single column takes no more than this; a word that does not fit in it may as well be broken.
_WIDEST_OF_TABLE: Final = 0.28
#: Below this nobody reads a table.
_SMALLEST_POINTS: Final = 6.0
_USUAL_POINTS: Final = 10.0


def sizes_of(document: Document) -> Mapping[str, float]:
    """The size of type, in points, of each paragraph style, by its id."""
    return {style.style_id: _size_of(style) for style in document.styles if isinstance(style, ParagraphStyle)}


def fit_columns(drawn: BaseOxmlElement, sizes: Mapping[str, float]) -> None:
    """Give a table's columns their widths. One whose rows are not all alike is left as it is."""
    grid = drawn.find(qn("w:tblGrid"))
    rows = [row.findall(qn("w:tc")) for row in drawn.findall(qn("w:tr"))]
    if grid is None or not rows or any(len(row) != len(rows[0]) for row in rows):
        return
    cell_widths = [_width_of(cell) for cell in rows[0]]
    if not all(cell_widths) or next(drawn.iter(qn("w:gridSpan")), None) is not None:
        return
    whole = sum(int(column.get(qn("w:w"))) for column in grid)
    widths = [width * whole / sum(cell_widths) for width in cell_widths]
    least = [
        min(max(_longest_word(cell, sizes) for cell in column), whole * _WIDEST_OF_TABLE)
        for column in zip(*rows, strict=True)
    ]
    if any(need > width for need, width in zip(least, widths, strict=True)):
        scale = min(1.0, whole / sum(least))
        if scale < 1:
            scale = _shrink(drawn, sizes, scale)
        least = [need * scale for need in least]
        to_spare = [max(0.0, width - need) for need, width in zip(least, widths, strict=True)]
        left = max(0.0, whole - sum(least)) / (sum(to_spare) or 1)
        widths = [need + spare * left for need, spare in zip(least, to_spare, strict=True)]
    _set_widths(grid, rows, [round(width) for width in widths])


def _longest_word(cell: BaseOxmlElement, sizes: Mapping[str, float]) -> float:
    longest = 0.0
    for paragraph in cell.findall(qn("w:p")):
        text = "".join(part.text or "" for part in paragraph.iter(qn("w:t")))
        width = max((_width_of_word(word) for word in text.split()), default=0.0)
        longest = max(longest, width * _points_of(paragraph, sizes) * _TWIPS_OF_POINT)
    return longest + _CELL_MARGINS_TWIPS


def _width_of_word(word: str) -> float:
    """For type of size 1. As if all were bold: the header is, and it is not known what else."""
    return _BOLD * sum(map(_width_of_letter, word))


@lru_cache(maxsize=1024)
def _width_of_letter(letter: str) -> float:
    if letter in _NARROW:
        return _NARROW_OF_SIZE
    if letter in _WIDE:
        return _WIDE_OF_SIZE
    return _CAPITAL_OF_SIZE if letter.isupper() or ord(letter) > 0x2FF else _FIGURE_OF_SIZE


def _points_of(paragraph: BaseOxmlElement, sizes: Mapping[str, float]) -> float:
    style = paragraph.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
    return sizes.get(style.get(qn("w:val")) if style is not None else "", _USUAL_POINTS)


def _shrink(drawn: BaseOxmlElement, sizes: Mapping[str, float], scale: float) -> float:
    """Set all of a table in smaller type; what comes of the scale when no type gets too small to be read."""
    smallest = min(_points_of(paragraph, sizes) for paragraph in drawn.iter(qn("w:p")))
    scale = max(scale, min(1.0, _SMALLEST_POINTS / smallest))
    for run, points in _runs(drawn, sizes):
        # In half points, and rather smaller than what was reckoned with.
        run.get_or_add_rPr().sz_val = int(points * scale * 2) * 6350
    return scale


def _runs(drawn: BaseOxmlElement, sizes: Mapping[str, float]) -> Iterator[tuple[BaseOxmlElement, float]]:
    for paragraph in drawn.iter(qn("w:p")):
        for run in paragraph.iter(qn("w:r")):
            yield run, _points_of(paragraph, sizes)


def _set_widths(grid: BaseOxmlElement, rows: Sequence[Sequence[BaseOxmlElement]], widths: Sequence[int]) -> None:
    for column in list(grid):
        grid.remove(column)
    for width in widths:
        grid.append(grid.makeelement(qn("w:gridCol"), {qn("w:w"): str(width)}))
    for row in rows:
        for cell, width in zip(row, widths, strict=True):
            if (element := cell.find(f"{qn('w:tcPr')}/{qn('w:tcW')}")) is not None:
                element.set(qn("w:w"), str(width))
                element.set(qn("w:type"), "dxa")


def _width_of(cell: BaseOxmlElement) -> int:
    element = cell.find(f"{qn('w:tcPr')}/{qn('w:tcW')}")
    return int(element.get(qn("w:w"))) if element is not None and element.get(qn("w:type")) == "dxa" else 0


def _size_of(style: BaseStyle | None) -> float:
    if not isinstance(style, ParagraphStyle):
        return _USUAL_POINTS
    return float(style.font.size.pt) if style.font.size is not None else _size_of(style.base_style)
