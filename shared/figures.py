"""What a figure is about, and which figure stands: the few ideas that every service shares.

Words and rules are those of the partnership's domain: an *account* is what a ledger keeps a balance for;
a *stream* is all that is said about one workstream in one scope, and the unit of order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, NewType

from shared.financial_year import FinancialYear
from shared.money import Pence

#: ``partnership``, or the ONS GSS code of the council whose share it is.
Scope = NewType("Scope", str)
WorkstreamCode = NewType("WorkstreamCode", str)
PARTNERSHIP: Final = Scope("partnership")


class Basis(StrEnum):
    """How sure it is that the saving comes: identified, planned, or delivered."""

    ESTIMATE = "estimate"
    FORECAST = "forecast"
    ACTUAL = "actual"


class Benefit(StrEnum):
    """What kind of gain it is (CSR07, annex on value for money; never mixed without saying so)."""

    CASH_RELEASING = "cash_releasing"
    NON_CASH_RELEASING = "non_cash_releasing"
    AVOIDED_COST = "avoided_cost"


class Recurrence(StrEnum):
    RECURRING = "recurring"
    ONE_OFF = "one_off"


class Flow(StrEnum):
    """A saving, or the cost of getting it; net is saving minus cost."""

    SAVING = "saving"
    COST = "cost"


class Confidence(StrEnum):
    FIRM = "firm"
    INDICATIVE = "indicative"
    NOTIONAL = "notional"


class Status(StrEnum):
    """Whether the line states a figure. Only ``quantified`` carries an amount; ``nil`` says there is none."""

    QUANTIFIED = "quantified"
    TO_BE_CONFIRMED = "to_be_confirmed"
    SEE_NARRATIVE = "see_narrative"
    NIL = "nil"


@dataclass(frozen=True, order=True, slots=True)
class Stream:
    """All that is said about one workstream in one scope. Its text is the key of every event about it."""

    workstream: WorkstreamCode
    scope: Scope

    def __str__(self) -> str:
        return f"{self.workstream}/{self.scope}"


@dataclass(frozen=True, order=True, slots=True)
class Account:
    """What a ledger keeps a balance for. ``initiative`` is empty for the workstream as a whole."""

    scope: Scope
    workstream: WorkstreamCode
    initiative: str
    year: FinancialYear
    basis: Basis
    benefit: Benefit
    recurrence: Recurrence
    flow: Flow

    @property
    def stream(self) -> Stream:
        return Stream(self.workstream, self.scope)

    def __str__(self) -> str:
        """The account's one canonical text, used as its key; the initiative comes last, it may hold anything."""
        return "|".join(
            (
                self.workstream,
                self.scope,
                str(self.year),
                self.basis,
                self.benefit,
                self.recurrence,
                self.flow,
                self.initiative,
            )
        )


@dataclass(frozen=True, slots=True)
class Figure:
    """What was stated of an account. ``amount_pence`` is present exactly when the status is ``quantified``."""

    status: Status
    amount_pence: Pence | None
    confidence: Confidence = Confidence.INDICATIVE

    @property
    def counted_pence(self) -> Pence:
        """What the figure adds to a sum: nothing where it is not quantified."""
        return self.amount_pence if self.amount_pence is not None else Pence(0)

    @property
    def is_stated(self) -> bool:
        """Whether there is a figure at all: an amount, or nil; a placeholder is none."""
        return self.status in (Status.QUANTIFIED, Status.NIL)

    def says_the_same_as(self, other: Figure) -> bool:
        return (self.status, self.amount_pence) == (other.status, other.amount_pence)


@dataclass(frozen=True, order=True, slots=True)
class Standing:
    """The rank of a figure among those of its account: the latest as-at date wins; on one date, the last recorded.

    ``version`` is the place of the return in its stream, which is the order of recording.
    """

    as_at: date
    version: int
