"""Replaying topics from the start into a database beside the live one, exactly as far as the live one has got.

No further: what the live service has not had yet would be a difference that means nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.bus.port import Consumer, Received, TopicPartition
from shared.consuming import Consuming
from shared.database import Database
from shared.positions import Consumed

Positions = Mapping[TopicPartition, int]
#: Told how many events of how many have been replayed.
Progress = Callable[[int, int], None]

#: With fewer than these to go, the live database is held still for the rest, and compared.
NEARLY_THERE: Final = 2_000
_WAIT_SECONDS: Final = 0.2
#: A broker that hands on nothing for so long, of what it says that it has, will not.
_PATIENCE_SECONDS: Final = 60


class LogIncomplete(Exception):
    """The topics do not hold what the live database has had from them; the text says where."""


class UpTo:
    """A consumer that hands on what stands below certain offsets, and tells no lag monitor of it."""

    def __init__(self, consumer: Consumer, standing: Positions, limits: Positions) -> None:
        self._consumer = consumer
        self._untouched = {at for at in limits if not standing.get(at)}
        self._limits = limits

    async def poll(self, max_messages: int, timeout_seconds: float) -> Sequence[Received]:
        found = await self._consumer.poll(max_messages, timeout_seconds)
        for message in found:
            if message.at in self._untouched and message.offset > 0:
                raise LogIncomplete(
                    f"{message.at.topic}[{message.at.partition}] begins at offset {message.offset}: what came before "
                    "has been let go, and nothing can be built from the start any more"
                )
            self._untouched.discard(message.at)
        return [message for message in found if message.offset < self._limits.get(message.at, 0)]

    async def rewind(self) -> None:
        await self._consumer.rewind()

    async def inform(self, positions: Positions) -> None:
        """The group is of this replay alone, and nobody watches it."""

    async def ends(self) -> Positions:
        return await self._consumer.ends()


async def positions(connection: AsyncConnection, consumed: Consumed) -> Positions:
    """The next offset of each partition that a service has read."""
    return {
        TopicPartition(found.topic, found.partition): int(found.next_offset)
        for found in await connection.execute(select(consumed.positions))
    }


async def replay(
    consuming: Consuming, database: Database, consumed: Consumed, limits: Positions, progress: Progress
) -> None:
    """Have the effects, in ``database``, of all that stands below the limits and has not had them there yet.

    Stopped at any moment and begun again, it goes on where it was: each batch and its positions are one transaction.

    Raises:
        LogIncomplete: the topics end before the limits, or do not begin at their beginning.
        BusUnavailable, DatabaseUnavailable: try again later.
    """
    total = sum(limits.values())
    standing = await _standing(database, consumed)
    if _left(standing, limits) == 0:
        progress(total, total)
        return
    async with consuming.subscribed() as consumer:
        bounded = UpTo(consumer, standing, limits)
        moved_at = time.monotonic()
        while left := _left(standing, limits):
            progress(total - left, total)
            if await consuming.run_once(bounded, _WAIT_SECONDS):
                moved_at = time.monotonic()
                standing = await _standing(database, consumed)
            else:
                _complain(await consumer.ends(), standing, limits, time.monotonic() - moved_at)
    progress(total, total)


async def _standing(database: Database, consumed: Consumed) -> Positions:
    async with database.read() as connection:
        return await positions(connection, consumed)


def _left(standing: Positions, limits: Positions) -> int:
    """How many messages are still to come. A broker may leave gaps, so it is how far, rather than how many.

    Raises:
        LogIncomplete: the replay is further than it may be, so it is not a replay of this.
    """
    for at, reached in standing.items():
        if reached > limits.get(at, 0):
            raise LogIncomplete(
                f"what was rebuilt earlier has had {at.topic}[{at.partition}] to offset {reached}, and the live "
                f"database only to {limits.get(at, 0)}: begin anew"
            )
    return sum(limit - standing.get(at, 0) for at, limit in limits.items())


def _complain(ends: Positions, standing: Positions, limits: Positions, quiet_seconds: float) -> None:
    for at, limit in sorted(limits.items()):
        if at in ends and ends[at] < limit:
            raise LogIncomplete(
                f"{at.topic}[{at.partition}] ends at offset {ends[at]}, and the live database has had it to {limit}: "
                "the log is older than the database"
            )
        if standing.get(at, 0) < limit and quiet_seconds > _PATIENCE_SECONDS:
            raise LogIncomplete(
                f"{at.topic}[{at.partition}] hands on nothing from offset {standing.get(at, 0)}, and the live "
                f"database has had it to {limit}"
            )
