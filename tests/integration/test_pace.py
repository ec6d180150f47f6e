"""What comes close together is carried together; and a relay that lost its lease finds out before it counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

import migrations
from services.tracker.store import consumed, outbox
from shared.bus.port import Message, MessageRefused, Received, StartAt, TopicPartition
from shared.clock import utc_now
from shared.consuming import Consuming
from shared.database import Database
from shared.events import ENTRIES_TOPIC
from shared.outbox import FencedOff, Relay

AT = TopicPartition("savings.test", 0)
ONE = Message(ENTRIES_TOPIC, "ict/E10000011", b"{}")
COUNT = 40
#: Longer than in service, so that several messages come within it.
GATHER_SECONDS = 0.03
APART_SECONDS = 0.005
DEADLINE_SECONDS = 20


class Wire:
    """A bus that gives each message as soon as it is there, and remembers what was sent together."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[Received] = asyncio.Queue()
        self.sent: list[int] = []

    @asynccontextmanager
    async def subscribe(self, topics: Sequence[str], group: str, start_at: StartAt) -> AsyncIterator[Wire]:
        await start_at([AT])
        yield self

    async def poll(self, max_messages: int, timeout_seconds: float) -> Sequence[Received]:
        batch = [await self.arrived.get()]
        while not self.arrived.empty():
            batch.append(self.arrived.get_nowait())
        return batch

    async def rewind(self) -> None:
        raise AssertionError("nobody else reads")

    async def inform(self, positions: Mapping[TopicPartition, int]) -> None:
        """Nobody watches."""

    async def ends(self) -> Mapping[TopicPartition, int]:
        return {}

    async def publish(self, messages: Sequence[Message]) -> Sequence[MessageRefused | None]:
        self.sent.append(len(messages))
        return [None for _ in messages]

    async def ready(self) -> bool:
        return True


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'tracker.db'}")
    await migrations.upgrade("tracker", database)
    yield database
    await database.close()


async def seconds_for_all(come: Callable[[int], Awaitable[None]], counts: Sequence[int]) -> float:
    """One message after the other comes, until all have been counted."""
    started = time.monotonic()
    for number in range(COUNT):
        await come(number)
        await asyncio.sleep(APART_SECONDS)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while sum(counts) < COUNT:  # noqa: ASYNC110 - it calls nobody back
            await asyncio.sleep(APART_SECONDS)
    return time.monotonic() - started


async def write_one(database: Database) -> None:
    async with database.write() as connection:
        await outbox.put(connection, [ONE])


async def test_messages_that_come_close_together_share_a_transaction(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.consuming.GATHER_SECONDS", GATHER_SECONDS)
    wire, batches = Wire(), list[int]()

    async def handle(_connection: AsyncConnection, batch: Sequence[Received]) -> None:
        batches.append(len(batch))

    async def come(number: int) -> None:
        await wire.arrived.put(Received(AT, number, "key", b"", ()))

    consuming = Consuming(
        bus=wire,
        database=database,
        consumed=consumed,
        topics=[AT.topic],
        group="test",
        handle=handle,
        after_commit=lambda: None,
        clock=utc_now,
    )
    running = asyncio.create_task(consuming.run())
    seconds = await seconds_for_all(come, batches)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert sum(batches) == COUNT
    assert len(batches) <= seconds / GATHER_SECONDS + 2


async def test_messages_written_close_together_are_sent_together(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.outbox.GATHER_SECONDS", GATHER_SECONDS)
    wire = Wire()
    relay = Relay(outbox, database, wire, utc_now)
    running = asyncio.create_task(relay.run())

    async def come(_number: int) -> None:
        await write_one(database)
        relay.nudge()

    seconds = await seconds_for_all(come, wire.sent)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert sum(wire.sent) == COUNT
    assert len(wire.sent) <= seconds / GATHER_SECONDS + 2


async def test_a_relay_that_lost_its_lease_takes_nothing_out_of_the_outbox_and_asks_anew(database: Database) -> None:
    wire = Wire()
    relay = Relay(outbox, database, wire, utc_now)
    await write_one(database)
    assert await relay.run_once() == 1
    # Its clock stood still for a while, say: it believes that it holds the lease, which another has had since.
    async with database.write() as connection:
        await connection.execute(outbox.lease.update().values(holder="another", fence=outbox.lease.c.fence + 1))
    await write_one(database)
    with pytest.raises(FencedOff):
        await relay.run_once()
    assert await database.ask(outbox.waiting_count) == 1
    assert await relay.run_once() == 0
    assert len(wire.sent) == 2
