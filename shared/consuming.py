"""The loop of a consumer: a batch from the bus, one transaction that has its effects and moves its position.

A message that cannot be handled is set aside (parked) with its reason, so that those behind it go on; an outage parks
nothing, it is waited out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.behind import LOOK_SECONDS, OUTAGE_SECONDS, SLOW_SECONDS, STUCK_SECONDS, Behind, Lag, Stuck
from shared.bus.port import Bus, BusUnavailable, Consumer, Received, TopicPartition
from shared.clock import Clock
from shared.correlation import correlation_id_of, lines_of_ids
from shared.database import Database, DatabaseUnavailable
from shared.positions import Consumed, PositionMoved, offsets_of
from shared.telemetry import Telemetry

BATCH: Final = 500
WAIT_SECONDS: Final = 1.0
#: A batch of one costs nearly as much as one of fifty: what comes within this time of a batch goes into the next one.
GATHER_SECONDS: Final = 0.005
_OUTAGE_PAUSE_SECONDS: Final = 0.5
_LOOK_TIMEOUT_SECONDS: Final = 3

log = structlog.get_logger(__name__)

#: Has the effects of a batch on the given connection; the transaction is the caller's.
Handle = Callable[[AsyncConnection, Sequence[Received]], Awaitable[None]]


class Consuming:
    """Feeds the messages of some topics to a handler, each batch in one transaction of the service's database."""

    def __init__(
        self,
        *,
        bus: Bus,
        database: Database,
        consumed: Consumed,
        topics: Sequence[str],
        group: str,
        handle: Handle,
        after_commit: Callable[[], None],
        clock: Clock,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._bus = bus
        self._database = database
        self._consumed = consumed
        self._topics = topics
        self._group = group
        self._handle = handle
        self._after_commit = after_commit
        self._clock = clock
        self._consumer: Consumer | None = None
        self._standing: dict[TopicPartition, int] = {}
        telemetry = telemetry or Telemetry()
        self._seconds = telemetry.seconds
        self._tracing = telemetry.tracing
        self._behind = Behind()
        self._met_outage = False
        self._told_at = self._seconds()
        telemetry.metrics.look_up_lag(group, self.lag)

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[Consumer]:
        """A consumer that starts where the database says; :meth:`run` uses it, and tests that step by hand."""
        async with self._bus.subscribe(self._topics, self._group, self._start_at) as consumer:
            self._consumer = consumer
            try:
                yield consumer
            finally:
                self._consumer = None

    async def run(self) -> None:
        """Consume until cancelled. A bus that is away is waited for, at the start as later.

        Raises:
            Stuck: messages wait, and none of them has had its effects for a minute.
        """
        while True:
            async with asyncio.TaskGroup() as group:
                consuming = group.create_task(self._consume(), name=self._group)
                await self._watch()
                consuming.cancel()

    async def _consume(self) -> None:
        while True:
            try:
                async with self.subscribed() as consumer:
                    await self._run_with(consumer)
            except (BusUnavailable, DatabaseUnavailable) as error:
                self._met_outage = True
                log.warning("consuming.cannot_subscribe", group=self._group, error=str(error))
                await asyncio.sleep(_OUTAGE_PAUSE_SECONDS)

    async def _watch(self) -> None:
        """Look every few seconds; returns where it should be subscribed anew."""
        self._told_at = self._seconds()
        while True:
            if not await self.watch():
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def watch(self) -> bool:
        """Look whether anything moves; :meth:`run` does so every few seconds, and tests by hand.

        False where nobody could say for half a minute though the bus answers whoever asks it anew: it is our connection
        to it. Likewise after ten minutes, whatever it is.

        Raises:
            Stuck: see :meth:`run`. An outage that was met as one is waited out, for ten times as long.
        """
        lag, now = await self.lag(), self._seconds()
        if lag is None:
            self._behind.excuse(now)
            silent_seconds = now - self._told_at
            if silent_seconds < SLOW_SECONDS or (silent_seconds < OUTAGE_SECONDS and not await self._bus.ready()):
                return True
            log.error("consuming.subscribing_anew", group=self._group, seconds=round(silent_seconds))
            return False
        self._told_at = now
        still = self._behind.still(now)
        if still is None or still.seconds < SLOW_SECONDS:
            self._met_outage = False
            return True
        told = log.bind(group=self._group, place=still.place, waiting=still.waiting, still_seconds=round(still.seconds))
        if still.seconds < (OUTAGE_SECONDS if self._met_outage else STUCK_SECONDS):
            told.warning("consuming.still", outage=self._met_outage)
            return True
        told.error("consuming.stuck")
        raise Stuck(f"{self._group}: {still}. The process ends, to be started again.")

    async def _run_with(self, consumer: Consumer) -> None:
        while True:
            started = self._seconds()
            try:
                handled = await self.run_once(consumer)
                if handled < BATCH:
                    await asyncio.sleep(started + GATHER_SECONDS - self._seconds())
            except (BusUnavailable, DatabaseUnavailable) as error:
                self._met_outage = True
                log.warning("consuming.outage", group=self._group, error=str(error))
                await self._rewind_when_possible(consumer)

    async def run_once(self, consumer: Consumer, timeout_seconds: float = WAIT_SECONDS) -> int:
        """Handle the next batch; how many messages it had."""
        batch = await consumer.poll(BATCH, timeout_seconds)
        if not batch:
            return 0
        try:
            positions = await self._keep_or_park(batch)
        except PositionMoved as moved:
            log.info("consuming.position_moved", group=self._group, detail=str(moved))
            await consumer.rewind()
            return 0
        await consumer.inform(positions)
        return len(batch)

    async def lag_messages(self) -> int:
        """How many messages have not had their effects yet, over all partitions read here."""
        if self._consumer is None:
            return 0
        return (await self._look(self._consumer)).messages

    async def lag(self) -> Lag | None:
        """How far behind it is; None while that cannot be told: not subscribed, or the bus is away."""
        if self._consumer is None:
            return None
        try:
            async with asyncio.timeout(_LOOK_TIMEOUT_SECONDS):
                return await self._look(self._consumer)
        except (BusUnavailable, TimeoutError) as error:
            log.warning("consuming.lag_not_known", group=self._group, error=repr(error))
            return None

    async def keeps_up(self, limit_messages: int, waits_for: str) -> tuple[bool, str]:
        """A check for ``/readyz``: no more than so many messages wait, and those that do are being worked on."""
        lag_messages = await self.lag_messages()
        still = self._behind.still(self._seconds())
        if still is not None and still.seconds >= SLOW_SECONDS:
            return False, str(still)
        return lag_messages <= limit_messages, f"{lag_messages} {waits_for}"

    async def _look(self, consumer: Consumer) -> Lag:
        ends = await consumer.ends()
        now = self._seconds()
        self._behind.look(
            now, {f"{at.topic}[{at.partition}]": (self._standing.get(at, 0), end) for at, end in ends.items()}
        )
        return self._behind.lag(now)

    async def _keep_or_park(self, batch: Sequence[Received]) -> Mapping[TopicPartition, int]:
        try:
            return await self._keep(batch)
        except (DatabaseUnavailable, PositionMoved):
            raise
        except Exception:
            # One of them cannot be handled: have the effects of the others one by one, and set that one aside.
            log.exception("consuming.batch_failed", group=self._group, batch=offsets_of(batch))
        return await self._keep_one_by_one(batch)

    async def _keep(self, batch: Sequence[Received]) -> Mapping[TopicPartition, int]:
        if self._tracing is None:
            return await self._keep_together(batch)
        with self._tracing.handling(batch) as traced:
            return await self._keep_together(traced)

    async def _keep_together(self, batch: Sequence[Received]) -> Mapping[TopicPartition, int]:
        async def work(connection: AsyncConnection) -> Mapping[TopicPartition, int]:
            positions = await self._consumed.advance(connection, batch, self._standing)
            await self._handle(connection, batch)
            return positions

        positions = await self._database.in_transaction(work)
        self._standing |= positions
        self._after_commit()
        offsets = offsets_of(batch)
        for ids in lines_of_ids(batch):
            log.info("consuming.kept", group=self._group, batch=offsets, correlation_ids=ids)
        return positions

    async def _keep_one_by_one(self, batch: Sequence[Received]) -> Mapping[TopicPartition, int]:
        positions: dict[TopicPartition, int] = {}
        for message in batch:
            try:
                positions |= await self._keep([message])
            except (DatabaseUnavailable, PositionMoved):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it must not hold up what stands behind it
                reason = f"{type(error).__name__}: {error.orig if isinstance(error, DBAPIError) else error}"
                log.error(
                    "consuming.parked",
                    group=self._group,
                    at=offsets_of([message]),
                    reason=reason,
                    correlation_id=correlation_id_of(message.headers),
                )
                positions |= await self._park(message, reason)
        return positions

    async def _park(self, message: Received, reason: str) -> Mapping[TopicPartition, int]:
        async with self._database.write() as connection:
            positions = await self._consumed.advance(connection, [message], self._standing)
            await self._consumed.park(connection, message, reason, self._clock)
        self._standing |= positions
        return positions

    async def _start_at(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        async with self._database.read() as connection:
            positions = await self._consumed.start_at(connection, partitions)
        self._standing |= positions
        return positions

    async def _rewind_when_possible(self, consumer: Consumer) -> None:
        """What was handed on has had no effects: until it is handed on again, nothing behind it may be."""
        while True:
            await asyncio.sleep(_OUTAGE_PAUSE_SECONDS)
            try:
                return await consumer.rewind()
            except (BusUnavailable, DatabaseUnavailable) as error:
                log.warning("consuming.still_out", group=self._group, error=str(error))
