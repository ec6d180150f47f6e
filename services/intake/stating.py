"""The one transaction in which returns are decided and kept, with their events."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake import store
from services.intake.deciding import Accepted, Deciding, Decision, Head, NotTaken
from services.intake.handing_on import message_of
from services.intake.knowing import known_of
from services.intake.statement import Statement, streams_of
from services.intake.together import Together
from services.intake.vocabulary import Vocabulary
from shared.bus.port import Message
from shared.clock import Clock, local_day
from shared.database import Database
from shared.figures import Stream
from shared.metrics import Metrics
from shared.outbox import Relay
from shared.partnership import Partnership

Item = TypeVar("Item")
Result = TypeVar("Result")

#: So many returns are decided before others have their turn; of eight lines each they take a millisecond.
_A_FEW: Final = 5

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
        self._together = Together(self._state_together)

    def today(self) -> date:
        """The day on which a return is read: what "today" means to the councils."""
        return local_day(self._clock())

    async def state(self, statement: Statement) -> Decision:
        """Decide one return and keep it if it may stand; it is committed when this returns.

        It shares a transaction with what others state at the same time, where that is to be had.
        """
        if self.may_be_kept(statement):
            decision = await self._together.state(statement)
            if decision is not None:
                return decision
        [decision] = await self.state_all([statement])
        return decision

    async def state_all(self, statements: Sequence[Statement], *, atomic: bool = False) -> list[Decision]:
        """Decide returns in order and keep those that may stand, in one transaction of their own.

        With ``atomic``, none is kept unless all may stand.
        """
        streams = streams_of(filter(self.may_be_kept, statements))
        if not streams:
            return self.counted(await self.consider(statements), kept=False)

        async def work(connection: AsyncConnection) -> list[Decision]:
            heads = await store.lock_heads(connection, streams)
            decisions = await self.decide(connection, statements, heads)
            accepted = _accepted(decisions)
            if not accepted or (atomic and any(isinstance(decision, NotTaken) for decision in decisions)):
                raise _NothingToKeep(decisions)
            await self.keep(connection, accepted)
            if streams - {one.return_.stream for one in accepted}:
                await store.forget_empty_heads(connection)
            return decisions

        try:
            decisions = await self._in_transaction(work)
        except _NothingToKeep as nothing:
            return self.counted(nothing.decisions, kept=False)
        self._relay.nudge()
        return self.counted(decisions, kept=True)

    async def _state_together(self, statements: Sequence[Statement]) -> Sequence[Decision | None]:
        """Decide returns that have nothing to do with each other, and keep those that may stand in one transaction.

        It waits for no lock: what is about a stream that somebody else holds, or that is new, is left out.
        """

        async def work(connection: AsyncConnection) -> list[Decision | None]:
            heads = await store.lock_free_heads(connection, streams_of(statements))
            free = [statement for statement in statements if statement.stream in heads]
            decided = await self.decide(connection, free, heads)
            each = iter(decided)
            decisions = [next(each) if statement.stream in heads else None for statement in statements]
            accepted = _accepted(decided)
            if not accepted:
                raise _NothingToKeep(decisions)
            await self.keep(connection, accepted)
            return decisions

        try:
            decisions = await self._in_transaction(work)
        except _NothingToKeep as nothing:
            decisions = nothing.decisions
        else:
            self._relay.nudge()
        self.counted([decision for decision in decisions if decision is not None], kept=True)
        return decisions

    async def consider(self, statements: Sequence[Statement]) -> list[Decision]:
        """Decide returns in order as :meth:`state_all` would; nothing is locked and nothing kept."""
        async with self._database.read() as connection:
            heads = await store.read_heads(connection, streams_of(statements))
            return await self.decide(connection, statements, heads)

    async def decide(
        self, connection: AsyncConnection, statements: Sequence[Statement], heads: Mapping[Stream, Head]
    ) -> list[Decision]:
        """Decide returns in order, given where their streams stand; to keep any, their streams must be locked."""
        known = await known_of(connection, statements, heads)
        deciding = Deciding(known, self._partnership, self._clock(), self._new_id)
        return await _a_few_at_a_time(deciding.decide, statements)

    async def keep(self, connection: AsyncConnection, accepted: Sequence[Accepted]) -> None:
        """Write what was accepted, with its events, in the transaction in which it was decided."""
        await store.keep(connection, accepted)
        messages = await _a_few_at_a_time(self._messages_of, accepted)
        await store.outbox.put(connection, messages)

    def _messages_of(self, accepted: Sequence[Accepted]) -> list[Message]:
        return [message_of(one, self._partnership) for one in accepted]

    def counted(self, decisions: list[Decision], *, kept: bool) -> list[Decision]:
        """Decisions that have been committed, or were not to be ``kept``: counted, as they are."""
        if kept:
            self._metrics.accepted(sum(isinstance(decision, Accepted) for decision in decisions))
        for decision in decisions:
            if isinstance(decision, NotTaken):
                self._metrics.refused(decision.error)
        return decisions

    def may_be_kept(self, statement: Statement) -> bool:
        """Whether it is worth a lock: what is of the wrong form, or not the sender's to state, is not."""
        stream = statement.stream
        return statement.reading.is_fine and stream is not None and statement.by.may_state(stream, self._partnership)

    async def _in_transaction(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        try:
            return await self._database.in_transaction(work)
        except IntegrityError:
            # A return with the same key was kept meanwhile in another stream, under another lock. Now it can be seen.
            return await self._database.in_transaction(work)


async def _a_few_at_a_time(work: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
    """Do the work of many returns so that others are answered meanwhile.

    Threads took a fifth longer for it: they wait for each other, and the loop for them.
    """
    done: list[Result] = []
    for start in range(0, len(items), _A_FEW):
        if start:
            await asyncio.sleep(0)
        done += work(items[start : start + _A_FEW])
    return done


def _accepted(decisions: Sequence[Decision]) -> list[Accepted]:
    return [decision for decision in decisions if isinstance(decision, Accepted)]


class _NothingToKeep(Exception):
    """Ends the transaction, and with it the locks, without a trace of what was decided in it."""

    def __init__(self, decisions: list[Any]) -> None:
        super().__init__()
        self.decisions = decisions


def submission_id(recorded_at: datetime) -> str:
    """A UUID of version 7 (RFC 9562, method 3): ids order as the times of recording do, to the microsecond."""
    milliseconds, microseconds = divmod((recorded_at - _EPOCH) // timedelta(microseconds=1), 1000)
    fraction = microseconds * 4096 // 1000
    bits = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(UUID(int=bits))
