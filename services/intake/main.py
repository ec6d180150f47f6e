"""Intake's wiring. Intake decides whether a return may stand, keeps it with its source, and hands it on.

It alone says no: what it has accepted, the tracker posts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import httpx
from fastapi import FastAPI

from migrations import is_current
from services.intake import finding_api, rejections_api, store
from services.intake.api import router
from services.intake.inbox import GROUP, Inbox
from services.intake.listing import Listing
from services.intake.preview import Preview
from services.intake.rejections import Rejections
from services.intake.stating import Stating
from shared.bus.port import Bus
from shared.clock import Clock
from shared.consuming import Consuming
from shared.database import Database
from shared.outbox import Outbox, Relay
from shared.partnership import Partnership
from shared.settings import Settings
from shared.telemetry import Telemetry
from shared.web import Check

#: More than this in the outbox means that the bus is away, or that the relay does not keep up.
WAITING_LIMIT: Final = 10_000
#: With more messages than these waiting on the councils' topics, they are not answered in good time.
LAG_LIMIT: Final = 1_000


class Intake:
    """The service: what it stands on, what it runs, and what it answers over HTTP."""

    def __init__(
        self,
        *,
        settings: Settings,
        partnership: Partnership,
        database: Database,
        bus: Bus,
        clock: Clock,
        tracker: httpx.AsyncClient | None,
        telemetry: Telemetry | None = None,
    ) -> None:
        telemetry = telemetry or Telemetry()
        self.settings = settings
        self.partnership = partnership
        self.database = database
        self.outbox: Outbox = store.outbox
        self.relay = Relay(self.outbox, database, bus, clock, telemetry)
        self.metrics = telemetry.metrics
        self.stating = Stating(partnership, database, self.relay, clock, self.metrics)
        self.listing = Listing(database, partnership)
        self.rejections = Rejections(database, partnership)
        self.preview = Preview(tracker)
        self.inbox = Inbox(partnership, self.stating, clock)
        self.consumed = store.consumed
        self.consuming = Consuming(
            bus=bus,
            database=database,
            consumed=store.consumed,
            topics=self.inbox.topics,
            group=GROUP,
            handle=self.inbox.handle,
            after_commit=self._kept_from_inbox,
            clock=clock,
            telemetry=telemetry,
        )
        self._bus = bus
        self.metrics.look_up_parked("intake.outbox", partial(database.ask, self.outbox.parked_count))
        self.metrics.look_up_parked("intake.parked", partial(database.ask, self.consumed.parked_count))
        self.metrics.look_up_waiting("intake.outbox", partial(database.ask, self.outbox.waiting_count))

    def install(self, app: FastAPI) -> None:
        app.include_router(router)
        app.include_router(finding_api.router)
        app.include_router(rejections_api.router)
        app.state.intake = self

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Relay and read the councils' topics while the block lasts. Should either fail, the block ends with it."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.relay.run(), name="intake relay"),
                group.create_task(self.consuming.run(), name="council topics"),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    def _kept_from_inbox(self) -> None:
        # Only now: a transaction may be tried again, or given up.
        self.stating.counted(self.inbox.decided, kept=True)
        self.relay.nudge()

    @property
    def checks(self) -> Mapping[str, Check]:
        return {
            "migrations": self._migrations_are_current,
            "outbox": self._outbox_keeps_up,
            "inbox": self._inbox_keeps_up,
            "bus": self._bus_is_ready,
        }

    async def _migrations_are_current(self) -> tuple[bool, str]:
        current = await is_current("intake", self.database)
        return current, "newest revision" if current else "run 'savings migrate'"

    async def _outbox_keeps_up(self) -> tuple[bool, str]:
        async with self.database.read() as connection:
            waiting = await self.outbox.waiting_count(connection)
            parked = await self.outbox.parked_count(connection)
        return waiting <= WAITING_LIMIT, f"{waiting} waiting, {parked} parked"

    async def _inbox_keeps_up(self) -> tuple[bool, str]:
        keeps_up, told = await self.consuming.keeps_up(LAG_LIMIT, "messages on the councils' topics wait to be read")
        parked = await self.database.ask(self.consumed.parked_count)
        return keeps_up, f"{told}, {parked} parked"

    async def _bus_is_ready(self) -> tuple[bool, str]:
        ready = await self._bus.ready()
        return ready, "answers" if ready else "does not answer"
