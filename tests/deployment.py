"""The whole product in this process, asked over HTTP, its background work stepped by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from savings.demonstration import make_keys
from savings.process import Process
from shared.bus.kafka import KafkaBus
from shared.bus.port import Consumer
from shared.clock import Clock, utc_now
from shared.settings import Settings
from tests.settings import settings_in

SETTLE_DEADLINE_SECONDS = 60


@dataclass
class Deployment:
    """Nothing moves between the services before :meth:`settle` has been called."""

    process: Process
    http: httpx.AsyncClient
    keys: dict[str, str]
    tracker_consumer: Consumer
    reporting_consumer: Consumer

    async def get(self, path: str, by: str, **parameters: Any) -> httpx.Response:
        return await self.http.get(path, params=parameters, headers=self.credential(by))

    async def post(self, path: str, by: str, document: Any, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=document, headers={**self.credential(by), **headers})

    def credential(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[name]}"}

    async def settle(self) -> None:
        """Carry everything accepted so far through the ledgers into the table."""
        assert self.process.intake is not None
        assert self.process.tracker is not None
        assert self.process.reporting is not None
        wait_seconds = 0.02 if isinstance(self.process.bus, KafkaBus) else 0
        async with asyncio.timeout(SETTLE_DEADLINE_SECONDS):
            while True:
                moved = await self.process.intake.relay.run_once()
                moved += await self.process.tracker.consuming.run_once(self.tracker_consumer, wait_seconds)
                moved += await self.process.tracker.relay.run_once()
                moved += await self.process.reporting.consuming.run_once(self.reporting_consumer, wait_seconds)
                if not moved:
                    if await self.process.settled():
                        return
                    # A broker still has something on its way, or a process that was killed still holds its lease.
                    await asyncio.sleep(0.02)


@asynccontextmanager
async def deployed(folder: Path, clock: Clock = utc_now, settings: Settings | None = None) -> AsyncIterator[Deployment]:
    """Migrate, make a key for everybody, and serve; what was used before carries on with its data.

    Without ``settings`` it is the embedded default in the folder.
    """
    process = Process(settings or settings_in(folder), clock=clock)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(process.close)
        async for _ in process.migrate():
            pass
        keys = await make_keys(process.access, process.partnership, folder / "keys.json")
        assert process.intake is not None
        assert process.tracker is not None
        assert process.reporting is not None
        for relay in (process.intake.relay, process.tracker.relay):
            stack.push_async_callback(relay.release)
        yield Deployment(
            process=process,
            http=await stack.enter_async_context(
                httpx.AsyncClient(transport=httpx.ASGITransport(process.app), base_url="http://savings.test")
            ),
            keys=dict(keys),
            tracker_consumer=await stack.enter_async_context(process.tracker.consuming.subscribed()),
            reporting_consumer=await stack.enter_async_context(process.reporting.consuming.subscribed()),
        )
