"""The tables of the Word template, each with its rows as they are repeated and shaded."""

from __future__ import annotations

from typing import Final

from docx.document import Document
from docx.shared import Mm

from services.reporting.exports.greys import HOME_GREY, PARTNERSHIP_GREY
from services.reporting.exports.word_template_pieces import amount_cell, repeated, row, table, tag_row, text_cell

#: Of the tracker table: workstream, whose, (for), a year, (end), total. The tags' own columns go when it is filled in.
_TRACKER_WIDTHS: Final = (Mm(62), Mm(24), Mm(54), Mm(37), Mm(57), Mm(27))
_PROOF_WIDTHS: Final = (Mm(70), Mm(30), Mm(34), Mm(30), Mm(97))
#: Of a chart's figures: label, (for), a figure, (end).
_CHART_WIDTHS: Final = (Mm(70), Mm(80), Mm(35), Mm(76))
#: Of what moved: workstream, whose, before, (for), a kind, (end), movement, after.
_MOVEMENT_WIDTHS: Final = (Mm(62), Mm(22), Mm(28), Mm(40), Mm(28), Mm(25), Mm(28), Mm(28))


def tracker_table(document: Document) -> None:
    rows = [
        row(
            (text_cell("Workstream"), text_cell("Whose"), *repeated(amount_cell("{{ year }}")), amount_cell("Total")),
            _TRACKER_WIDTHS,
            header=True,
        ),
        tag_row("for row in rows", _TRACKER_WIDTHS),
        tag_row("if row.is_partnership", _TRACKER_WIDTHS),
        _tracker_row(PARTNERSHIP_GREY, bold=True),
        tag_row("else", _TRACKER_WIDTHS),
        _tracker_row(HOME_GREY, bold=False),
        tag_row("endif", _TRACKER_WIDTHS),
        tag_row("endfor", _TRACKER_WIDTHS),
        tag_row("for total in totals", _TRACKER_WIDTHS),
        tag_row("if total.is_partnership", _TRACKER_WIDTHS),
        _total_row(PARTNERSHIP_GREY),
        tag_row("else", _TRACKER_WIDTHS),
        _total_row(HOME_GREY),
        tag_row("endif", _TRACKER_WIDTHS),
        tag_row("endfor", _TRACKER_WIDTHS),
    ]
    table(document, "{{ caption }}", "{{ description }}", _TRACKER_WIDTHS, rows)


def _tracker_row(fill: str, *, bold: bool) -> str:
    cells = (
        text_cell("{{ row.workstream }}", bold=bold, keep=bold),
        text_cell("{{ row.whose }}", keep=bold),
        *repeated(amount_cell("{{ cell }}"), among="cell in row.cells"),
        amount_cell("{{ row.total }}", bold=True),
    )
    return row(cells, _TRACKER_WIDTHS, fill=fill, heavy=bold)


def _total_row(fill: str) -> str:
    cells = (
        text_cell("{{ total.title }}", bold=True, keep=True),
        text_cell("{{ total.whose }}", bold=True),
        *repeated(amount_cell("")),
        amount_cell("{{ total.total }}", bold=True),
    )
    return row(cells, _TRACKER_WIDTHS, fill=fill, heavy=fill == PARTNERSHIP_GREY)


def proof_table(document: Document) -> None:
    rows = [
        row(
            (
                text_cell("Workstream"),
                amount_cell("Shares"),
                amount_cell("Unapportioned"),
                amount_cell("{{ partnership_short }}"),
                text_cell("Result", indent=True),
            ),
            _PROOF_WIDTHS,
            header=True,
        ),
        tag_row("for part in proof.parts", _PROOF_WIDTHS),
        tag_row("if part.is_whole", _PROOF_WIDTHS),
        _proof_row(bold=True),
        tag_row("else", _PROOF_WIDTHS),
        _proof_row(bold=False),
        tag_row("endif", _PROOF_WIDTHS),
        tag_row("endfor", _PROOF_WIDTHS),
    ]
    table(document, "{{ proof.caption }}", "{{ proof.description }}", _PROOF_WIDTHS, rows)


def _proof_row(*, bold: bool) -> str:
    cells = (
        text_cell("{{ part.workstream }}", bold=bold),
        amount_cell("{{ part.shares }}", bold=bold),
        amount_cell("{{ part.unapportioned }}", bold=bold),
        amount_cell("{{ part.partnership }}", bold=bold),
        text_cell("{{ part.result }}", bold=bold, indent=True),
    )
    return row(cells, _PROOF_WIDTHS, fill=PARTNERSHIP_GREY if bold else None, heavy=bold)


def chart_table(document: Document) -> None:
    rows = [
        row(
            (text_cell("{{ chart.heading }}"), *repeated(amount_cell("{{ column }}"), among="column in chart.columns")),
            _CHART_WIDTHS,
            header=True,
        ),
        tag_row("for line in chart.rows", _CHART_WIDTHS),
        row(
            (text_cell("{{ line.label }}"), *repeated(amount_cell("{{ cell }}"), among="cell in line.cells")),
            _CHART_WIDTHS,
        ),
        tag_row("endfor", _CHART_WIDTHS),
    ]
    table(document, "{{ chart.caption }}", "{{ chart.alternative }}", _CHART_WIDTHS, rows)


def movement_table(document: Document) -> None:
    widths = _MOVEMENT_WIDTHS
    header = (
        text_cell("Workstream"),
        text_cell("Whose"),
        amount_cell("Before"),
        *repeated(amount_cell("{{ kind }}"), among="kind in movements.kinds"),
        amount_cell("Movement"),
        amount_cell("After"),
    )
    rows = [
        row(header, widths, header=True),
        tag_row("for row in movements.rows", widths),
        tag_row("if row.is_total", widths),
        _movement_row(is_total=True),
        tag_row("else", widths),
        _movement_row(is_total=False),
        tag_row("endif", widths),
        tag_row("endfor", widths),
    ]
    table(document, "{{ movements.caption }}", "{{ movements.description }}", widths, rows)


def _movement_row(*, is_total: bool) -> str:
    cells = (
        text_cell("{{ row.workstream }}", bold=is_total),
        text_cell("{{ row.whose }}", bold=is_total),
        amount_cell("{{ row.before }}", bold=is_total),
        *repeated(amount_cell("{{ part }}", bold=is_total), among="part in row.parts"),
        amount_cell("{{ row.movement }}", bold=True),
        amount_cell("{{ row.after }}", bold=is_total),
    )
    return row(cells, _MOVEMENT_WIDTHS, fill=PARTNERSHIP_GREY if is_total else None)
