"""A ledger as it is read: by workstream and year, in-year and cumulative, from the figures that stand. PURE.

The council ledger is one council's shares. The cumulative ledger is the partnership's figures, beside them the sum of
all shares, and the difference of the two, unapportioned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from services.tracker.ledger import Held
from shared.best import BasisChoice, FlowChoice, counted_pence, counts_as, of_basis
from shared.events import LineAccepted
from shared.figures import PARTNERSHIP, Account, Benefit, Figure, Recurrence, Scope, Status, Stream, WorkstreamCode
from shared.financial_year import FinancialYear


@dataclass(frozen=True, slots=True)
class Filters:
    """Which figures count. The basis is chosen first, so that the parts of a filtered whole add up to it."""

    basis: BasisChoice = BasisChoice.BEST
    benefit: Benefit | None = None
    recurrence: Recurrence | None = None
    flow: FlowChoice = FlowChoice.SAVING
    workstream: WorkstreamCode | None = None

    def choose(self, figures: Mapping[Account, Figure]) -> Mapping[Account, Figure]:
        """The figures that count, in the order given."""
        return {
            account: figure
            for account, figure in of_basis(figures, self.basis).items()
            if counts_as(account.flow, self.flow)
            and self.benefit in (None, account.benefit)
            and self.recurrence in (None, account.recurrence)
            and self.workstream in (None, account.workstream)
        }


@dataclass(frozen=True, slots=True)
class Sum:
    """An amount of one year, and the running sum of the years up to it."""

    in_year_pence: int = 0
    cumulative_pence: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.in_year_pence + other.in_year_pence, self.cumulative_pence + other.cumulative_pence)

    def __sub__(self, other: Sum) -> Sum:
        return Sum(self.in_year_pence - other.in_year_pence, self.cumulative_pence - other.cumulative_pence)


@dataclass(frozen=True, slots=True)
class Year:
    """One workstream, or all, in one year. ``status`` is the one that speaks where figures of several meet."""

    year: FinancialYear
    status: Status | None
    own: Sum
    #: The sum of all councils' shares; a council ledger has none beside its own.
    shares: Sum

    @property
    def unapportioned(self) -> Sum:
        return self.own - self.shares

    @property
    def is_over_claimed(self) -> bool:
        """Whether the councils' shares of the years up to this one are above the partnership's figure.

        A share may come in an earlier or later year than the partnership stated it: that alone over-claims nothing.
        """
        return self.unapportioned.cumulative_pence < 0


@dataclass(frozen=True, slots=True)
class Row:
    """A workstream over the years; the row of the totals has none."""

    workstream: WorkstreamCode | None
    years: tuple[Year, ...]

    @property
    def total_pence(self) -> int:
        return self.years[-1].own.cumulative_pence

    @property
    def shares_total_pence(self) -> int:
        return self.years[-1].shares.cumulative_pence

    @property
    def unapportioned_total_pence(self) -> int:
        return self.total_pence - self.shares_total_pence

    @property
    def is_over_claimed(self) -> bool:
        return any(year.is_over_claimed for year in self.years)


@dataclass(frozen=True, slots=True)
class Ledger:
    rows: tuple[Row, ...]
    totals: Row
    account_count: int

    def row_of(self, workstream: WorkstreamCode) -> Row:
        return next(row for row in self.rows if row.workstream == workstream)


#: Where several figures meet in one cell: an amount speaks before nil, and nil before a placeholder.
_SPEAKS_FIRST: Final = (Status.QUANTIFIED, Status.NIL, Status.SEE_NARRATIVE, Status.TO_BE_CONFIRMED)


def ledger_of(
    scope: Scope,
    figures: Mapping[Account, Figure],
    filters: Filters,
    workstreams: Sequence[WorkstreamCode],
    years: Sequence[FinancialYear],
) -> Ledger:
    """The ledger of a scope, from the figures that stand in it; for the partnership, from those of every scope.

    Rows and columns are the partnership's, in its order. A figure of a workstream or year that is no longer among them
    is shown all the same, last: what was posted is never left out of a sum.
    """
    chosen = {
        account: figure for account, figure in filters.choose(figures).items() if scope in (account.scope, PARTNERSHIP)
    }
    known = [code for code in workstreams if filters.workstream in (None, code)]
    rows_shown = [*known, *sorted({account.workstream for account in chosen} - set(known))]
    years_shown = sorted({*years, *(account.year for account in chosen)})
    own, shares, statuses = _Amounts(), _Amounts(), _Statuses()
    for account, figure in chosen.items():
        cell = (account.workstream, account.year)
        pence = counted_pence(account, figure, filters.flow)
        if account.scope == scope:
            own[cell] = own.get(cell, 0) + pence
            statuses.setdefault(cell, set()).add(figure.status)
        else:
            shares[cell] = shares.get(cell, 0) + pence
    rows = tuple(_row(workstream, years_shown, own, shares, statuses) for workstream in rows_shown)
    return Ledger(rows, _totals(rows, years_shown), len(chosen))


_Cell = tuple[WorkstreamCode, FinancialYear]
_Amounts = dict[_Cell, int]
_Statuses = dict[_Cell, set[Status]]


def _row(
    workstream: WorkstreamCode,
    years: Iterable[FinancialYear],
    own: _Amounts,
    shares: _Amounts,
    statuses: _Statuses,
) -> Row:
    made: list[Year] = []
    own_running = shares_running = 0
    for year in years:
        cell = (workstream, year)
        own_running += own.get(cell, 0)
        shares_running += shares.get(cell, 0)
        found = statuses.get(cell, set())
        made.append(
            Year(
                year,
                next((status for status in _SPEAKS_FIRST if status in found), None),
                Sum(own.get(cell, 0), own_running),
                Sum(shares.get(cell, 0), shares_running),
            )
        )
    return Row(workstream, tuple(made))


def _totals(rows: Sequence[Row], years: Sequence[FinancialYear]) -> Row:
    """The sums over the workstreams. Over-claimed by one is not hidden by another's rest: see :class:`Row`."""
    made: list[Year] = []
    for place, year in enumerate(years):
        cells = [row.years[place] for row in rows]
        spoken = {cell.status for cell in cells}
        made.append(
            Year(
                year,
                next((status for status in _SPEAKS_FIRST if status in spoken), None),
                sum((cell.own for cell in cells), Sum()),
                sum((cell.shares for cell in cells), Sum()),
            )
        )
    return Row(None, tuple(made))


def after(
    held: Mapping[Account, Held], stream: Stream, as_at: date, lines: Iterable[LineAccepted]
) -> Mapping[Account, Figure]:
    """The figures that would stand once a return with these lines had been posted, as the last of its stream."""
    figures = {account: standing.figure for account, standing in held.items()}
    for line in lines:
        account = line.account_in(stream)
        standing = held.get(account)
        if standing is None or standing.as_at <= as_at:
            figures[account] = line.figure
    return figures
