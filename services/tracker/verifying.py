"""Re-reading the ledgers from their content: every entry is posted again in memory and compared with what is kept.

It finds whatever was altered, left out, added or moved since it was posted, by whoever has the database and not all of
its hashes; and it finds an account or a head that no longer says what its entries add up to.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker import ledger
from services.tracker.ledger import Head, Held
from services.tracker.reading import standing
from services.tracker.store import accounts, entries, postings, streams
from shared.database import Database
from shared.events import LineAccepted, ReturnAccepted, Source, StatedBy
from shared.figures import Basis, Benefit, Confidence, Flow, Recurrence, Scope, Status, Stream, WorkstreamCode

PAGE: Final = 200

#: Told how many entries have been read, of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the re-reading came to; ``fault`` names the first thing that does not agree, if any."""

    entries: int
    streams: int
    fault: str | None


class _Disagrees(Exception):
    """Something kept is not what its content says."""


async def verify(database: Database, progress: Progress = lambda _done, _total: None) -> Verdict:
    """Re-read every entry of every ledger. All of it is read at one state; nothing is locked."""
    async with database.read() as connection:
        found = (await connection.execute(select(streams).order_by(streams.c.name))).all()
        total = int((await connection.execute(select(func.coalesce(func.sum(streams.c.entry_count), 0)))).scalar_one())
        done = 0
        try:
            for row in found:
                async for read in _verify_stream(connection, row):
                    done += read
                    progress(done, total)
        except _Disagrees as fault:
            return Verdict(done, len(found), str(fault))
    return Verdict(done, len(found), None)


async def _verify_stream(connection: AsyncConnection, row: Row[Any]) -> AsyncIterator[int]:
    stream = Stream(WorkstreamCode(row.workstream), Scope(row.scope))
    if row.name != str(stream):
        raise _Disagrees(f"the stream {row.name} says that it is {stream}")
    head, held = Head.of_nothing(stream), dict[str, Held]()
    while page := await _postings_after(connection, row.id, head.posting_count):
        rows = await _entries_of(connection, row.id, page[0].number, page[-1].number)
        read = 0
        for posting in page:
            own = rows.get(posting.number, [])
            head, changed = _verify_posting(stream, posting, own, head, held)
            held |= changed
            read += len(own)
        yield read
    _compare_head(stream, row, head)
    await _compare_accounts(connection, stream, held)


def _verify_posting(
    stream: Stream, posting: Row[Any], rows: Sequence[Row[Any]], head: Head, held: Mapping[str, Held]
) -> tuple[Head, Mapping[str, Held]]:
    """Post a return again, on what the links before it came to, and compare."""
    name = f"{stream}, return {posting.number} ({posting.submission_id})"
    outcome = ledger.post(_return_of(stream, posting, rows), held, head)
    _same(name, "its number", posting.number, outcome.number)
    _same(name, "the hash before it", posting.previous_hash.hex(), outcome.previous_hash.hex())
    _same(name, "its hash", posting.hash.hex(), outcome.hash.hex())
    for kept, again in zip(rows, outcome.entries, strict=True):
        entry = f"{stream}, entry {kept.number} (return {posting.submission_id}, line {kept.line})"
        _same(entry, "its number", kept.number, again.number)
        _same(entry, "its account", kept.key, again.account)
        for what in ("as_at", "version", "recorded_at"):
            _same(entry, f"its {what}", kept._mapping[what], posting._mapping[what])
        _same(entry, "its movement in pence", kept.movement_pence, again.movement_pence)
        _same(entry, "its balance in pence", kept.balance_pence, again.balance_pence)
        _same(entry, "the hash before it", kept.previous_hash.hex(), again.previous_hash.hex())
        _same(entry, "its hash", kept.hash.hex(), again.hash.hex())
    return outcome.head, outcome.held


def _compare_head(stream: Stream, row: Row[Any], head: Head) -> None:
    for name, again in head._asdict().items():
        kept = row._mapping[name]
        shown = (kept.hex(), again.hex()) if isinstance(again, bytes) else (kept, again)
        _same(f"{stream}, the head", f"its {name.replace('_', ' ')}", *shown)


async def _compare_accounts(connection: AsyncConnection, stream: Stream, held: Mapping[str, Held]) -> None:
    kept = {str(account): one for account, one in (await standing(connection, stream=stream)).items()}
    for key in sorted(kept.keys() | held.keys()):
        _same(f"{stream}, account {key}", "what stands on it", kept.get(key), held.get(key))


def _same(subject: str, what: str, kept: object, again: object) -> None:
    if kept != again:
        raise _Disagrees(f"{subject}: {what} is kept as {kept}, and its content says {again}")


async def _postings_after(connection: AsyncConnection, stream_id: int, number: int) -> Sequence[Row[Any]]:
    query = (
        select(postings)
        .where(postings.c.stream_id == stream_id, postings.c.number > number)
        .order_by(postings.c.number)
        .limit(PAGE)
    )
    return (await connection.execute(query)).all()


async def _entries_of(
    connection: AsyncConnection, stream_id: int, first: int, last: int
) -> Mapping[int, Sequence[Row[Any]]]:
    query = (
        select(
            entries,
            accounts.c.key,
            accounts.c.initiative,
            accounts.c.year,
            accounts.c.basis,
            accounts.c.benefit,
            accounts.c.recurrence,
            accounts.c.flow,
        )
        .join_from(entries, accounts, entries.c.account_id == accounts.c.id)
        .where(entries.c.stream_id == stream_id, entries.c.posting_number.between(first, last))
        .order_by(entries.c.posting_number, entries.c.number)
    )
    rows = (await connection.execute(query)).all()
    return {number: list(group) for number, group in groupby(rows, key=lambda row: int(row.posting_number))}


def _return_of(stream: Stream, posting: Row[Any], rows: Sequence[Row[Any]]) -> ReturnAccepted:
    """The return as it was posted, from what was kept of it. Nothing is checked again: the hashes do that."""
    return ReturnAccepted.model_construct(
        submission_id=posting.submission_id,
        partnership="",
        workstream=stream.workstream,
        scope=stream.scope,
        version=posting.version,
        as_at=posting.as_at,
        recorded_at=posting.recorded_at,
        stated_by=StatedBy.model_construct(
            name=posting.stated_by_name, role=posting.stated_by_role, council=posting.stated_by_council
        ),
        source=Source.model_construct(
            system=posting.source_system, reference=posting.source_reference, file=posting.source_file
        ),
        reason=posting.reason,
        update=posting.update,
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
