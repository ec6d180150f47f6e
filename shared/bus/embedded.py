"""The embedded bus: a durable append-only log in SQLite, in the same process as those who write and read it.

It keeps the promises of the port and no more, so that nothing above it can lean on anything Kafka would not give:
order within a key, at-least-once, positions kept by the reader.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, bindparam, exists, func, select

from shared.bus.port import BusUnavailable, Message, MessageRefused, Received, StartAt, TopicPartition
from shared.clock import Clock, utc_now
from shared.database import Database, DatabaseUnavailable, Moment

MESSAGE_BYTES_LIMIT: Final = 1_500_000

metadata = MetaData()

_log = Table(
    "log",
    metadata,
    Column("topic", String(200), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", Integer, primary_key=True),
    Column("key", String(400), nullable=False),
    Column("headers", String, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("appended_at", Moment, nullable=False),
)

#: Of many partitions few have anything new: asked in one statement, and only those are read.
_ASKED: Final = func.json_each(bindparam("asked", type_=String)).table_valued("value", name="asked").c.value
_WAITING: Final = select(func.json_extract(_ASKED, "$[0]"), func.json_extract(_ASKED, "$[1]")).where(
    exists().where(
        _log.c.topic == func.json_extract(_ASKED, "$[0]"),
        _log.c.partition == func.json_extract(_ASKED, "$[1]"),
        _log.c.offset >= func.json_extract(_ASKED, "$[2]"),
    )
)


class EmbeddedBus:
    """The log of every topic. Readers in the process are woken as soon as something has been appended."""

    def __init__(self, database: Database, *, partitions: int = 4, clock: Clock = utc_now) -> None:
        self._database = database
        self._partitions = partitions
        self._clock = clock
        self._appended = asyncio.Condition()

    async def publish(self, messages: Sequence[Message]) -> Sequence[MessageRefused | None]:
        outcomes: list[MessageRefused | None] = []
        rows: list[dict[str, object]] = []
        appended_at = self._clock()
        try:
            async with self._database.write() as connection:
                next_offsets: dict[TopicPartition, int] = {}
                for message in messages:
                    if len(message.value) > MESSAGE_BYTES_LIMIT:
                        outcomes.append(MessageRefused(f"larger than {MESSAGE_BYTES_LIMIT} bytes"))
                        continue
                    at = TopicPartition(message.topic, self._partition_of(message.key))
                    if at not in next_offsets:
                        last = select(func.max(_log.c.offset)).where(
                            _log.c.topic == at.topic, _log.c.partition == at.partition
                        )
                        found = (await connection.execute(last)).scalar()
                        next_offsets[at] = 0 if found is None else found + 1
                    rows.append(
                        {
                            "topic": at.topic,
                            "partition": at.partition,
                            "offset": next_offsets[at],
                            "key": message.key,
                            "headers": json.dumps([[name, value.decode()] for name, value in message.headers]),
                            "value": message.value,
                            "appended_at": appended_at,
                        }
                    )
                    next_offsets[at] += 1
                    outcomes.append(None)
                if rows:
                    await connection.execute(_log.insert(), rows)
        except DatabaseUnavailable as error:
            raise BusUnavailable(f"the embedded log cannot be written: {error}") from error
        async with self._appended:
            self._appended.notify_all()
        return outcomes

    @asynccontextmanager
    async def subscribe(self, topics: Sequence[str], group: str, start_at: StartAt) -> AsyncIterator[EmbeddedConsumer]:
        every = [TopicPartition(topic, partition) for topic in topics for partition in range(self._partitions)]
        consumer = EmbeddedConsumer(self._database, self._appended, every, start_at)
        await consumer.rewind()
        yield consumer

    async def ready(self) -> bool:
        async with self._database.read() as connection:
            await connection.execute(select(_log.c.offset).limit(1))
        return True

    def _partition_of(self, key: str) -> int:
        return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest()) % self._partitions


class EmbeddedConsumer:
    """The only member of its group: it reads every partition."""

    def __init__(
        self,
        database: Database,
        appended: asyncio.Condition,
        partitions: Sequence[TopicPartition],
        start_at: StartAt,
    ) -> None:
        self._database = database
        self._appended = appended
        self._partitions = partitions
        self._start_at = start_at
        self._next: dict[TopicPartition, int] = {}

    async def poll(self, max_messages: int, timeout_seconds: float) -> Sequence[Received]:
        batch = await self._read(max_messages)
        if batch or timeout_seconds <= 0:
            return batch
        try:
            async with asyncio.timeout(timeout_seconds), self._appended:
                # What was appended between the read above and this lock would be waited for in vain: look again.
                while not (batch := await self._read(max_messages)):
                    await self._appended.wait()
        except TimeoutError:
            return ()
        return batch

    async def rewind(self) -> None:
        # Where it fails, nothing more is handed on until it has been done.
        self._next = {}
        self._next = dict(await self._start_at(self._partitions))

    async def inform(self, positions: Mapping[TopicPartition, int]) -> None:
        """The embedded log has no lag monitor of its own; ``/readyz`` reads the positions themselves."""

    async def ends(self) -> Mapping[TopicPartition, int]:
        query = select(_log.c.topic, _log.c.partition, func.max(_log.c.offset)).group_by(_log.c.topic, _log.c.partition)
        ends = dict.fromkeys(self._partitions, 0)
        async with self._database.read() as connection:
            for topic, partition, last in await connection.execute(query):
                if (at := TopicPartition(topic, partition)) in ends:
                    ends[at] = last + 1
        return ends

    async def _read(self, max_messages: int) -> Sequence[Received]:
        batch: list[Received] = []
        if not self._next:
            await self.rewind()
        # Not in place: a poll whose time ends in the middle of a read hands nothing on, and must not move on either.
        following = dict(self._next)
        try:
            async with self._database.read() as connection:
                asked = json.dumps([[at.topic, at.partition, self._next[at]] for at in self._partitions])
                waiting = {(topic, at) for topic, at in await connection.execute(_WAITING, {"asked": asked})}
                for at in self._partitions:
                    if (at.topic, at.partition) not in waiting:
                        continue
                    query = (
                        select(_log.c.offset, _log.c.key, _log.c.value, _log.c.headers)
                        .where(
                            _log.c.topic == at.topic,
                            _log.c.partition == at.partition,
                            _log.c.offset >= self._next[at],
                        )
                        .order_by(_log.c.offset)
                        .limit(max_messages - len(batch))
                    )
                    for offset, key, value, headers in await connection.execute(query):
                        pairs = tuple((name, text.encode()) for name, text in json.loads(headers))
                        batch.append(Received(at, offset, key, value, pairs))
                        following[at] = offset + 1
                    if len(batch) >= max_messages:
                        break
        except DatabaseUnavailable as error:
            raise BusUnavailable(f"the embedded log cannot be read: {error}") from error
        self._next = following
        # A full first partition must not starve the others: start with the next one.
        self._partitions = [*self._partitions[1:], *self._partitions[:1]]
        return batch
