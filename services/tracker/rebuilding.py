"""Building the ledgers again from the returns in the topic, beside the live ones, and comparing the two.

The chain of a stream is in the order of posting. That is the topic's order, but for a return that was parked and, once
what stood in its way was mended, read again: it was posted after those behind it. So a stream in which that happened is
replayed in the order in which the live ledger has its returns.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker.handlers import post_returns
from services.tracker.store import accounts, consumed, entries, outbox, postings, streams
from shared.bus.envelope import event_id_of
from shared.bus.port import Bus, Received
from shared.clock import Clock
from shared.comparing import ROWS_AT_ONCE, Content, Sides, columns_but, compare, compare_consumed
from shared.consuming import Consuming
from shared.database import Database
from shared.events import SUBMISSIONS_TOPIC
from shared.replaying import LogIncomplete, Progress

_STREAMS_AT_ONCE: Final = 200


class RebuildingLedgers:
    """The ledgers, live and rebuilt: what :mod:`shared.rebuilding` asks of a service."""

    def __init__(
        self, *, live: Database, rebuilt: Database, bus: Bus, partnership: str, clock: Clock, group: str
    ) -> None:
        self.live = live
        self.rebuilt = rebuilt
        self.consumed = consumed
        self._partnership = partnership
        self._clock = clock
        self._turns: Mapping[str, Sequence[str]] = {}
        self._waiting: dict[str, dict[str, dict[int, Received]]] = defaultdict(lambda: defaultdict(dict))
        self.consuming = Consuming(
            bus=bus,
            database=rebuilt,
            consumed=consumed,
            topics=[SUBMISSIONS_TOPIC],
            group=group,
            handle=self._handle,
            after_commit=_nobody_relays,
            clock=clock,
        )

    async def prepare(self) -> None:
        """Learn in which streams a return was posted after later ones.

        Raises:
            LogIncomplete: a rebuild that was stopped was waiting for the turn of such a return, and no longer is.
        """
        async with self.live.read() as connection:
            self._turns = await _posted_out_of_turn(connection)
        if not self._turns or self._waiting:
            return
        async with self.rebuilt.read() as connection:
            has_begun = (await connection.execute(select(consumed.positions.c.topic).limit(1))).first() is not None
            query = select(streams.c.name, streams.c.posting_count).where(streams.c.name.in_(sorted(self._turns)))
            posted = {name: int(count) for name, count in await connection.execute(query)}
        if has_begun and any(posted.get(name, 0) < len(turns) for name, turns in self._turns.items()):
            raise LogIncomplete(
                "returns that had been parked were read again later than those behind them; "
                "a rebuild of those streams cannot go on from half way: begin anew"
            )

    async def carry_over(self, kept: AsyncConnection) -> None:
        """Every fact in the ledgers is in the topic."""

    async def compare(self, sides: Sides, progress: Progress) -> int:
        query = select(streams.c.name, streams.c.entry_count).order_by(streams.c.name)
        sizes = {name: int(count) for name, count in await sides.kept.execute(query)}
        count, done, total = 0, 0, sum(sizes.values())
        await compare(sides, Content(select(streams.c.name), (streams.c.name,)), lambda row: f"the stream {row.name}")
        progress(0, total)
        for some in _in_groups(sizes):
            entry_count = await compare(sides, _entries(some), lambda row: f"{row.name}, entry {row.number}")
            count += entry_count
            count += await compare(
                sides, _postings(some), lambda row: f"{row.name}, return {row.number} ({row.submission_id})"
            )
            count += await compare(sides, _accounts(some), lambda row: f"the account {row.key}")
            done += entry_count
            progress(done, total)
        count += await compare(
            sides,
            Content(select(*columns_but(streams, "id")), (streams.c.name,)),
            lambda row: f"the head of {row.name}",
        )
        return count + await compare_consumed(sides, consumed)

    async def put_off(self) -> int:
        """Events that the live tracker has written and not sent are sent from here, ahead of any that are new here."""
        rows = outbox.rows
        async with self.live.read() as connection:
            unsent = (await connection.execute(select(*columns_but(rows, "id")).order_by(rows.c.id))).all()
        theirs = {_id_of(row) for row in unsent}
        async with self.rebuilt.write() as connection:
            ours = (await connection.execute(select(rows).order_by(rows.c.id))).all()
            await connection.execute(rows.delete())
            left = [row for row in ours if _id_of(row) not in theirs]
            names = [column.name for column in columns_but(rows, "id")]
            sending = [{name: getattr(row, name) for name in names} for row in (*unsent, *left)]
            if sending:
                await connection.execute(rows.insert(), sending)
        return len(sending)

    async def _handle(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        before = (await connection.execute(select(func.coalesce(func.max(outbox.rows.c.id), 0)))).scalar_one()
        await post_returns(
            connection, await self._in_turn(connection, batch), partnership=self._partnership, clock=self._clock
        )
        await self._tell_only_what_is_new(connection, before)

    async def _in_turn(self, connection: AsyncConnection, batch: Sequence[Received]) -> Sequence[Received]:
        """What is to be posted now, in its order: of most streams what has come, of some what has its turn."""
        due: list[Received] = []
        touched: dict[str, list[Received]] = defaultdict(list)
        for message in batch:
            name, event_id = message.key or "", event_id_of(message.headers) or ""
            if event_id in self._turns.get(name, ()):
                # They stay in memory: should the transaction be given up, the batch comes again.
                self._waiting[name][event_id][message.offset] = message
                touched[name].append(message)
            else:
                due.append(message)
        for name in sorted(touched):
            query = select(streams.c.posting_count).where(streams.c.name == name)
            posted = (await connection.execute(query)).scalar() or 0
            due += self._those_whose_turn_it_is(name, posted, touched[name])
        return due

    def _those_whose_turn_it_is(self, name: str, posted: int, came: Sequence[Received]) -> Sequence[Received]:
        """Of a stream with so many returns posted: what comes again, and what is next as far as it is there."""
        turns, waiting = self._turns[name], self._waiting[name]
        again = set(turns[:posted])
        due = [message for message in came if event_id_of(message.headers) in again]
        for event_id in turns[posted:]:
            if event_id not in waiting:
                break
            due += [message for _, message in sorted(waiting[event_id].items())]
        return due

    async def _tell_only_what_is_new(self, connection: AsyncConnection, before: int) -> None:
        """What the live tracker has posted it has told, or is about to; only the rest would have to be told."""
        rows = outbox.rows
        written = (await connection.execute(select(rows.c.id, rows.c.headers).where(rows.c.id > before))).all()
        ids = {_id_of(row): row.id for row in written}
        async with self.live.read() as kept:
            query = select(postings.c.submission_id).where(postings.c.submission_id.in_(sorted(ids)))
            told = [ids[submission_id] for submission_id in (await kept.execute(query)).scalars()]
        await connection.execute(rows.delete().where(rows.c.id.in_(told)))


async def _posted_out_of_turn(connection: AsyncConnection) -> Mapping[str, Sequence[str]]:
    """Of each stream in which a return was posted after a later one: its returns, in the order of posting."""
    before = func.lag(postings.c.version).over(partition_by=postings.c.stream_id, order_by=postings.c.number)
    behind = select(postings.c.stream_id, postings.c.version, before.label("last")).subquery()
    affected = select(behind.c.stream_id).where(behind.c.version < behind.c.last)
    query = (
        select(streams.c.name, postings.c.submission_id)
        .join_from(postings, streams, streams.c.id == postings.c.stream_id)
        .where(postings.c.stream_id.in_(affected))
        .order_by(postings.c.stream_id, postings.c.number)
    )
    turns: dict[str, list[str]] = defaultdict(list)
    for name, submission_id in await connection.execute(query):
        turns[name].append(submission_id)
    return turns


def _in_groups(sizes: Mapping[str, int]) -> Iterator[Sequence[str]]:
    """Streams by as many at a time as have together about one page of entries: most are small."""
    group: list[str] = []
    entry_count = 0
    for name, size in sizes.items():
        if group and (entry_count + size > ROWS_AT_ONCE or len(group) == _STREAMS_AT_ONCE):
            yield group
            group, entry_count = [], 0
        group.append(name)
        entry_count += size
    if group:
        yield group


def _entries(names: Sequence[str]) -> Content:
    own = columns_but(entries, "stream_id", "account_id")
    query = (
        select(streams.c.name, accounts.c.key.label("account"), *own)
        .join_from(entries, streams, streams.c.id == entries.c.stream_id)
        .join(accounts, accounts.c.id == entries.c.account_id)
        .where(streams.c.name.in_(names))
    )
    return Content(query, (streams.c.name, entries.c.number))


def _postings(names: Sequence[str]) -> Content:
    query = (
        select(streams.c.name, *columns_but(postings, "stream_id"))
        .join_from(postings, streams, streams.c.id == postings.c.stream_id)
        .where(streams.c.name.in_(names))
    )
    return Content(query, (streams.c.name, postings.c.number))


def _accounts(names: Sequence[str]) -> Content:
    query = (
        select(*columns_but(accounts, "id", "stream_id"))
        .join_from(accounts, streams, streams.c.id == accounts.c.stream_id)
        .where(streams.c.name.in_(names))
    )
    return Content(query, (accounts.c.key,))


def _id_of(row: Row[*tuple[Any, ...]]) -> str:
    return next((str(value) for name, value in json.loads(row.headers) if name == "ce_id"), "")


def _nobody_relays() -> None:
    """The rebuilt outbox is not relayed."""
