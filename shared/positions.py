"""Where a consumer stands, kept beside the effects it has had: the two move in one transaction or not at all.

A position is moved by compare-and-set, so a message delivered again, or to a second consumer after a rebalance, finds
the position already moved and its transaction is given up. The effects table is the second net: an event that comes
again under another offset is known by its source and id.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text, func, select
from sqlalchemy import tuple_ as row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.bus.envelope import Event
from shared.bus.port import Received, TopicPartition
from shared.clock import Clock
from shared.database import ForEach, Identity, Moment, insert


class PositionMoved(Exception):
    """Somebody else has already had these effects: give up the transaction and read the positions again."""


@dataclass(frozen=True)
class Consumed:
    """The tables in which a service records what it has consumed; define them once in its metadata."""

    positions: Table
    effects: Table
    recording: ForEach
    parked: Table

    @classmethod
    def define(cls, metadata: MetaData) -> Consumed:
        effects = Table(
            "effects",
            metadata,
            Column("source", String(200), primary_key=True),
            Column("event_id", String(200), primary_key=True),
            Column("content_hash", LargeBinary(32), nullable=False),
            sqlite_with_rowid=False,
        )
        return cls(
            positions=Table(
                "positions",
                metadata,
                Column("topic", String(200), primary_key=True),
                Column("partition", Integer, primary_key=True),
                Column("next_offset", BigInteger, nullable=False),
            ),
            effects=effects,
            recording=ForEach(effects.insert(), ("source", "event_id", "content_hash")),
            parked=Table(
                "parked",
                metadata,
                Column("id", Identity, primary_key=True, autoincrement=True),
                Column("topic", String(200), nullable=False),
                Column("partition", Integer, nullable=False),
                Column("offset", BigInteger, nullable=False),
                Column("key", Text),
                Column("reason", Text, nullable=False),
                Column("value", LargeBinary, nullable=False),
                Column("parked_at", Moment, nullable=False),
            ),
        )

    async def start_at(
        self, connection: AsyncConnection, partitions: Sequence[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        """The next offset of each partition. A partition never read starts at 0: every event counts."""
        query = select(self.positions).where(
            row(self.positions.c.topic, self.positions.c.partition).in_([(at.topic, at.partition) for at in partitions])
        )
        known = {
            TopicPartition(found.topic, found.partition): int(found.next_offset)
            for found in await connection.execute(query)
        }
        return {at: known.get(at, 0) for at in partitions}

    async def advance(
        self, connection: AsyncConnection, batch: Sequence[Received], standing: Mapping[TopicPartition, int]
    ) -> Mapping[TopicPartition, int]:
        """Move the position of each partition from where the consumer believes it stands to beyond the batch.

        Offsets may have gaps (a broker leaves some), so the expected position is the consumer's, not the first offset.

        Raises:
            PositionMoved: the database holds another position; nothing of the batch may be kept.
        """
        beyond = {message.at: message.offset + 1 for message in batch}
        for at in sorted(beyond):
            if standing[at] == 0:
                # It may never have been read before; any other position is a row's.
                await connection.execute(
                    insert(self.positions, connection)
                    .values(topic=at.topic, partition=at.partition, next_offset=0)
                    .on_conflict_do_nothing()
                )
            moved = await connection.execute(
                self.positions.update()
                .where(
                    self.positions.c.topic == at.topic,
                    self.positions.c.partition == at.partition,
                    self.positions.c.next_offset == standing[at],
                )
                .values(next_offset=beyond[at])
            )
            if moved.rowcount != 1:
                raise PositionMoved(f"{at.topic}[{at.partition}] no longer stands at {standing[at]}")
        return beyond

    async def first_time(
        self, connection: AsyncConnection, events: Sequence[tuple[Received, Event]], clock: Clock
    ) -> Sequence[tuple[Received, Event]]:
        """Those of the events that have had no effect yet, recorded as having had it now, in the order given.

        The same event again is left out. The same source and id with other content is parked as a conflict.
        """
        if not events:
            return ()
        known: dict[tuple[str, str], bytes] = {}
        # Source by source (there is mostly one): a list of pairs would take the database five times as long.
        for source in sorted({event.source for _, event in events}):
            ids = sorted({event.id for _, event in events if event.source == source})
            query = select(self.effects).where(self.effects.c.source == source, self.effects.c.event_id.in_(ids))
            known |= {(found.source, found.event_id): found.content_hash for found in await connection.execute(query)}
        fresh: list[tuple[Received, Event]] = []
        for received, event in events:
            name, content_hash = (event.source, event.id), hashlib.sha256(event.data).digest()
            if name not in known:
                known[name] = content_hash
                fresh.append((received, event))
            elif known[name] != content_hash:
                reason = f"conflict: {event.source} {event.id} came before with other content"
                await self.park(connection, received, reason, clock)
        recording = [(event.source, event.id, known[event.source, event.id]) for _, event in fresh]
        await self.recording.run(connection, recording)
        return fresh

    async def park(self, connection: AsyncConnection, received: Received, reason: str, clock: Clock) -> None:
        """Set a message aside, whole, with the reason, so that those behind it go on."""
        await connection.execute(
            self.parked.insert().values(
                topic=received.at.topic,
                partition=received.at.partition,
                offset=received.offset,
                key=received.key,
                reason=reason,
                value=received.value,
                parked_at=clock(),
            )
        )

    async def parked_count(self, connection: AsyncConnection) -> int:
        return int((await connection.execute(select(func.count()).select_from(self.parked))).scalar_one())


def offsets_of(batch: Iterable[Received]) -> str:
    """A batch in a word, for the log: ``savings.entries.v1[2] 40..57``."""
    spans: dict[TopicPartition, list[int]] = {}
    for message in batch:
        spans.setdefault(message.at, []).append(message.offset)
    return ", ".join(f"{at.topic}[{at.partition}] {min(span)}..{max(span)}" for at, span in sorted(spans.items()))
