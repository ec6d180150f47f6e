"""What everything above the bus may rely on, whichever adapter stands behind it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

import pytest

from shared.bus.port import Bus, Consumer, Message, MessageRefused, Received, TopicPartition
from shared.database import DatabaseUnavailable


class Positions:
    """A consumer's own record of where it stands."""

    def __init__(self) -> None:
        self.kept: dict[TopicPartition, int] = {}
        self.away = False

    async def start_at(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        if self.away:
            raise DatabaseUnavailable("a test")
        return {at: self.kept.get(at, 0) for at in partitions}

    def keep(self, batch: Sequence[Received]) -> None:
        for message in batch:
            self.kept[message.at] = message.offset + 1


def messages(topic: str, count: int, keys: int = 5) -> list[Message]:
    return [
        Message(topic, f"stream-{number % keys}", f"{number}".encode(), (("ce_id", f"{number}".encode()),))
        for number in range(count)
    ]


async def poll_all(consumer: Consumer, count: int, positions: Positions | None = None) -> list[Received]:
    """Poll until so many have come; fails after a deadline."""
    found: list[Received] = []
    async with asyncio.timeout(15):
        while len(found) < count:
            batch = await consumer.poll(7, 0.5)
            found.extend(batch)
            if positions is not None:
                positions.keep(batch)
    return found


async def test_what_was_published_arrives_whole(bus: Bus, topic: str) -> None:
    sent = Message(topic, "ict/partnership", "£250k".encode(), (("ce_id", b"1"), ("ce_source", b"/savings/intake")))
    assert list(await bus.publish([sent])) == [None]
    async with bus.subscribe([topic], "g", Positions().start_at) as consumer:
        (received,) = await poll_all(consumer, 1)
    assert (received.key, received.value, received.headers) == (sent.key, sent.value, sent.headers)
    assert received.at.topic == topic


async def test_messages_of_one_key_keep_their_order(bus: Bus, topic: str) -> None:
    for start in range(0, 40, 10):
        await bus.publish(messages(topic, 40)[start : start + 10])
    async with bus.subscribe([topic], "g", Positions().start_at) as consumer:
        received = await poll_all(consumer, 40)
    by_key: dict[str | None, list[int]] = defaultdict(list)
    for message in received:
        by_key[message.key].append(int(message.value))
    assert len(by_key) == 5
    assert all(numbers == sorted(numbers) for numbers in by_key.values())
    assert sorted(number for numbers in by_key.values() for number in numbers) == list(range(40))


async def test_offsets_rise_within_a_partition_and_a_key_stays_in_one(bus: Bus, topic: str) -> None:
    await bus.publish(messages(topic, 30))
    async with bus.subscribe([topic], "g", Positions().start_at) as consumer:
        received = await poll_all(consumer, 30)
    offsets: dict[TopicPartition, list[int]] = defaultdict(list)
    partitions: dict[str | None, set[int]] = defaultdict(set)
    for message in received:
        offsets[message.at].append(message.offset)
        partitions[message.key].add(message.at.partition)
    assert all(found == sorted(set(found)) for found in offsets.values())
    assert all(len(found) == 1 for found in partitions.values())


async def test_a_consumer_starts_where_its_own_database_says(bus: Bus, topic: str) -> None:
    await bus.publish(messages(topic, 20))
    positions = Positions()
    async with bus.subscribe([topic], "g", positions.start_at) as consumer:
        await poll_all(consumer, 20, positions)
    await bus.publish(messages(topic, 3))
    async with bus.subscribe([topic], "g", positions.start_at) as consumer:
        assert [int(message.value) for message in sorted(await poll_all(consumer, 3), key=lambda m: m.value)] == [
            0,
            1,
            2,
        ]


async def test_what_was_polled_and_not_kept_comes_again_after_a_rewind(bus: Bus, topic: str) -> None:
    await bus.publish(messages(topic, 10))
    positions = Positions()
    async with bus.subscribe([topic], "g", positions.start_at) as consumer:
        first = await poll_all(consumer, 10)
        await consumer.rewind()
        again = await poll_all(consumer, 10)
    assert {(message.at, message.offset) for message in first} == {(message.at, message.offset) for message in again}


async def test_after_a_rewind_that_failed_nothing_is_passed_over(bus: Bus, topic: str) -> None:
    positions = Positions()
    await bus.publish(messages(topic, 6))
    async with bus.subscribe([topic], "g", positions.start_at) as consumer:
        assert len(await poll_all(consumer, 6)) == 6
        positions.away = True
        with pytest.raises(DatabaseUnavailable):
            await consumer.rewind()
        positions.away = False
        await bus.publish(messages(topic, 1))
        assert len(await poll_all(consumer, 7)) == 7


async def test_a_waiting_poll_is_woken_by_a_new_message(bus: Bus, topic: str) -> None:
    await bus.publish(messages(topic, 1))
    positions = Positions()
    async with bus.subscribe([topic], "g", positions.start_at) as consumer:
        await poll_all(consumer, 1, positions)
        waiting = asyncio.create_task(poll_all(consumer, 1))
        await asyncio.sleep(0)
        await bus.publish(messages(topic, 1))
        assert [message.value for message in await waiting] == [b"0"]


async def test_an_empty_topic_gives_nothing_in_time(bus: Bus, topic: str) -> None:
    async with bus.subscribe([topic], "g", Positions().start_at) as consumer:
        assert list(await consumer.poll(10, 0.05)) == []
        assert await ends_of(consumer) == [0, 0, 0]


async def test_the_ends_count_every_message(bus: Bus, topic: str) -> None:
    await bus.publish(messages(topic, 25))
    async with bus.subscribe([topic], "g", Positions().start_at) as consumer:
        assert sum(await ends_of(consumer)) == 25


async def ends_of(consumer: Consumer) -> list[int]:
    """The end of each partition, once the consumer has been given any."""
    async with asyncio.timeout(15):
        while not (ends := await consumer.ends()):
            await consumer.poll(1, 0.05)
    return list(ends.values())


async def test_a_message_too_large_is_refused_and_the_others_are_taken(bus: Bus, topic: str) -> None:
    small, large = Message(topic, "a", b"1"), Message(topic, "a", b"x" * 2_000_000)
    outcomes = await bus.publish([small, large, small])
    assert [outcome is None for outcome in outcomes] == [True, False, True]
    assert isinstance(outcomes[1], MessageRefused)
    async with bus.subscribe([topic], "g", Positions().start_at) as consumer:
        assert [message.value for message in await poll_all(consumer, 2)] == [b"1", b"1"]


async def test_publishers_at_once_lose_nothing(bus: Bus, topic: str) -> None:
    await asyncio.gather(*(bus.publish(messages(topic, 20)) for _ in range(10)))
    async with bus.subscribe([topic], "g", Positions().start_at) as consumer:
        assert len(await poll_all(consumer, 200)) == 200


async def test_the_bus_says_it_is_ready(bus: Bus) -> None:
    assert await bus.ready()
