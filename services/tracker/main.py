"""The tracker's wiring. The tracker posts accepted returns to the ledgers and answers for any balance, at any date.

It never rejects: what it cannot post is parked, counted and shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection

from migrations import is_current
from services.tracker import store
from services.tracker.answering import Answers
from services.tracker.api import router
from services.tracker.handlers import post_returns
from services.tracker.proving import Proving
from services.tracker.verifying import Progress, Verdict, verify
from shared.bus.port import Bus, Received
from shared.clock import Clock
from shared.consuming import Consuming
from shared.database import Database
from shared.events import SUBMISSIONS_TOPIC
from shared.outbox import Relay
from shared.partnership import Partnership
from shared.settings import Settings
from shared.telemetry import Telemetry
from shared.web import Check

#: With more returns than these waiting to be posted, the ledgers are behind.
_LAG_LIMIT: Final = 1_000
#: More than this in the outbox means that the bus is away, or that the relay does not keep up.
_WAITING_LIMIT: Final = 10_000


class Tracker:
    """The service: what it stands on, what it runs, and what it answers over HTTP."""

    def __init__(
        self,
        *,
        settings: Settings,
        partnership: Partnership,
        database: Database,
        bus: Bus,
        clock: Clock,
        telemetry: Telemetry | None = None,
    ) -> None:
        telemetry = telemetry or Telemetry()
        self.settings = settings
        self.partnership = partnership
        self.database = database
        self.outbox = store.outbox
        self.consumed = store.consumed
        self.answers = Answers(database, partnership)
        self._bus = bus
        self.relay = Relay(self.outbox, database, bus, clock, telemetry)
        self.consuming = Consuming(
            bus=bus,
            database=database,
            consumed=store.consumed,
            topics=[SUBMISSIONS_TOPIC],
            group="savings.tracker",
            handle=self._post,
            after_commit=self._posted,
            clock=clock,
            telemetry=telemetry,
        )
        self._clock = clock
        self._metrics = telemetry.metrics
        self._posting = 0
        self._metrics.look_up_parked("tracker.outbox", partial(database.ask, self.outbox.parked_count))
        self._metrics.look_up_parked("tracker.parked", partial(database.ask, self.consumed.parked_count))
        self._metrics.look_up_waiting("tracker.outbox", partial(database.ask, self.outbox.waiting_count))
        self.proving = Proving(database, partnership, self.consuming)

    def install(self, app: FastAPI) -> None:
        app.state.tracker = self
        app.include_router(router)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Consume and relay while the block lasts. Should either fail, the block ends with its failure."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.consuming.run()), group.create_task(self.relay.run())]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    @property
    def checks(self) -> Mapping[str, Check]:
        return {
            "database": self._check_database,
            "migrations": self._check_migrations,
            "bus": self._check_bus,
            "lag": self._check_lag,
        }

    async def verify(self, progress: Progress) -> Verdict:
        """Re-read every entry of every ledger; ``progress`` is told how far it has got."""
        return await verify(self.database, progress)

    async def _post(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        self._posting = await post_returns(connection, batch, partnership=self.partnership.code, clock=self._clock)

    def _posted(self) -> None:
        # Only now: a transaction may be tried again, or given up.
        self._metrics.posted(self._posting)
        self.relay.nudge()

    async def _check_database(self) -> tuple[bool, str]:
        async with self.database.read() as connection:
            waiting = await self.outbox.waiting_count(connection)
            set_aside = await self.outbox.parked_count(connection) + await self.consumed.parked_count(connection)
        return waiting <= _WAITING_LIMIT, f"{waiting} events wait to be sent, {set_aside} parked"

    async def _check_migrations(self) -> tuple[bool, str]:
        current = await is_current("tracker", self.database)
        return current, "newest revision" if current else "run 'savings migrate'"

    async def _check_bus(self) -> tuple[bool, str]:
        ready = await self._bus.ready()
        return ready, "answers" if ready else "does not answer"

    async def _check_lag(self) -> tuple[bool, str]:
        return await self.consuming.keeps_up(_LAG_LIMIT, "returns wait to be posted")
