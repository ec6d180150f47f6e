"""Reporting: folds posted entries into the tracker table, and answers with it as page, JSON and CSV."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Final

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncConnection

from migrations import is_current
from services.reporting import (
    accounts_api,
    api,
    editions_api,
    handlers,
    live_api,
    rounds_api,
    signing_in,
    static_files,
    store,
)
from services.reporting.answers import Answers
from services.reporting.live import Live
from services.reporting.pages import problems
from services.reporting.pages.routers import PAGES
from services.reporting.signing_in import Door
from services.reporting.word_templates import WordTemplates
from shared.access import Access
from shared.bus.port import Bus, Received
from shared.clock import Clock
from shared.consuming import Consuming
from shared.database import Database
from shared.events import ENTRIES_TOPIC
from shared.partnership import Partnership
from shared.settings import Settings
from shared.telemetry import Telemetry
from shared.web import Check

#: With more events than these waiting to be folded, what is shown is not the newest.
_LAG_LIMIT: Final = 1_000


class Reporting:
    """The wiring of the service. Its background work runs while :meth:`running` does."""

    def __init__(
        self,
        *,
        settings: Settings,
        partnership: Partnership,
        database: Database,
        bus: Bus,
        clock: Clock,
        access: Access,
        telemetry: Telemetry | None = None,
    ) -> None:
        telemetry = telemetry or Telemetry()
        self.partnership = partnership
        self.database = database
        self.word_templates = WordTemplates(settings.word_templates, partnership)
        self.answers = Answers(
            partnership, database, clock, public_url=settings.public_url, word_templates=self.word_templates
        )
        self.live = Live(self.answers.version, settings)
        self.door = Door(settings, partnership, access, clock)
        self._bus = bus
        self._clock = clock
        self.consuming = Consuming(
            bus=bus,
            database=database,
            consumed=store.consumed,
            topics=[ENTRIES_TOPIC],
            group="savings.reporting",
            handle=self._fold,
            after_commit=self._shown,
            clock=clock,
            telemetry=telemetry,
        )
        self._metrics = telemetry.metrics
        self._recorded: Sequence[datetime] = ()
        self._metrics.look_up_parked("reporting.parked", partial(database.ask, store.consumed.parked_count))

    def install(self, app: FastAPI) -> None:
        """Put the service's addresses on an application."""
        app.state.reporting = self
        app.state.draw_problem = problems.draw_problem
        parts = (api, live_api, accounts_api, editions_api, rounds_api, signing_in, static_files)
        for router in (*(part.router for part in parts), *PAGES):
            app.include_router(router)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Fold what is posted, and tell of it, while the block lasts; a failure of either ends it with that failure."""
        async with asyncio.TaskGroup() as tasks:
            work = [
                tasks.create_task(self.consuming.run(), name="reporting.consuming"),
                tasks.create_task(self.live.run(), name="reporting.live"),
            ]
            try:
                yield
            finally:
                for task in work:
                    task.cancel()

    def stopping(self) -> None:
        """The process takes no more requests: what is answered without end comes to its end."""
        self.live.close()

    @property
    def checks(self) -> Mapping[str, Check]:
        return {
            "database": self._check_database,
            "migrations": self._check_migrations,
            "bus": self._check_bus,
            "lag": self._check_lag,
        }

    async def _fold(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        folded = await handlers.fold(connection, batch, self.partnership, self._clock)
        self._recorded = [each.recorded_at for each in folded]

    def _shown(self) -> None:
        # Only now: a transaction may be tried again, or given up.
        self._metrics.shown(self._recorded, self._clock())
        self.live.nudge()

    async def _check_database(self) -> tuple[bool, str]:
        async with self.database.read() as connection:
            version = await store.ledger_version(connection)
            parked = await store.consumed.parked_count(connection)
        return True, f"{version.number} returns folded, {parked} events parked"

    async def _check_migrations(self) -> tuple[bool, str]:
        current = await is_current("reporting", self.database)
        return current, "newest revision" if current else "run 'savings migrate'"

    async def _check_bus(self) -> tuple[bool, str]:
        ready = await self._bus.ready()
        return ready, "answers" if ready else "does not answer"

    async def _check_lag(self) -> tuple[bool, str]:
        return await self.consuming.keeps_up(_LAG_LIMIT, "events wait to be folded")
