"""What was stated over time: the entries of an account, each with its return; and returns as such. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from services.reporting.rows import Posted
from shared.figures import Account, Basis, Figure, Flow, Standing, Stream
from shared.money import Pence


@dataclass(frozen=True, slots=True)
class ReturnTold:
    """A return: who stated it, when it was true, when we knew it, from what source, and why.

    ``version`` is its place in its stream. ``council`` is the GSS code of who stated it.
    """

    submission_id: str
    stream: Stream
    version: int
    as_at: date
    recorded_at: datetime
    stated_by: str
    council: str
    source_system: str | None
    source_reference: str | None
    source_file: str | None
    reason: str | None
    update: str | None

    @property
    def source(self) -> str:
        """``Workstream workbook, P08, highways.xlsx``; empty where nothing was said."""
        return ", ".join(part for part in (self.source_system, self.source_reference, self.source_file) if part)


@dataclass(frozen=True, slots=True)
class EntryTold:
    """A posting to an account: what was stated, what that moved, and what stood afterwards.

    ``number`` and ``hash`` are its place in the chain of its stream.
    """

    account: Account
    figure: Figure
    movement_pence: Pence
    balance_pence: Pence
    number: int
    line: int
    cell: str | None
    note: str | None
    own_reason: str | None
    hash: str
    stated: ReturnTold

    @property
    def reason(self) -> str | None:
        """A line's own reason comes before the one given for the whole return."""
        return self.own_reason or self.stated.reason

    @property
    def rank(self) -> Standing:
        return Standing(self.stated.as_at, self.stated.version)


@dataclass(frozen=True, slots=True)
class AccountHistory:
    """An account's entries in the order of recording. ``counts``: its figure is part of the one in the table."""

    account: Account
    entries: tuple[EntryTold, ...]
    counts: bool

    @property
    def standing(self) -> EntryTold:
        """The entry that stands: the latest as-at date, and on one date the last recorded."""
        return max(self.entries, key=lambda entry: entry.rank)

    def moved_nothing(self, entry: EntryTold) -> bool:
        """Whether the entry was about an earlier day than the figure that stood when it came."""
        return any(other.rank > entry.rank for other in self.entries if other.number < entry.number)


def histories(entries: Iterable[EntryTold], counting: Iterable[Posted]) -> Sequence[AccountHistory]:
    """Account by account: those that count first."""
    counted = {each.account for each in counting}
    by_account: dict[Account, list[EntryTold]] = {}
    for entry in entries:
        by_account.setdefault(entry.account, []).append(entry)
    found = [
        AccountHistory(account, tuple(sorted(of, key=lambda entry: entry.number)), account in counted)
        for account, of in by_account.items()
    ]
    return sorted(found, key=lambda history: (not history.counts, history.account))


@dataclass(frozen=True, slots=True)
class ReturnSummary:
    """A return in a line: how many figures it stated, and what they moved, by basis and flow, which are never mixed."""

    stated: ReturnTold
    figure_count: int
    moved_pence: Mapping[tuple[Basis, Flow], Pence]

    @property
    def moved(self) -> Sequence[tuple[Basis, Flow, Pence]]:
        """What it moved, savings first, the surest basis last; what it left as it was is not told."""
        flows, bases = list(Flow), list(Basis)
        told = sorted(self.moved_pence.items(), key=lambda item: (flows.index(item[0][1]), bases.index(item[0][0])))
        return [(basis, flow, pence) for (basis, flow), pence in told if pence]
