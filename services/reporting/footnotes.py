"""What has been corrected behind an edition, cell by cell, and the footnote that a report would print of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from services.reporting.changes import Change
from services.reporting.movement import Movements, RowMovement
from services.reporting.notes import written_day
from services.reporting.rows import Cell, EntryBehind, Row
from shared.figures import Scope
from shared.financial_year import FinancialYear
from shared.partnership import Workstream

_Cells: TypeAlias = dict[tuple[str, Scope, FinancialYear], Cell]


@dataclass(frozen=True, slots=True)
class CorrectedCell:
    """A printed figure that would be another today: what was printed, what it would be, and the entries behind that."""

    workstream: Workstream
    scope: Scope
    label: str
    year: FinancialYear
    printed: str
    would_be: str
    because: tuple[EntryBehind, ...]

    @property
    def text(self) -> str:
        """``Highways, SE7, 2011/12: £250k would be £350k (The review found more; stated by lead-highways ...)``."""
        told = [_because(entry) for entry in self.because]
        why = f" ({'; '.join(told)})" if told else ""
        return f"{self.workstream.name}, {self.label}, {self.year}: {self.printed} would be {self.would_be}{why}"


def corrected_cells(since: Movements) -> tuple[CorrectedCell, ...]:
    """The cells of which the in-year text differs, from an edition to the same days as they are known later."""
    was, now = _cells(since.before.table.rows), _cells(since.after.table.rows)
    found = []
    for row in since.moved:
        for year in dict.fromkeys(change.account.year for change in row.changes):
            key = (row.workstream.code, row.scope, year)
            old, new = was.get(key), now.get(key)
            if old is not None and new is not None and old.text != new.text:
                found.append(_corrected(row, old, new, [each for each in row.changes if each.account.year == year]))
    return tuple(found)


def footnote(edition_title: str, cells: tuple[CorrectedCell, ...]) -> str | None:
    """The sentence to print where the edition is quoted again; ``None`` where nothing has been corrected."""
    if not cells:
        return None
    figures = "a figure has" if len(cells) == 1 else f"{len(cells)} figures have"
    return f"Since {edition_title} was published, {figures} been corrected: {'. '.join(each.text for each in cells)}."


def touched_by(cells: tuple[CorrectedCell, ...]) -> tuple[str, ...]:
    """The returns that made the corrections."""
    return tuple(dict.fromkeys(entry.submission_id for cell in cells for entry in cell.because))


def _cells(rows: Iterable[Row]) -> _Cells:
    return {(row.workstream.code, row.scope, cell.year): cell for row in rows for cell in row.cells}


def _corrected(row: RowMovement, old: Cell, new: Cell, changes: list[Change]) -> CorrectedCell:
    entries = {entry.submission_id: entry for change in changes for entry in change.because}
    return CorrectedCell(row.workstream, row.scope, row.label, new.year, old.text, new.text, tuple(entries.values()))


def _because(entry: EntryBehind) -> str:
    reason = (entry.reason or "").strip().rstrip(".")
    stated = f"stated by {entry.stated_by} as at {written_day(entry.as_at)}"
    return f"{reason}; {stated}" if reason else stated
