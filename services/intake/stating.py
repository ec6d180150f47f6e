"""The one transaction in which returns are decided and kept, with their events."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake import store
from services.intake.deciding import Accepted, Deciding, Decision, Head, NotTaken
from services.intake.form import Reading
from services.intake.handing_on import message_of
from services.intake.knowing import known_of, streams_of
from services.intake.store import Origin
from services.intake.vocabulary import Vocabulary
from shared.clock import Clock, local_day
from shared.correlation import traceparent_now
from shared.database import Database
from shared.figures import Stream
from shared.metrics import Metrics
from shared.outbox import Relay
from shared.partnership import Partnership
from shared.principal import Principal

Result = TypeVar("Result")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Stating:
    """Decides returns, keeps those that may stand, and hands them on."""

    def __init__(
        self,
        partnership: Partnership,
        database: Database,
        relay: Relay,
        clock: Clock,
        metrics: Metrics,
        new_id: Callable[[datetime], str] | None = None,
    ) -> None:
        self.vocabulary = Vocabulary(partnership)
        self._partnership = partnership
        self._database = database
        self._relay = relay
        self._clock = clock
        self._metrics = metrics
        self._new_id = new_id or submission_id

    def today(self) -> date:
        """The day on which a return is read: what "today" means to the councils."""
        return local_day(self._clock())

    async def state(
        self, readings: Sequence[Reading], by: Principal, request_id: str, *, atomic: bool = False
    ) -> list[Decision]:
        """Decide returns in order and keep those that may stand; they are committed when this returns.

        With ``atomic``, none is kept unless all may stand.
        """
        may_be_kept = [reading for reading in readings if self.may_be_kept(reading, by)]
        if not may_be_kept:
            return self.counted(await self.consider(readings, by), kept=False)

        origin = Origin(request_id, traceparent=traceparent_now.get())

        async def work(connection: AsyncConnection) -> list[Decision]:
            streams = streams_of(may_be_kept)
            heads = await store.lock_heads(connection, streams)
            decisions = await self.decide(connection, readings, by, heads)
            accepted = [decision for decision in decisions if isinstance(decision, Accepted)]
            if not accepted or (atomic and any(isinstance(decision, NotTaken) for decision in decisions)):
                raise _NothingToKeep(decisions)
            await self.keep(connection, accepted, by, lambda _: origin)
            if set(streams) - {one.return_.stream for one in accepted}:
                await store.forget_empty_heads(connection)
            return decisions

        try:
            decisions = await self._in_transaction(work)
        except _NothingToKeep as nothing:
            return self.counted(nothing.decisions, kept=False)
        self._relay.nudge()
        return self.counted(decisions, kept=True)

    async def consider(self, readings: Sequence[Reading], by: Principal) -> list[Decision]:
        """Decide returns in order as :meth:`state` would; nothing is locked and nothing kept."""
        async with self._database.read() as connection:
            heads = await store.read_heads(connection, streams_of(readings))
            return await self.decide(connection, readings, by, heads)

    async def decide(
        self, connection: AsyncConnection, readings: Sequence[Reading], by: Principal, heads: Mapping[Stream, Head]
    ) -> list[Decision]:
        """Decide returns in order, given where their streams stand; to keep any, their streams must be locked."""
        known = await known_of(connection, readings, by, heads)
        deciding = Deciding(by, known, self._partnership, self._clock(), self._new_id)
        return await _beside_others(lambda: deciding.decide(readings), len(readings))

    async def keep(
        self,
        connection: AsyncConnection,
        accepted: Sequence[Accepted],
        by: Principal,
        origin_of: Callable[[Accepted], Origin],
    ) -> None:
        """Write what was accepted, with its events, in the transaction in which it was decided."""
        await store.keep(connection, accepted, by, origin_of)
        messages = await _beside_others(
            lambda: [message_of(one, by, self._partnership, origin_of(one)) for one in accepted],
            len(accepted),
        )
        await store.outbox.put(connection, messages)

    def counted(self, decisions: list[Decision], *, kept: bool) -> list[Decision]:
        """Decisions that have been committed, or were not to be ``kept``: counted, as they are."""
        if kept:
            self._metrics.accepted(sum(isinstance(decision, Accepted) for decision in decisions))
        for decision in decisions:
            if isinstance(decision, NotTaken):
                self._metrics.refused(decision.error)
        return decisions

    def may_be_kept(self, reading: Reading, by: Principal) -> bool:
        """Whether it is worth a lock: what is of the wrong form, or not the caller's to state, is not."""
        return (
            reading.is_fine and reading.return_ is not None and by.may_state(reading.return_.stream, self._partnership)
        )

    async def _in_transaction(self, work: Callable[[AsyncConnection], Awaitable[list[Decision]]]) -> list[Decision]:
        try:
            return await self._database.in_transaction(work)
        except IntegrityError:
            # A return with the same key was kept meanwhile in another stream, under another lock. Now it can be seen.
            return await self._database.in_transaction(work)


async def _beside_others(work: Callable[[], Result], returns: int) -> Result:
    """Do the work of this many returns; that of a batch in a thread, so that others are answered meanwhile."""
    return work() if returns == 1 else await asyncio.to_thread(work)


class _NothingToKeep(Exception):
    """Ends the transaction, and with it the locks, without a trace of what was decided in it."""

    def __init__(self, decisions: list[Decision]) -> None:
        super().__init__()
        self.decisions = decisions


def submission_id(recorded_at: datetime) -> str:
    """A UUID of version 7 (RFC 9562, method 3): ids order as the times of recording do, to the microsecond."""
    milliseconds, microseconds = divmod((recorded_at - _EPOCH) // timedelta(microseconds=1), 1000)
    fraction = microseconds * 4096 // 1000
    bits = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(UUID(int=bits))
