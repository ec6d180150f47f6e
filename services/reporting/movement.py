"""What moved between two states of the figures, split by why, and proved to add up to the difference. Pure.

The states are two editions, or an edition and the draft. What moved is found figure by figure; what it must add up to
is taken from the rows and totals of the two tables, so that an error on either side shows instead of cancelling out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TypeVar

from services.reporting.changes import Change, MovementKind, changes_between
from services.reporting.rows import Posted, Row, TotalRow
from services.reporting.table import Table
from shared.figures import Scope, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.money import Pence
from shared.partnership import Workstream

Line = TypeVar("Line")


@dataclass(frozen=True, slots=True)
class State:
    """The figures at one end of a movement: what it is called, its table, and all the figures that stood.

    Of an edition, its number and the day of its meeting; the draft has none.
    """

    title: str
    table: Table
    posted: tuple[Posted, ...]
    edition: int | None = None
    meeting_date: date | None = None


@dataclass(frozen=True, slots=True)
class YearMovement:
    """One year of a row: the in-year amounts before and after."""

    year: FinancialYear
    old_pence: Pence
    new_pence: Pence

    @property
    def pence(self) -> Pence:
        return Pence(self.new_pence - self.old_pence)


@dataclass(frozen=True)
class RowMovement:
    """A workstream in one scope. ``old_pence`` and ``new_pence`` are the totals of its row in the two tables."""

    workstream: Workstream
    scope: Scope
    label: str
    old_pence: Pence
    new_pence: Pence
    years: tuple[YearMovement, ...]
    changes: tuple[Change, ...]

    @property
    def pence(self) -> Pence:
        return Pence(self.new_pence - self.old_pence)

    @cached_property
    def parts(self) -> Mapping[MovementKind, Pence]:
        """What each kind of change comes to; every kind is there."""
        return _by_kind(self.changes)

    @property
    def holds(self) -> bool:
        """Whether the parts add up to the movement, and what was re-profiled to nothing."""
        return sum(self.parts.values()) == self.pence and self.parts[MovementKind.REPROFILED] == 0


@dataclass(frozen=True, slots=True)
class TotalMovement:
    """All workstreams in one scope: both sides of the sum. ``rows_pence`` adds up the rows."""

    scope: Scope
    label: str
    old_pence: Pence
    new_pence: Pence
    parts: Mapping[MovementKind, Pence]
    rows_pence: Pence

    @property
    def pence(self) -> Pence:
        return Pence(self.new_pence - self.old_pence)

    @property
    def parts_pence(self) -> Pence:
        """What the parts come to; it is what the totals differ by."""
        return Pence(sum(self.parts.values()))

    @property
    def holds(self) -> bool:
        return self.pence == self.rows_pence == self.parts_pence


@dataclass(frozen=True, slots=True)
class Movements:
    """What moved from one state to another: a row for each row of the table, and the totals of each scope."""

    before: State
    after: State
    rows: tuple[RowMovement, ...]
    totals: tuple[TotalMovement, ...]

    @property
    def holds(self) -> bool:
        return all(row.holds for row in self.rows) and all(total.holds for total in self.totals)

    @property
    def moved(self) -> tuple[RowMovement, ...]:
        """The rows in which anything changed, be it that it comes to nothing."""
        return tuple(row for row in self.rows if row.changes)

    def row_of(self, workstream: str, scope: Scope) -> RowMovement | None:
        return next((row for row in self.rows if (row.workstream.code, row.scope) == (workstream, scope)), None)


def movements_between(before: State, after: State) -> Movements:
    """What moved from one state to the other.

    Raises:
        ValueError: where the two tables are not of the same home council and selection: there is no movement between
            a net and a saving.
    """
    old, new = before.table, after.table
    asked = [(table.question.home, table.question.selection) for table in (old, new)]
    if asked[0] != asked[1]:
        raise ValueError("a movement is between tables of one home council and one selection")
    changes: dict[tuple[WorkstreamCode, Scope], list[Change]] = defaultdict(list)
    for change in changes_between(_shown(before), _shown(after), new.question.selection):
        changes[change.account.workstream, change.account.scope].append(change)
    rows = tuple(
        _row(old_row, new_row, changes[WorkstreamCode(row.workstream.code), row.scope])
        for old_row, new_row in _pairs(old.rows, new.rows, lambda row: (row.workstream.code, row.scope))
        for row in [new_row or old_row]
        if row is not None
    )
    totals = tuple(
        _total(old_total, new_total, [row for row in rows if row.scope == total.scope])
        for old_total, new_total in _pairs(old.totals, new.totals, lambda total: total.scope)
        for total in [new_total or old_total]
        if total is not None
    )
    return Movements(before, after, rows, totals)


def _row(old: Row | None, new: Row | None, changes: Iterable[Change]) -> RowMovement:
    row = new or old
    assert row is not None  # noqa: S101 - one of a pair is there
    was = {cell.year: cell.in_year_pence or Pence(0) for cell in old.cells} if old else {}
    now = {cell.year: cell.in_year_pence or Pence(0) for cell in new.cells} if new else {}
    return RowMovement(
        workstream=row.workstream,
        scope=row.scope,
        label=row.label,
        old_pence=_pence_of(old),
        new_pence=_pence_of(new),
        years=tuple(
            YearMovement(year, was.get(year, Pence(0)), now.get(year, Pence(0)))
            for year in sorted(was.keys() | now.keys())
        ),
        changes=tuple(changes),
    )


def _total(old: TotalRow | None, new: TotalRow | None, rows: Sequence[RowMovement]) -> TotalMovement:
    total = new or old
    assert total is not None  # noqa: S101 - one of a pair is there
    parts = _by_kind([change for row in rows for change in row.changes])
    return TotalMovement(
        scope=total.scope,
        label=total.label,
        old_pence=_pence_of(old),
        new_pence=_pence_of(new),
        parts=parts,
        rows_pence=Pence(sum(row.pence for row in rows)),
    )


def _pairs(
    old: Sequence[Line], new: Sequence[Line], key: Callable[[Line], object]
) -> Iterable[tuple[Line | None, Line | None]]:
    """Each line of the new table with that of the old one, then those that the old one alone has."""
    was = {key(line): line for line in old}
    yield from ((was.pop(key(line), None), line) for line in new)
    yield from ((line, None) for line in was.values())


def _pence_of(row: Row | TotalRow | None) -> Pence:
    return row.total.pence or Pence(0) if row is not None else Pence(0)


def _shown(state: State) -> Iterable[Posted]:
    """The figures that are in the table's rows and columns."""
    rows = {(row.workstream.code, row.scope) for row in state.table.rows}
    return (
        each
        for each in state.posted
        if (each.account.workstream, each.account.scope) in rows and each.account.year in state.table.years
    )


def _by_kind(changes: Iterable[Change]) -> Mapping[MovementKind, Pence]:
    changes = tuple(changes)
    return {kind: Pence(sum(change.pence for change in changes if change.kind is kind)) for kind in MovementKind}
