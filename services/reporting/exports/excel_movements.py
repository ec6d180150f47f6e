"""The sheets of what moved since the edition before: row by row and split by why, and each change with its reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from xlsxwriter.utility import xl_range_abs

from services.reporting.changes import KINDS, Change
from services.reporting.exports.excel_book import CELL, HEADING, RIGHT, TITLE, WRAPPED, Book, height_of
from services.reporting.exports.excel_lines import Lines
from services.reporting.exports.excel_notes import WHOLE, Places
from services.reporting.movement import Movements, RowMovement, TotalMovement
from services.reporting.movement_words import told
from services.reporting.rows import Posted
from services.reporting.table import Table
from shared.figures import Scope, Status
from shared.money import short_text

NAME: Final = "Movements"
CHANGES: Final = "Changes"
_HEADERS: Final = ("Workstream", "Whose", "Before", *KINDS.values(), "Movement", "After", "Result", "Why")
_WIDTHS: Final = (40.0, 12.0, 15.0, 14.0, 15.0, 14.0, 14.0, 15.0, 15.0, 16.0, 60.0)
_HEADER_ROW: Final = 3
_KIND_COLUMNS: Final = range(3, 3 + len(KINDS))
_MOVEMENT, _AFTER, _RESULT, _REASONS = (3 + len(KINDS) + place for place in range(4))
#: The columns of the list of changes, and which of them the sums count on.
_CHANGE_COLUMNS: Final = {
    "workstream": 30.0,
    "whose": 11.0,
    "initiative": 20.0,
    "year": 10.0,
    "why": 26.0,
    "stated_before": 17.0,
    "basis_before": 14.0,
    "stated_now": 17.0,
    "basis_now": 13.0,
    "movement": 14.0,
    "reason": 44.0,
    "stated_by": 18.0,
    "as_at": 19.0,
    "return": 39.0,
    "workstream_code": 18.0,
    "scope": 13.0,
}
_WORDS: Final = {Status.TO_BE_CONFIRMED: "to be confirmed", Status.SEE_NARRATIVE: "see details below"}


def write_movements(book: Book, table: Table, movements: Movements | None, places: Places) -> None:
    """Add the sheets. What each kind of change comes to is a formula over the changes, and so is every sum.

    Without movements there is one sheet, which says that there is nothing to compare with.
    """
    sheet = book.sheet(NAME, columns=_WIDTHS, header_row=_HEADER_ROW)
    if movements is None:
        book.text(sheet, 0, 0, f"{table.title}: what has changed", TITLE)
        book.text(sheet, 2, 0, "There is no earlier edition to compare with.", WRAPPED)
        return
    before, after = movements.before.title, movements.after.title
    book.text(sheet, 0, 0, f"{table.title}: what has changed since {before}", TITLE)
    book.text(sheet, 1, 0, f"Before is {before}; After is {after}.", HEADING)
    changed = [(row, change) for row in movements.rows for change in row.changes]
    sums = _Sums(len(changed))
    lines = Lines(book, sheet, _HEADER_ROW, _WIDTHS)
    last_row = _HEADER_ROW + len(movements.rows) + len(movements.totals)
    described = (
        f"For each row of the tracker, its total in {before} and in {after}, and what moved it, split by why. The "
        f"movement comes to {' and '.join(f'{each.label} {short_text(each.pence)}' for each in movements.totals)}."
    )
    book.declare(
        sheet, "Movements_table", (_HEADER_ROW, 0, last_row, len(_HEADERS) - 1), _HEADERS, described, _amounts()
    )
    sheet.set_row(_HEADER_ROW, height_of(zip(_HEADERS, _WIDTHS, strict=True)))
    lines.row += 1
    rows_of_scope: dict[Scope, list[int]] = {}
    for row in movements.rows:
        rows_of_scope.setdefault(row.scope, []).append(lines.row)
        _write_row(lines, row, sums, places)
    for total in movements.totals:
        _write_total(lines, total, rows_of_scope.get(total.scope, []), places)
    lines.row += 1
    if not movements.holds:
        lines.paragraph("These sums do not add up. Do not use them; the column Result says where.")
    if not changed:
        lines.paragraph(f"Nothing has changed since {before}.")
    sheet.freeze_panes(_HEADER_ROW + 1, 2)
    if changed:
        _write_changes(book, changed)


class _Sums:
    """The formulas that add up the list of changes."""

    def __init__(self, count: int) -> None:
        self._ranges = {
            name: f"{CHANGES}!{xl_range_abs(1, column, count, column)}" for column, name in enumerate(_CHANGE_COLUMNS)
        }
        self._is_empty = count == 0

    def of(self, row: RowMovement, kind_header: str) -> str | None:
        """What the changes of a row come to, of the kind that stands in the header; codes, so that no name matters."""
        if self._is_empty:
            return None
        ranges = self._ranges
        return (
            f'=SUMPRODUCT(({ranges["workstream_code"]}="{row.workstream.code}")*({ranges["scope"]}="{row.scope}")'
            f"*({ranges['why']}={kind_header}),{ranges['movement']})"
        )


def _write_row(lines: Lines, row: RowMovement, sums: _Sums, places: Places) -> None:
    reasons = "; ".join(told(row))
    lines.sheet.set_row(
        lines.row, height_of([(row.workstream.name, _WIDTHS[0]), (row.label, _WIDTHS[1]), (reasons, _WIDTHS[-1])])
    )
    lines.text(0, row.workstream.name)
    lines.text(1, row.label)
    lines.amount(2, row.old_pence)
    for column, kind in zip(_KIND_COLUMNS, KINDS, strict=True):
        lines.amount(column, row.parts[kind], is_movement=True, formula=sums.of(row, lines.cell(column, _HEADER_ROW)))
    _write_sums(lines, row, places.totals.get((row.workstream.code, row.scope)), CELL)
    lines.text(_REASONS, reasons)
    lines.row += 1


def _write_total(lines: Lines, total: TotalMovement, rows: Sequence[int], places: Places) -> None:
    name = "All workstreams"
    lines.high_enough_for(name, total.label)
    lines.text(0, name, WHOLE)
    lines.text(1, total.label, WHOLE)
    parts = [total.old_pence, *(total.parts[kind] for kind in KINDS)]
    for column, pence in zip((2, *_KIND_COLUMNS), parts, strict=True):
        lines.amount(
            column, pence, WHOLE, is_movement=column > 2, formula=f"={'+'.join(lines.cell(column, at) for at in rows)}"
        )
    _write_sums(lines, total, places.totals.get((None, total.scope)), WHOLE)
    lines.text(_REASONS, "", WHOLE)
    lines.row += 1


def _write_sums(
    lines: Lines, moved: RowMovement | TotalMovement, place: str | None, form: Mapping[str, object]
) -> None:
    """The movement, what it comes to, and whether that is what stands in the table."""
    first, last = lines.cell(_KIND_COLUMNS[0]), lines.cell(_KIND_COLUMNS[-1])
    lines.amount(_MOVEMENT, sum(moved.parts.values()), form, is_movement=True, formula=f"=SUM({first}:{last})")
    after = moved.old_pence + sum(moved.parts.values())
    lines.amount(_AFTER, after, form, formula=f"={lines.cell(2)}+{lines.cell(_MOVEMENT)}")
    there = f"N({place})" if place is not None else "0"
    verdict = f'=IF(ROUND({lines.cell(_AFTER)}-{there},2)=0,"Adds up","Does not add up")'
    lines.words(_RESULT, verdict, "Adds up" if after == moved.new_pence else "Does not add up", form)


def _amounts() -> Sequence[int]:
    return range(2, _RESULT)


def _write_changes(book: Book, changed: Sequence[tuple[RowMovement, Change]]) -> None:
    names, widths = list(_CHANGE_COLUMNS), list(_CHANGE_COLUMNS.values())
    sheet = book.sheet(CHANGES, columns=widths, header_row=0)
    lines = Lines(book, sheet, 0, widths)
    amounts = [names.index(name) for name in ("stated_before", "stated_now", "movement")]
    describes = "One row for each figure that changed, or part of it; the movement is in pounds."
    book.declare(sheet, "Changes_table", (0, 0, len(changed), len(names) - 1), names, describes, amounts, filters=True)
    for row, change in changed:
        lines.row += 1
        entry = change.because[-1] if change.because else None
        texts = {
            "workstream_code": row.workstream.code,
            "workstream": row.workstream.name,
            "scope": row.scope,
            "whose": row.label,
            "initiative": change.account.initiative,
            "year": str(change.account.year),
            "why": KINDS[change.kind],
            "basis_before": change.before.account.basis if change.before else "",
            "basis_now": change.after.account.basis if change.after else "",
            "reason": "; ".join(change.reasons),
            "stated_by": entry.stated_by if entry else "",
            "return": entry.submission_id if entry else "",
        }
        lines.high_enough_for(*(texts.get(name, "") for name in names))
        for column, name in enumerate(names):
            if name in texts:
                lines.text(column, texts[name])
        _write_stated(lines, names.index("stated_before"), change.before)
        _write_stated(lines, names.index("stated_now"), change.after)
        lines.amount(names.index("movement"), change.pence)
        lines.day(names.index("as_at"), entry.as_at if entry else None)
    sheet.freeze_panes(1, 0)


def _write_stated(lines: Lines, column: int, posted: Posted | None) -> None:
    """What was stated, as it was: an amount, or in words why there is none."""
    if posted is not None and posted.figure.amount_pence is not None:
        lines.amount(column, posted.figure.amount_pence)
    else:
        words = "" if posted is None else _WORDS.get(posted.figure.status, "nil")
        lines.text(column, words, {**CELL, **RIGHT})
