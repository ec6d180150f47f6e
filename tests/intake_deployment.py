"""Intake alone, on real databases, asked over HTTP within this process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from sqlalchemy import func, select

import migrations
from services.intake import tables
from services.intake.main import Intake
from shared.access import Access
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Event, from_message
from shared.bus.port import TopicPartition
from shared.clock import Clock
from shared.database import Database
from shared.events import SUBMISSIONS_TOPIC
from shared.principal import Principal
from shared.settings import DatabaseName, Settings
from shared.web import create_app
from tests.builders import EVERYBODY, SE7
from tests.settings import RATE_LIMIT_OUT_OF_THE_WAY

UrlOf = Callable[[DatabaseName], str]

NOON = datetime(2012, 1, 26, 12, tzinfo=UTC)


def from_noon_on() -> Clock:
    """A clock that starts at noon on 26 January 2012 and goes on by a millisecond whenever it is looked at."""
    looks = count()
    return lambda: NOON + timedelta(milliseconds=next(looks))


#: The relay's lease, and what is kept of the councils' topics.
_CONSUMED = (tables.consumed.positions, tables.consumed.effects, tables.consumed.parked)
_OTHERS = (tables.outbox.lease, tables.rejections, *_CONSUMED)


@dataclass
class IntakeDeployment:
    app: FastAPI
    intake: Intake
    access: Access
    bus: EmbeddedBus
    http: httpx.AsyncClient
    keys: dict[str, str]

    async def post(self, document: Any, by: Principal, path: str = "/v1/submissions", **more: Any) -> httpx.Response:
        """Send a document as JSON; ``key`` is the idempotency key, other names are parameters of the query."""
        return await self.post_bytes(json.dumps(document).encode(), by, path, **more)

    async def post_bytes(
        self,
        body: bytes,
        by: Principal,
        path: str = "/v1/submissions",
        *,
        key: str | None = None,
        content_type: str | None = "application/json",
        **parameters: Any,
    ) -> httpx.Response:
        headers = self.credential(by)
        headers |= {} if key is None else {"Idempotency-Key": key}
        headers |= {} if content_type is None else {"Content-Type": content_type}
        return await self.http.post(path, content=body, headers=headers, params=parameters)

    async def get(self, path: str, by: Principal, **parameters: Any) -> httpx.Response:
        return await self.http.get(path, headers=self.credential(by), params=parameters or None)

    def credential(self, by: Principal) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[by.name]}"}

    async def kept(self) -> dict[str, int]:
        """How many rows each table has that returns over HTTP write to."""
        async with self.intake.database.read() as connection:
            return {
                table.name: (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                for table in tables.metadata.sorted_tables
                if table not in _OTHERS
            }

    async def published(self) -> Sequence[Event]:
        """What has been handed on, when the outbox has been relayed."""
        while await self.intake.relay.run_once():
            pass
        async with self.bus.subscribe([SUBMISSIONS_TOPIC], "test", _from_the_start) as consumer:
            return [from_message(message) for message in await consumer.poll(1000, 0)]


async def _from_the_start(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    return dict.fromkeys(partitions, 0)


@asynccontextmanager
async def deployed_intake(
    url_of: UrlOf, folder: Path, *, clock: Clock | None = None, tracker: httpx.AsyncClient | None = None
) -> AsyncIterator[IntakeDeployment]:
    """Migrated, with a key for everybody, and the embedded bus in a folder.

    Nothing relays by itself: what was accepted stays in the outbox.
    """
    clock = clock or from_noon_on()
    urls: dict[DatabaseName, str] = {"intake": url_of("intake"), "access": url_of("access")}
    urls["bus"] = f"sqlite+aiosqlite:///{folder}/bus.db"
    async with AsyncExitStack() as stack:
        databases: dict[DatabaseName, Database] = {}
        for name, url in urls.items():
            databases[name] = Database(url, schema=name)
            stack.push_async_callback(databases[name].close)
            await migrations.upgrade(name, databases[name])
        access = Access(databases["access"], clock)
        keys = {one.name: (await access.create(one, timedelta(days=1)))[1] for one in EVERYBODY}
        bus = EmbeddedBus(databases["bus"], clock=clock)
        settings = Settings(requests_per_minute=RATE_LIMIT_OUT_OF_THE_WAY)
        intake = Intake(
            settings=settings,
            partnership=SE7,
            database=databases["intake"],
            bus=bus,
            clock=clock,
            tracker=tracker,
        )
        app = create_app(title="Intake", access=access, settings=settings)
        intake.install(app)
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://intake.test")
        yield IntakeDeployment(app, intake, access, bus, await stack.enter_async_context(http), keys)
