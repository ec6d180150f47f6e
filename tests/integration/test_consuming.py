"""No message is passed over, whatever goes away in the middle of what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

import migrations
from services.tracker.store import consumed
from shared.bus.embedded import EmbeddedBus
from shared.bus.port import Message, Received, TopicPartition
from shared.clock import utc_now
from shared.consuming import Consuming, Handle
from shared.database import Database, DatabaseUnavailable

TOPIC = "savings.submissions.v1"
A_TURN_SECONDS = 0.2


@asynccontextmanager
async def opened(directory: Path, name: str) -> AsyncIterator[Database]:
    database = Database(f"sqlite+aiosqlite:///{directory}/{name}.db")
    await migrations.upgrade(name, database)  # type: ignore[arg-type]
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path, "bus") as database:
        yield database


@pytest.fixture
async def tracker(tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(tmp_path, "tracker") as database:
        yield database


@pytest.fixture
def bus(log: Database) -> EmbeddedBus:
    return EmbeddedBus(log, partitions=1, clock=utc_now)


def consuming(bus: EmbeddedBus, tracker: Database, handle: Handle) -> Consuming:
    return Consuming(
        bus=bus,
        database=tracker,
        consumed=consumed,
        topics=[TOPIC],
        group="savings.tracker",
        handle=handle,
        after_commit=lambda: None,
        clock=utc_now,
    )


async def publish(bus: EmbeddedBus, *values: bytes) -> None:
    await bus.publish([Message(TOPIC, "ict/partnership", value) for value in values])


async def test_a_poll_whose_time_ends_while_it_reads_passes_nothing_over(
    bus: EmbeddedBus, log: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = log.read
    slow = asyncio.Event()

    @asynccontextmanager
    async def read() -> AsyncIterator[AsyncConnection]:
        async with reading() as connection:
            yield connection
            # The end of a transaction takes a while on a machine with much to do.
            await asyncio.sleep(2 * A_TURN_SECONDS if slow.is_set() else 0)

    async def start_at(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    monkeypatch.setattr(log, "read", read)
    async with bus.subscribe([TOPIC], "g", start_at) as consumer:
        polling = asyncio.create_task(consumer.poll(10, A_TURN_SECONDS))
        await asyncio.sleep(A_TURN_SECONDS / 4)
        slow.set()
        await publish(bus, b"first")
        assert await polling == ()
        slow.clear()
        await publish(bus, b"second")
        assert [message.value for message in await consumer.poll(10, A_TURN_SECONDS)] == [b"first", b"second"]


async def test_nothing_is_passed_over_where_the_way_back_is_cut_too(
    bus: EmbeddedBus, tracker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    handled: list[bytes] = []
    goes_wrong = True

    async def handle(connection: AsyncConnection, batch: Sequence[Received]) -> None:
        nonlocal goes_wrong
        if goes_wrong:
            goes_wrong = False
            away.set()
            raise DatabaseUnavailable("a test")
        handled.extend(message.value for message in batch)

    away = asyncio.Event()
    turned_away = 0
    reading = tracker.read

    @asynccontextmanager
    async def read() -> AsyncIterator[AsyncConnection]:
        nonlocal turned_away
        if away.is_set():
            turned_away += 1
            raise DatabaseUnavailable("a test")
        async with reading() as connection:
            yield connection

    await publish(bus, b"first")
    monkeypatch.setattr(tracker, "read", read)
    running = asyncio.create_task(consuming(bus, tracker, handle)._consume())
    async with asyncio.timeout(20):
        await until(lambda: turned_away > 0)
        await publish(bus, b"second")
        away.clear()
        await until(lambda: b"second" in handled)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert handled == [b"first", b"second"]


async def test_a_partition_that_another_takes_over_while_a_message_is_set_aside_ends_nothing(
    bus: EmbeddedBus, tracker: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handle(connection: AsyncConnection, batch: Sequence[Received]) -> None:
        raise AssertionError("another has had its effects")

    await publish(bus, b"first", b"second")
    reader = consuming(bus, tracker, handle)
    keep = reader._keep

    async def one_of_them_cannot_be_handled(batch: Sequence[Received]) -> Mapping[TopicPartition, int]:
        if len(batch) > 1:
            raise ValueError("a test")
        return await keep(batch)

    monkeypatch.setattr(reader, "_keep", one_of_them_cannot_be_handled)
    async with reader.subscribed() as consumer:
        async with tracker.write() as connection:
            await connection.execute(consumed.positions.insert().values(topic=TOPIC, partition=0, next_offset=2))
        assert await reader.run_once(consumer) == 0
        assert await consumer.poll(10, 0) == []
    async with tracker.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(consumed.parked))).scalar_one() == 0


async def until(holds: Callable[[], bool]) -> None:
    # Nobody is called when it does.
    while not holds():  # noqa: ASYNC110
        await asyncio.sleep(0.01)
