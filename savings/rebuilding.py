"""Rebuilding a service's database beside the live one, and putting it in its place when that is asked for."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack

import migrations
from savings.places import Place, place_of
from savings.process import Process
from services.reporting.rebuilding import RebuildingTable
from services.tracker.rebuilding import RebuildingLedgers
from shared.clock import Clock, utc_now
from shared.database import Database
from shared.rebuilding import Rebuildable, Verdict, is_abreast, rebuild
from shared.replaying import Progress
from shared.settings import ServiceName, Settings

#: Asked, after a comparison, whether to go on with the exchange.
Agreed = Callable[[Verdict], bool]


class NotCurrent(Exception):
    """The live database is of another version than this code."""


class Rebuilder:
    """The rebuilding of one service: ``tracker`` or ``reporting``."""

    def __init__(self, settings: Settings, name: ServiceName, clock: Clock = utc_now) -> None:
        self._settings = settings
        self._name = name
        self._clock = clock
        self.place: Place = place_of(settings, name)

    async def prove(self, *, fresh: bool, replaying: Progress, comparing: Progress) -> Verdict:
        """Replay, or go on with what an earlier call has replayed unless it is to be ``fresh``, and compare.

        Raises:
            NotCurrent: the live database has to be migrated first.
            LogIncomplete, BusUnavailable, DatabaseUnavailable: see :func:`shared.rebuilding.rebuild`.
        """
        if fresh:
            await self.place.clear()
        async with AsyncExitStack() as stack:
            return await rebuild(await self._opened(stack), replaying, comparing)

    async def exchange(self, *, replaying: Progress, comparing: Progress, agreed: Agreed) -> tuple[Verdict, str | None]:
        """With the service stopped: catch up, compare, and put the rebuilt database in place of the live one.

        Returns what the comparison came to, and where the old database is; ``None`` where it was not agreed to.

        Raises:
            InUse: the service runs, or something happened meanwhile; nothing was changed.
        """
        await self.place.require_stopped()
        async with AsyncExitStack() as stack:
            service = await self._opened(stack)
            verdict = await rebuild(service, replaying, comparing)
            if not agreed(verdict):
                return verdict, None
            await service.put_off()
            if not await is_abreast(service):
                raise NotCurrent(f"{self._name} has gone on meanwhile: stop it, and begin again")
        return verdict, await self.place.exchange()

    async def _opened(self, stack: AsyncExitStack) -> Rebuildable:
        process = Process(self._settings, (self._name,), self._clock)
        stack.push_async_callback(process.close)
        live = process.database(self._name)
        if not await migrations.is_current(self._name, live):
            raise NotCurrent("The live database is not of this version. Run 'savings migrate' first.")
        rebuilt = self.place.rebuilt()
        stack.push_async_callback(rebuilt.close)
        await migrations.upgrade(self._name, rebuilt)
        return self._rebuildable(process, live, rebuilt)

    def _rebuildable(self, process: Process, live: Database, rebuilt: Database) -> Rebuildable:
        # A group of this run alone: nobody waits for the members of one that was killed.
        group = f"savings.{self._name}.rebuild.{secrets.token_hex(4)}"
        if self._name == "tracker":
            return RebuildingLedgers(
                live=live,
                rebuilt=rebuilt,
                bus=process.bus,
                partnership=process.partnership.code,
                clock=self._clock,
                group=group,
            )
        return RebuildingTable(
            live=live,
            rebuilt=rebuilt,
            bus=process.bus,
            partnership=process.partnership,
            clock=self._clock,
            group=group,
        )
