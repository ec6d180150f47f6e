"""A movement in words: what of it is new, re-profiled, corrected or of another basis, with the reasons given. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from services.reporting.changes import KINDS, Change, MovementKind
from services.reporting.movement import RowMovement
from services.reporting.notes import listed
from services.reporting.rows import NO_FIGURE
from shared.financial_year import FinancialYear
from shared.money import short_text


def told(row: RowMovement) -> Sequence[str]:
    """``Corrected: £1m – The supply chain review found more.``, one for each kind of change that there is."""
    found = []
    for kind, words in KINDS.items():
        changes = [change for change in row.changes if change.kind is kind]
        if changes:
            amount = _between_years(changes) if kind is MovementKind.REPROFILED else short_text(row.parts[kind])
            reasons = dict.fromkeys(reason for change in changes for reason in change.reasons)
            found.append(f"{words}: {' – '.join((amount, *reasons))}")
    return found


def moved_text(pence: int) -> str:
    """An amount of a movement as printed; nothing moved is a dash, so that what moved is seen."""
    return short_text(pence) if pence else NO_FIGURE


def _between_years(changes: Iterable[Change]) -> str:
    """``£1m from 2012/13 to 2011/12``: in the row it comes to nothing, and yet it is not nothing."""
    by_year: dict[FinancialYear, int] = defaultdict(int)
    for change in changes:
        by_year[change.account.year] += change.pence
    lost = [str(year) for year in sorted(by_year) if by_year[year] < 0]
    gained = [str(year) for year in sorted(by_year) if by_year[year] > 0]
    if not gained:
        # What one initiative moved forth another moved back.
        return NO_FIGURE
    amount = short_text(sum(pence for pence in by_year.values() if pence > 0))
    return f"{amount} from {listed(lost)} to {listed(gained)}"
