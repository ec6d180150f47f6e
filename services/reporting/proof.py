"""The arithmetic proof under the tracker table: both sides of each sum, and whether they are equal. Pure.

Each side is added up by a way of its own (the figures themselves; the rows as printed; year by year), so that an error
in one of them shows instead of cancelling out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from services.reporting.rows import Posted, Row, Selection, TotalRow
from shared.figures import PARTNERSHIP, Scope
from shared.financial_year import FinancialYear
from shared.money import Pence
from shared.partnership import Partnership, Workstream


@dataclass(frozen=True, slots=True)
class Apportionment:
    """Shares + unapportioned = partnership, for a workstream or, where that is ``None``, for all of them.

    ``over_claimed``: by the end of some year the shares come to more than the partnership figure. Shown, never mended:
    the two are stated independently. ``partnership_is_stated`` is false where the lead council has yet to state one.
    """

    workstream: Workstream | None
    shares_pence: Pence
    unapportioned_pence: Pence
    partnership_pence: Pence
    partnership_is_stated: bool
    over_claimed: bool

    @property
    def holds(self) -> bool:
        return self.shares_pence + self.unapportioned_pence == self.partnership_pence


@dataclass(frozen=True, slots=True)
class Addition:
    """Sum of the workstreams' rows = the total printed, in one scope."""

    scope: Scope
    label: str
    workstreams_pence: Pence
    total_pence: Pence

    @property
    def holds(self) -> bool:
        return self.workstreams_pence == self.total_pence


@dataclass(frozen=True, slots=True)
class Proof:
    apportionments: tuple[Apportionment, ...]
    additions: tuple[Addition, ...]

    @property
    def holds(self) -> bool:
        return all(part.holds for part in self.apportionments) and all(part.holds for part in self.additions)

    @property
    def over_claimed(self) -> tuple[Apportionment, ...]:
        return tuple(part for part in self.apportionments if part.workstream is not None and part.over_claimed)


def prove(
    partnership: Partnership,
    chosen: Sequence[Posted],
    selection: Selection,
    rows: Sequence[Row],
    totals: Sequence[TotalRow],
) -> Proof:
    """The proof of a table: ``chosen`` are the figures that count, of every council, whatever rows are shown."""
    apportionments = [
        _apportion(partnership, workstream, chosen, selection, [row for row in rows if row.workstream is workstream])
        for workstream in partnership.workstreams
    ]
    whole = _apportion(partnership, None, chosen, selection, rows)
    additions = [
        Addition(
            scope=total.scope,
            label=total.label,
            workstreams_pence=Pence(sum(row.total.pence or 0 for row in rows if row.scope == total.scope)),
            total_pence=total.total.pence or Pence(0),
        )
        for total in totals
    ]
    return Proof((*apportionments, whole), tuple(additions))


def _apportion(
    partnership: Partnership,
    workstream: Workstream | None,
    chosen: Sequence[Posted],
    selection: Selection,
    rows: Sequence[Row],
) -> Apportionment:
    shares: dict[FinancialYear, int] = dict.fromkeys(partnership.years, 0)
    whole: dict[FinancialYear, int] = dict.fromkeys(partnership.years, 0)
    shares_pence = 0
    for each in chosen:
        if workstream is not None and each.account.workstream != workstream.code:
            continue
        pence = selection.counted_pence(each)
        is_share = each.account.scope != PARTNERSHIP
        shares_pence += pence if is_share else 0
        by_year = shares if is_share else whole
        by_year[each.account.year] += pence
    left_over = [whole[year] - shares[year] for year in partnership.years]
    printed = [row for row in rows if row.is_partnership]
    return Apportionment(
        workstream=workstream,
        shares_pence=Pence(shares_pence),
        unapportioned_pence=Pence(sum(left_over)),
        partnership_pence=Pence(sum(row.total.pence or 0 for row in printed)),
        partnership_is_stated=any(row.total.pence is not None for row in printed),
        over_claimed=any(running < 0 for running in accumulate(left_over)),
    )
