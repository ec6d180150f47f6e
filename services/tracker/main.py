"""The tracker's wiring. The tracker posts accepted returns to the ledgers and answers for any balance, at any date.

It never rejects: what it cannot post is parked, counted and shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI

from services.tracker import store
from services.tracker.handlers import post_returns
from shared.bus.port import Bus
from shared.clock import Clock
from shared.consuming import Consuming
from shared.database import Database
from shared.events import SUBMISSIONS_TOPIC
from shared.outbox import Relay
from shared.partnership import Partnership
from shared.settings import Settings
from shared.web import Check


class Tracker:
    """The service: what it stands on, what it runs, and what it answers over HTTP."""

    def __init__(
        self, *, settings: Settings, partnership: Partnership, database: Database, bus: Bus, clock: Clock
    ) -> None:
        self.settings = settings
        self.partnership = partnership
        self.database = database
        self.outbox = store.outbox
        self.relay = Relay(self.outbox, database, bus, clock)
        self.consuming = Consuming(
            bus=bus,
            database=database,
            consumed=store.consumed,
            topics=[SUBMISSIONS_TOPIC],
            group="savings.tracker",
            handle=partial(post_returns, partnership=partnership.code, clock=clock),
            after_commit=self.relay.nudge,
            clock=clock,
        )

    def install(self, app: FastAPI) -> None:
        app.state.tracker = self

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
        return {}
