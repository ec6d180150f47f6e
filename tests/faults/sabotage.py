"""Five ways to break the product on purpose, from outside. Each must turn the fault tests red."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

from services.intake.stating import Stating
from shared.consuming import Consuming
from shared.outbox import Relay
from shared.positions import Consumed
from tests.faults.points import Put, around

#: Long enough for the answer to be on its way to the client.
_COMMITS_LATER_SECONDS = 0.2


class Sabotage(StrEnum):
    NO_DEDUPE = "no dedupe"
    OFFSET_FIRST = "offset moved first"
    CURSOR_RELAY = "cursor relay"
    NO_FENCING = "no fencing"
    ANSWER_FIRST = "answer before commit"


def commit(sabotage: Sabotage, put: Put = setattr) -> None:
    """Break it.

    Raises:
        LookupError: what it breaks is not there any more.
    """
    match sabotage:
        case Sabotage.NO_DEDUPE:
            around(Consumed, "first_time", _takes_every_event_for_new, put)
        case Sabotage.OFFSET_FIRST:
            around(Consuming, "_keep", _commits_the_position_alone_first, put)
        case Sabotage.CURSOR_RELAY:
            around(Relay, "_next_batch", _remembers_the_last_id, put)
        case Sabotage.NO_FENCING:
            around(Relay, "_take_lease", _works_without_a_lease, put)
            around(Relay, "_hold_lease", _does_not_ask_for_the_lease, put)
        case Sabotage.ANSWER_FIRST:
            around(Stating, "_in_transaction", _answers_before_it_commits, put)


def slowly(workstream: str, seconds: float, put: Put = setattr) -> None:
    """No sabotage: whoever states about that workstream takes so long from writing to committing."""

    def make(original: Any) -> Any:
        async def keep(self: Any, connection: Any, accepted: Any, *rest: Any) -> None:
            await original(self, connection, accepted, *rest)
            if any(one.return_.stream.workstream == workstream for one in accepted):
                await asyncio.sleep(seconds)

        return keep

    around(Stating, "keep", make, put)


def _takes_every_event_for_new(_: Any) -> Any:
    async def first_time(self: Any, connection: Any, events: Sequence[Any], clock: Any) -> Sequence[Any]:
        return events

    return first_time


def _commits_the_position_alone_first(_: Any) -> Any:
    async def keep(self: Any, batch: Any) -> Any:
        positions = await self._database.in_transaction(
            lambda connection: self._consumed.advance(connection, batch, self._standing)
        )
        self._standing |= positions
        await self._database.in_transaction(lambda connection: self._handle(connection, batch))
        self._after_commit()
        return positions

    return keep


def _remembers_the_last_id(original: Any) -> Any:
    async def next_batch(self: Any) -> Any:
        ids, messages = await original(self)
        last = getattr(self, "last_id_of_the_sabotage", 0)
        beyond = [(id_, message) for id_, message in zip(ids, messages, strict=True) if id_ > last]
        if beyond:
            self.last_id_of_the_sabotage = beyond[-1][0]
        return [id_ for id_, _ in beyond], [message for _, message in beyond]

    return next_batch


def _works_without_a_lease(_: Any) -> Any:
    async def take_lease(self: Any) -> int:
        return 0

    return take_lease


def _does_not_ask_for_the_lease(_: Any) -> Any:
    async def hold_lease(self: Any, connection: Any, fence: int) -> None:
        return None

    return hold_lease


def _answers_before_it_commits(original: Callable[..., Any]) -> Any:
    async def in_transaction(self: Any, work: Any) -> Any:
        decided: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        async def answers_first(connection: Any) -> Any:
            decisions = await work(connection)
            if not decided.done():
                decided.set_result(decisions)
            await asyncio.sleep(_COMMITS_LATER_SECONDS)
            return decisions

        committing = asyncio.ensure_future(original(self, answers_first))
        self.committing_of_the_sabotage = committing  # or it would be collected under way
        await asyncio.wait([decided, committing], return_when=asyncio.FIRST_COMPLETED)
        return decided.result() if decided.done() else await committing

    return in_transaction
