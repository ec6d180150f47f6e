"""What an accepted return does to its ledger: the entries, their movements, the balances after them. PURE.

Values that exist once for every entry are named tuples: they go into the database as they are, by the thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

from services.tracker import chain
from services.tracker.chain import Hash
from shared.events import LineAccepted, ReturnAccepted
from shared.figures import Confidence, Figure, Status, Stream
from shared.financial_year import FinancialYear
from shared.money import LIMIT_PENCE, Pence

#: Looked up once: finding a member of an enum takes longer than all else that counting a line does.
_QUANTIFIED: Final = Status.QUANTIFIED


class Head(NamedTuple):
    """Where a stream's ledger stands: ``hash`` is that of the last link, ``version`` the highest one posted."""

    version: int
    posting_count: int
    entry_count: int
    movements_pence: int
    hash: Hash

    @classmethod
    def of_nothing(cls, stream: Stream) -> Head:
        return cls(0, 0, 0, 0, chain.genesis(stream))


class Held(NamedTuple):
    """What stands on an account: the figure, its rank, the number of the entry that stated it, and what it counts.

    ``entry_count`` is how many entries the account has, those among them that never stood.
    """

    status: Status
    amount_pence: int | None
    confidence: Confidence
    as_at: date
    version: int
    entry_number: int
    balance_pence: int
    entry_count: int

    @property
    def figure(self) -> Figure:
        return Figure(self.status, None if self.amount_pence is None else Pence(self.amount_pence), self.confidence)


class Entry(NamedTuple):
    """One posting to an account, never changed and never deleted: the line, and what it did to the balance.

    ``number`` counts in the stream, without a gap. The movement is the figure minus the one it replaces.
    """

    number: int
    account: str
    line: LineAccepted
    movement_pence: int
    balance_pence: int
    previous_hash: Hash
    hash: Hash


@dataclass(frozen=True, slots=True)
class Posted:
    """What posting a return comes to. ``number`` and ``hash`` are those of the return among its stream's returns."""

    number: int
    previous_hash: Hash
    hash: Hash
    entries: tuple[Entry, ...]
    #: What stands from now on, on each account that the return names.
    held: Mapping[str, Held]
    head: Head


def post(accepted: ReturnAccepted, held: Mapping[str, Held], head: Head) -> Posted:
    """Post a return on what stands on the accounts that it names (by their text) and its stream's head.

    The latest as-at date stands; on one date, the highest version. A figure of an earlier rank than the standing one is
    entered all the same: it moves nothing now, and the balance after it is the balance before. So what stands does not
    depend on the order in which returns arrive.
    """
    number = head.posting_count + 1
    last = return_hash = chain.return_link(head.hash, number, accepted)
    as_at, version = accepted.as_at, accepted.version
    entries: list[Entry] = []
    changed: dict[str, Held] = {}
    movements_pence = head.movements_pence
    lines = zip(accepted.accounts, accepted.lines, strict=True)
    for entry_number, (account, line) in enumerate(lines, start=head.entry_count + 1):
        before = changed.get(account) or held.get(account)
        after = changed[account] = _standing_after(before, entry_number, line, as_at, version)
        movement_pence = after.balance_pence - (before.balance_pence if before else 0)
        movements_pence += movement_pence
        previous = last
        last = chain.entry_link(previous, entry_number, account, line, movement_pence, after.balance_pence)
        entries.append(Entry(entry_number, account, line, movement_pence, after.balance_pence, previous, last))
    return Posted(
        number=number,
        previous_hash=head.hash,
        hash=return_hash,
        entries=tuple(entries),
        held=changed,
        head=Head(max(head.version, version), number, head.entry_count + len(entries), movements_pence, last),
    )


def _standing_after(before: Held | None, entry_number: int, line: LineAccepted, as_at: date, version: int) -> Held:
    entry_count = 1 if before is None else before.entry_count + 1
    if before is not None and (as_at, version) < (before.as_at, before.version):
        return before._replace(entry_count=entry_count)
    return Held(
        line.status,
        line.amount_pence,
        line.confidence,
        as_at,
        version,
        entry_number,
        counted_pence(line),
        entry_count,
    )


def counted_pence(line: LineAccepted) -> int:
    """What a line adds to a sum: only a quantified one adds anything."""
    return line.amount_pence if line.amount_pence is not None and line.status is _QUANTIFIED else 0


def why_not_postable(accepted: ReturnAccepted, partnership: str) -> str | None:
    """What keeps a return from ever being posted, in words for whoever looks at what was parked; else nothing.

    Intake lets none of these through, and a ledger that took one could not be read any more.
    """
    if accepted.partnership != partnership:
        return f"it is of the partnership {accepted.partnership}, and these are the ledgers of {partnership}"
    if accepted.version < 1:
        return f"its version is {accepted.version}, and versions count from 1"
    if accepted.recorded_at.tzinfo is None:
        return "its recorded_at does not say in which time zone it is"
    for line in accepted.lines:
        if not _is_a_year(line.year):
            return f"line {line.line}: {line.year!r} is not a financial year"
        if (line.status is Status.QUANTIFIED) != (line.amount_pence is not None):
            return (
                f"line {line.line}: the status {line.status} and the amount {line.amount_pence} contradict each other"
            )
        if line.amount_pence is not None and abs(line.amount_pence) >= LIMIT_PENCE:
            return f"line {line.line}: the amount {line.amount_pence} is not below £1 trillion"
    return None


@lru_cache(maxsize=512)
def _is_a_year(text: str) -> bool:
    try:
        FinancialYear.parse(text)
    except ValueError:
        return False
    return True
