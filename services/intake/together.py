"""Returns that are stated singly at the same time are kept together: one transaction and one commit for all of them.

Who states while nobody else does waits for nothing: a transaction begins at once. Those that come while transactions
are under way gather, and the next one takes them. To each it is as if it had been alone: whatever cannot be had
together, or goes wrong together, is left to be stated alone by whoever asked for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Final

import structlog

from services.intake.deciding import Decision
from services.intake.schemas import LINES_LIMIT
from services.intake.statement import Statement, streams_of
from shared.database import DatabaseUnavailable
from shared.figures import Stream

#: One transaction is written while returns are read for the next, and one that is slow does not hold up all others.
AT_ONCE: Final = 2

#: Decides and keeps returns in one transaction, committed when it returns; ``None`` for what has to be stated alone.
KeepTogether = Callable[[Sequence[Statement]], Awaitable[Sequence[Decision | None]]]

log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Waiting:
    statement: Statement
    decided: asyncio.Future[Decision | None]


class Together:
    """Gathers what is stated at the same time."""

    def __init__(self, keep: KeepTogether) -> None:
        self._keep = keep
        self._waiting: list[_Waiting] = []
        #: The transactions under way, and what they are about.
        self._under_way: dict[asyncio.Task[None], set[Stream]] = {}

    async def state(self, statement: Statement) -> Decision | None:
        """What was decided of a return that may be kept, together with others; committed when this returns.

        ``None`` where that was not to be, and nothing of it was kept: it has to be stated alone.

        Raises:
            DatabaseUnavailable: it may have been kept or not.
        """
        waiting = _Waiting(statement, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        # Not before the others that are read in this turn of the loop: they share it.
        asyncio.get_running_loop().call_soon(self._begin)
        return await waiting.decided

    def _begin(self) -> None:
        while len(self._under_way) < AT_ONCE and (group := self._next_group()):
            # It is nobody's own: no request's id stands in its log lines.
            task = asyncio.get_running_loop().create_task(self._state(group), name="returns", context=Context())
            self._under_way[task] = streams_of(one.statement for one in group)
            task.add_done_callback(self._end)

    def _next_group(self) -> list[_Waiting]:
        """Those that came first, about streams that no transaction under way is about; not more than one may hold."""
        not_now: set[Stream | None] = set().union(*self._under_way.values())
        group: list[_Waiting] = []
        left: list[_Waiting] = []
        lines = 0
        for one in self._waiting:
            stream = one.statement.stream
            if stream in not_now or (group and lines + one.statement.lines > LINES_LIMIT):
                # Nor what came later about its stream: that stays behind it.
                not_now.add(stream)
                left.append(one)
            else:
                lines += one.statement.lines
                group.append(one)
        self._waiting = left
        return group

    async def _state(self, group: Sequence[_Waiting]) -> None:
        decisions: Sequence[Decision | None]
        try:
            decisions = await self._keep([one.statement for one in group])
        except DatabaseUnavailable as error:
            for one in group:
                if not one.decided.done():
                    one.decided.set_exception(DatabaseUnavailable(str(error)))
            return
        except Exception:
            # One of them is at fault; alone, the others are not harmed by it.
            log.warning("intake.not_together", returns=len(group), exc_info=True)
            decisions = [None] * len(group)
        for one, decision in zip(group, decisions, strict=True):
            if not one.decided.done():
                one.decided.set_result(decision)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._begin()
