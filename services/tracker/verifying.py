"""Re-reading the ledgers from their content: every return is posted again in memory and compared with what is kept.

It finds whatever was altered, left out, added or moved since it was posted, and an account or a head that no longer
says what its entries add up to. It cannot find a chain that was made anew from some link on to its very head: whoever
kept the digest of an earlier day (an edition prints it) can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker import ledger
from services.tracker.ledger import Head, Held
from services.tracker.reading import standing
from services.tracker.store import accounts, entries, postings, streams
from shared.clock import moment_text
from shared.database import Database
from shared.events import LineAccepted, ReturnAccepted, Source, StatedBy
from shared.figures import Basis, Benefit, Confidence, Flow, Recurrence, Scope, Status, Stream, WorkstreamCode

RETURNS_AT_ONCE: Final = 200

#: Told how many entries have been read, of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something kept is not what its content says: what it is, and the two that do not agree."""

    subject: str
    kept: str
    again: str

    def __str__(self) -> str:
        return f"{self.subject} is kept as {self.kept}, and its content says {self.again}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the re-reading came to; ``fault`` names the first thing that does not agree, if any."""

    entries: int
    streams: int
    fault: Fault | None


class _Disagrees(Exception):
    def __init__(self, subject: str, kept: str, again: str) -> None:
        super().__init__(subject)
        self.fault = Fault(subject, kept, again)


async def verify(database: Database, progress: Progress = lambda _done, _total: None) -> Verdict:
    """Re-read every entry of every ledger, stream by stream, and stop at the first that does not agree.

    Nothing is locked, and returns may go on being posted: a stream is compared with its head and accounts as they were
    when its last page was read.
    """
    async with database.read() as connection:
        query = select(streams.c.id, streams.c.name, streams.c.workstream, streams.c.scope).order_by(streams.c.name)
        found = (await connection.execute(query)).all()
        total = int((await connection.execute(select(func.coalesce(func.sum(streams.c.entry_count), 0)))).scalar_one())
    done = 0
    progress(done, total)
    try:
        for row in found:
            again = _Again(Stream(WorkstreamCode(row.workstream), Scope(row.scope)))
            _same(f"the stream {row.name}", "its name", row.name, str(again.stream))
            while not again.is_complete:
                async with database.read() as connection:
                    try:
                        done += await again.read_on(connection, row.id)
                    except ValueError as error:
                        # No day, no moment, or none of the words that may stand there.
                        where = f"{again.stream}, after return {again.head.posting_count}: what follows"
                        raise _Disagrees(where, "what cannot be read", str(error)) from error
                progress(done, max(done, total))
    except _Disagrees as disagreement:
        return Verdict(done, len(found), disagreement.fault)
    return Verdict(done, len(found), None)


@dataclass(slots=True)
class _Again:
    """A stream, posted again from the beginning."""

    stream: Stream
    head: Head = field(init=False)
    held: dict[str, Held] = field(default_factory=dict)
    is_complete: bool = False

    def __post_init__(self) -> None:
        self.head = Head.of_nothing(self.stream)

    async def read_on(self, connection: AsyncConnection, stream_id: int) -> int:
        """Post the next returns again; how many entries they have. After the last, compare what all came to.

        Raises:
            _Disagrees: naming what, where, and what its content says.
        """
        returns = await _returns_after(connection, stream_id, self.head.posting_count)
        self.is_complete = len(returns) < RETURNS_AT_ONCE
        up_to = None if self.is_complete else returns[-1].number
        rows = await _entries_after(connection, stream_id, self.head.entry_count, up_to)
        own = {number: list(group) for number, group in groupby(rows, key=lambda row: int(row.posting_number))}
        for kept in returns:
            self._post(kept, own.pop(kept.number, []))
        for number, strays in own.items():
            raise _Disagrees(
                f"{self.stream}, entry {strays[0].number}: its return", str(number), "one that is not there"
            )
        if self.is_complete:
            await self._compare_head(connection, stream_id)
            await self._compare_accounts(connection)
        return len(rows)

    def _post(self, kept: Row[Any], rows: Sequence[Row[Any]]) -> None:
        subject = f"{self.stream}, return {kept.number} ({kept.submission_id})"
        # A link that is missing is told by the number of the next; every other difference shows in a hash.
        _same(subject, "its number", kept.number, self.head.posting_count + 1)
        outcome = ledger.post(_return_of(self.stream, kept, rows), self.held, self.head)
        _same(subject, "the hash before it", kept.previous_hash, outcome.previous_hash)
        _same(subject, "its hash", kept.hash, outcome.hash)
        for row, entry in zip(rows, outcome.entries, strict=True):
            subject = f"{self.stream}, entry {row.number} (return {kept.submission_id}, line {row.line})"
            for what, one, other in _of_an_entry(row, kept, entry):
                _same(subject, what, one, other)
        self.head = outcome.head
        self.held |= outcome.held

    async def _compare_head(self, connection: AsyncConnection, stream_id: int) -> None:
        columns = [streams.c[name] for name in Head._fields]
        kept = (await connection.execute(select(*columns).where(streams.c.id == stream_id))).one()
        for name, one, other in zip(Head._fields, kept, self.head, strict=True):
            _same(f"{self.stream}, the head", f"its {name.replace('_', ' ')}", one, other)

    async def _compare_accounts(self, connection: AsyncConnection) -> None:
        kept = {str(account): held for account, held in (await standing(connection, stream=self.stream)).items()}
        for key in sorted(kept.keys() | self.held.keys()):
            subject = f"{self.stream}, account {key}"
            _same(subject, "whether it is there", key in kept, key in self.held)
            for name, one, other in zip(Held._fields, kept[key], self.held[key], strict=True):
                _same(subject, f"its {name.replace('_', ' ')}", one, other)


