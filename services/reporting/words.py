"""What classifications are called on pages."""

from __future__ import annotations

from typing import Final

from services.reporting.rows import NO_FIGURE
from shared.figures import Account, Basis, Benefit, Figure, Flow, Recurrence, Status
from shared.money import short_text

BASES: Final = {Basis.ESTIMATE: "Estimate", Basis.FORECAST: "Forecast", Basis.ACTUAL: "Actual"}
BENEFITS: Final = {
    Benefit.CASH_RELEASING: "cash-releasing",
    Benefit.NON_CASH_RELEASING: "non-cash-releasing",
    Benefit.AVOIDED_COST: "avoided cost",
}
RECURRENCES: Final = {Recurrence.RECURRING: "recurring", Recurrence.ONE_OFF: "one-off"}


def kind_of(account: Account) -> str:
    """``Cash-releasing, recurring``: what kind of gain an account is for; a cost is said to be one."""
    cost = "cost of getting a saving, " if account.flow is Flow.COST else ""
    said = f"{cost}{BENEFITS[account.benefit]}, {RECURRENCES[account.recurrence]}"
    return f"{said[0].upper()}{said[1:]}"


def stated_text(figure: Figure) -> str:
    """What was stated: an amount, nil, or why there is none yet."""
    match figure.status:
        case Status.QUANTIFIED:
            return short_text(figure.counted_pence)
        case Status.NIL:
            return "Nil"
        case Status.TO_BE_CONFIRMED:
            return "To be confirmed"
        case Status.SEE_NARRATIVE:
            return "See narrative"


def signed_text(pence: int) -> str:
    """A movement: ``+£100k``, ``-£1m``; a dash for none."""
    if pence == 0:
        return NO_FIGURE
    return f"+{short_text(pence)}" if pence > 0 else f"\u2212{short_text(-pence)}"


def short_id(identity: str) -> str:
    """Enough of a return's id to tell it from its neighbours: its end, for it begins with the time of day."""
    return identity[-8:]
