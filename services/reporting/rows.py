"""The rows of the tracker table, and what is printed in each cell (Appendix 1 of the Cabinet report). Pure.

A *figure* in the printed sense is an in-year amount other than nothing: zero and nil are stated and kept, but print as
no new saving.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from shared.best import BasisChoice, FlowChoice, counted_pence, counts_as, of_basis
from shared.figures import PARTNERSHIP, Account, Benefit, Figure, Recurrence, Scope, Status
from shared.financial_year import FinancialYear
from shared.money import Pence, short_text
from shared.partnership import Partnership, Workstream

NO_FIGURE: Final = "–"


@dataclass(frozen=True, slots=True)
class EntryBehind:
    """The entry that a standing figure comes from, and the return that stated it.

    ``as_at`` is when it was true, ``recorded_at`` when we knew it; ``number`` is the entry's place in its chain.
    """

    submission_id: str
    number: int
    line: int
    as_at: date
    recorded_at: datetime
    stated_by: str
    stated_by_council: str
    reason: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """The figure that stands for an account, and the entry behind it."""

    account: Account
    figure: Figure
    entry: EntryBehind


@dataclass(frozen=True, slots=True)
class Selection:
    """Which figures a reader asks for. Basis is chosen first, so that the parts add up to the whole."""

    basis: BasisChoice = BasisChoice.BEST
    benefit: Benefit | None = None
    recurrence: Recurrence | None = None
    flow: FlowChoice = FlowChoice.SAVING

    def choose(self, posted: Iterable[Posted]) -> Sequence[Posted]:
        """Those of the standing figures that count."""
        by_account = {each.account: each for each in posted}
        counting = of_basis({account: each.figure for account, each in by_account.items()}, self.basis)
        return [by_account[account] for account in counting if self._takes(account)]

    def counted_pence(self, each: Posted) -> Pence:
        """What a chosen figure adds to a sum: a cost counts against the saving where net is asked for."""
        return counted_pence(each.account, each.figure, self.flow)

    def _takes(self, account: Account) -> bool:
        return (
            self.benefit in (None, account.benefit)
            and self.recurrence in (None, account.recurrence)
            and counts_as(account.flow, self.flow) != 0
        )


class CellStatus(StrEnum):
    """What a cell says: an amount, that there is none, why there is none yet, or nothing at all."""

    QUANTIFIED = "quantified"
    NIL = "nil"
    TO_BE_CONFIRMED = "to_be_confirmed"
    SEE_NARRATIVE = "see_narrative"
    NOT_STATED = "not_stated"


@dataclass(frozen=True, slots=True)
class Cell:
    """One year of a row.

    ``in_year_pence`` is ``None`` where no figure has been stated for the year, ``cumulative_pence`` where none has been
    for it or any year before. ``carried`` says that nothing is new: the text repeats the cumulative of an earlier year.
    ``is_carried_forward`` says that a round is open and nothing has come for the row: the figure is from before it.
    """

    year: FinancialYear
    in_year_pence: Pence | None
    cumulative_pence: Pence | None
    text: str
    status: CellStatus
    carried: bool
    behind: tuple[Posted, ...]
    is_carried_forward: bool = False


@dataclass(frozen=True, slots=True)
class Total:
    """The last column of a row: the last cumulative, ``None`` where nothing has been stated."""

    pence: Pence | None
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """A workstream in one scope: the partnership's figure, or the home council's share of it."""

    workstream: Workstream
    scope: Scope
    label: str
    cells: tuple[Cell, ...]
    total: Total

    @property
    def is_partnership(self) -> bool:
        return self.scope == PARTNERSHIP


@dataclass(frozen=True, slots=True)
class YearTotal:
    """A year over all workstreams. Not printed, but there for whoever counts on."""

    year: FinancialYear
    in_year_pence: Pence
    cumulative_pence: Pence


@dataclass(frozen=True, slots=True)
class TotalRow:
    """One of the last two rows: what the workstreams come to in one scope."""

    scope: Scope
    label: str
    title: str
    years: tuple[YearTotal, ...]
    total: Total

    @property
    def is_partnership(self) -> bool:
        return self.scope == PARTNERSHIP


ByYear: TypeAlias = Mapping[FinancialYear, Sequence[Posted]]


def build_row(
    partnership: Partnership,
    workstream: Workstream,
    scope: Scope,
    posted: ByYear,
    selection: Selection,
    *,
    is_carried_forward: bool = False,
) -> Row:
    """A row from the chosen figures of one workstream in one scope."""
    cells: list[Cell] = []
    # Over the years so far: whether anything was stated, what it comes to, and whether any of it was more than nothing.
    stated, running, had_figure = False, 0, False
    for year in partnership.years:
        behind = tuple(posted.get(year, ()))
        in_year = sum(selection.counted_pence(each) for each in behind)
        stated_here = any(each.figure.is_stated for each in behind)
        stated, running = stated or stated_here, running + in_year
        status = _status_of(in_year, behind)
        cells.append(
            Cell(
                year=year,
                in_year_pence=Pence(in_year) if stated_here else None,
                cumulative_pence=Pence(running) if stated else None,
                text=cell_text(in_year, running if had_figure else None, status),
                status=status,
                carried=had_figure and in_year == 0,
                behind=behind,
                is_carried_forward=is_carried_forward and bool(behind),
            )
        )
        had_figure = had_figure or in_year != 0
    total = Total(Pence(running) if stated else None, short_text(running) if had_figure else NO_FIGURE)
    return Row(workstream, scope, label_of(partnership, scope), tuple(cells), total)


def cell_text(in_year_pence: int, cumulative_pence: int | None, status: CellStatus) -> str:
    """What is printed: the in-year amount, then the cumulative in brackets once an earlier year had a figure.

    ``cumulative_pence`` is this year's cumulative, ``None`` before any earlier figure.
    """
    brackets = None if cumulative_pence is None else f"({short_text(cumulative_pence)})"
    match status:
        case CellStatus.TO_BE_CONFIRMED:
            new = "To be confirmed"
        case CellStatus.SEE_NARRATIVE:
            new = "See details below"
        case CellStatus.QUANTIFIED | CellStatus.NIL | CellStatus.NOT_STATED:
            new = short_text(in_year_pence) if in_year_pence else ""
        case _:
            assert_never(status)
    return " ".join(part for part in (new, brackets) if part) or NO_FIGURE


def build_total_row(
    partnership: Partnership, rows: Sequence[Row], title: str, chosen: Iterable[Posted], selection: Selection
) -> TotalRow:
    """What the rows of one scope come to, added up from the chosen figures themselves and not from the rows.

    So that the arithmetic proof, which adds up the rows, has a second way to compare with.
    """
    scope = rows[0].scope
    mine = [each for each in chosen if each.account.scope == scope]
    by_year = dict.fromkeys(partnership.years, 0)
    for each in mine:
        by_year[each.account.year] += selection.counted_pence(each)
    years: list[YearTotal] = []
    running = 0
    for year in partnership.years:
        running += by_year[year]
        years.append(YearTotal(year, Pence(by_year[year]), Pence(running)))
    stated = any(each.figure.is_stated for each in mine)
    printed = any(row.total.text != NO_FIGURE for row in rows)
    total = Total(Pence(running) if stated else None, short_text(running) if printed else NO_FIGURE)
    return TotalRow(scope, rows[0].label, title, tuple(years), total)


def label_of(partnership: Partnership, scope: Scope) -> str:
    """The short name that heads a row: ``SE7``, ``ESCC``."""
    return partnership.short_name if scope == PARTNERSHIP else partnership.council_by_gss[scope].short_name


def _status_of(in_year_pence: int, behind: Sequence[Posted]) -> CellStatus:
    """An amount is shown before a placeholder, a placeholder before a zero: the zero is not all there is to say."""
    statuses = {each.figure.status for each in behind}
    if in_year_pence:
        return CellStatus.QUANTIFIED
    for status in (Status.SEE_NARRATIVE, Status.TO_BE_CONFIRMED, Status.QUANTIFIED, Status.NIL):
        if status in statuses:
            return CellStatus(status)
    return CellStatus.NOT_STATED