def _of_an_entry(row: Row[Any], kept: Row[Any], entry: ledger.Entry) -> Iterator[tuple[str, object, object]]:
    """What is compared of an entry: what it is called, what is kept, and what the content says."""
    yield "its number", row.number, entry.number
    yield "its account", row.key, entry.account
    yield "its as-at date", row.as_at, kept.as_at
    yield "its version", row.version, kept.version
    yield "its recorded time", row.recorded_at, kept.recorded_at
    yield "its movement in pence", row.movement_pence, entry.movement_pence
    yield "its balance in pence", row.balance_pence, entry.balance_pence
    yield "the hash before it", row.previous_hash, entry.previous_hash
    yield "its hash", row.hash, entry.hash


def _same(subject: str, what: str, kept: object, again: object) -> None:
    if kept != again:
        raise _Disagrees(f"{subject}: {what}", _shown(kept), _shown(again))


def _shown(value: object) -> str:
    match value:
        case bytes():
            return value.hex()
        case datetime():
            return moment_text(value)
        case _:
            return str(value)


async def _returns_after(connection: AsyncConnection, stream_id: int, number: int) -> Sequence[Row[Any]]:
    query = (
        select(postings)
        .where(postings.c.stream_id == stream_id, postings.c.number > number)
        .order_by(postings.c.number)
        .limit(RETURNS_AT_ONCE)
    )
    return (await connection.execute(query)).all()


async def _entries_after(
    connection: AsyncConnection, stream_id: int, number: int, up_to_return: int | None
) -> Sequence[Row[Any]]:
    """The entries that follow, in their order, with their accounts; those of the returns up to that one, or all."""
    about = (accounts.c[name] for name in ("key", "initiative", "year", "basis", "benefit", "recurrence", "flow"))
    query = (
        select(entries, *about)
        .join_from(entries, accounts, entries.c.account_id == accounts.c.id)
        .where(entries.c.stream_id == stream_id, entries.c.number > number)
        .order_by(entries.c.number)
    )
    if up_to_return is not None:
        # The entries of one return stand together, so the first of the next return ends the page. To ask only for those
        # of these returns would read the rest of the stream in vain.
        beyond = (
            select(entries.c.number)
            .where(entries.c.stream_id == stream_id, entries.c.number > number)
            .where(entries.c.posting_number > up_to_return)
            .order_by(entries.c.number)
            .limit(1)
        )
        last = (await connection.execute(beyond)).scalar()
        if last is not None:
            query = query.where(entries.c.number < last)
    return (await connection.execute(query)).all()


def _return_of(stream: Stream, kept: Row[Any], rows: Sequence[Row[Any]]) -> ReturnAccepted:
    """The return as it was posted, from what was kept of it.

    Raises:
        ValueError: something kept is none of the words that may stand there.
    """
    return ReturnAccepted.model_construct(
        submission_id=kept.submission_id,
        partnership="",
        workstream=stream.workstream,
        scope=stream.scope,
        version=kept.version,
        as_at=kept.as_at,
        recorded_at=kept.recorded_at,
        stated_by=StatedBy.model_construct(
            name=kept.stated_by_name, role=kept.stated_by_role, council=kept.stated_by_council
        ),
        source=Source.model_construct(
            system=kept.source_system, reference=kept.source_reference, file=kept.source_file
        ),
        reason=kept.reason,
        update=kept.update,
        lines=tuple(_line_of(row) for row in rows),
    )


def _line_of(row: Row[Any]) -> LineAccepted:
    return LineAccepted.model_construct(
        line=row.line,
        initiative=row.initiative,
        year=row.year,
        basis=Basis(row.basis),
        benefit=Benefit(row.benefit),
        recurrence=Recurrence(row.recurrence),
        flow=Flow(row.flow),
        confidence=Confidence(row.confidence),
        status=Status(row.status),
        amount_pence=row.amount_pence,
        reason=row.reason,
        note=row.note,
        cell=row.cell,
    )
