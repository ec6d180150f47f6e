"""Building a service's database again from the topics alone, beside the live one, and proving the two equal.

The live database is only read, and nothing is sent: the service goes on working meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.comparing import Difference, Differs, Sides
from shared.consuming import Consuming
from shared.database import Database
from shared.positions import Consumed
from shared.replaying import NEARLY_THERE, Positions, Progress, positions, replay


class Rebuildable(Protocol):
    """What a service knows of its own rebuilding."""

    live: Database
    rebuilt: Database
    consumed: Consumed
    #: Reads the service's topics into the rebuilt database, in a group of its own.
    consuming: Consuming

    async def prepare(self) -> None:
        """Called before each replay."""
        ...

    async def carry_over(self, kept: AsyncConnection) -> None:
        """Copy what is stated in the live database and nowhere else. Again and again, it is there once."""
        ...

    async def compare(self, sides: Sides, progress: Progress) -> int:
        """How many rows are the same on both sides: all.

        Raises:
            Differs: naming the first that is not.
        """
        ...

    async def put_off(self) -> int:
        """With the service stopped, before the swap: take over what it had still to send; how much."""
        ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rebuild came to; ``difference`` is the first, if there is one."""

    events: int
    rows: int
    difference: Difference | None


async def rebuild(service: Rebuildable, replaying: Progress, comparing: Progress) -> Verdict:
    """Replay as far as the live database has got, then compare the two in one state of the live one.

    Raises:
        LogIncomplete: the topics do not hold what the live database has had.
        BusUnavailable, DatabaseUnavailable: what has been replayed is kept; run it again.
    """
    while True:
        async with service.live.read() as kept:
            limits = await positions(kept, service.consumed)
        await _replay(service, limits, replaying)
        async with service.live.read() as kept:
            # From here on everything is compared with this one state, whatever the service does meanwhile.
            final = await positions(kept, service.consumed)
            if sum(final.values()) - sum(limits.values()) > NEARLY_THERE:
                continue
            await _replay(service, final, replaying)
            await service.carry_over(kept)
            async with service.rebuilt.read() as again:
                rows, difference = await _compare(lambda: service.compare(Sides(kept, again), comparing))
            return Verdict(sum(final.values()), rows, difference)


async def is_abreast(service: Rebuildable) -> bool:
    """Whether the rebuilt database has had exactly what the live one has had by now."""
    async with service.live.read() as kept, service.rebuilt.read() as again:
        return await positions(kept, service.consumed) == await positions(again, service.consumed)


async def _replay(service: Rebuildable, limits: Positions, progress: Progress) -> None:
    await service.prepare()
    await replay(service.consuming, service.rebuilt, service.consumed, limits, progress)


async def _compare(compare: Callable[[], Awaitable[int]]) -> tuple[int, Difference | None]:
    try:
        return await compare(), None
    except Differs as differs:
        return 0, differs.difference
