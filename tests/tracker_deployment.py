"""The tracker alone, on real databases: fed through the embedded bus, asked over HTTP within this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Table, func, select, text

import migrations
from services.tracker import store
from services.tracker.main import Tracker
from shared.access import Access
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Event, from_message, to_json, to_message
from shared.bus.port import Consumer, Message, TopicPartition
from shared.database import Database
from shared.events import (
    ENTRIES_TOPIC,
    INTAKE_SOURCE,
    RETURN_ACCEPTED,
    SUBMISSIONS_TOPIC,
    EntriesPosted,
    LineAccepted,
    ReturnAccepted,
    Source,
    StatedBy,
)
from shared.figures import PARTNERSHIP, Basis, Benefit, Confidence, Flow, Recurrence, Status
from shared.principal import Principal, Role
from shared.settings import DatabaseName, Settings
from shared.web import create_app
from tests.builders import EAST_SUSSEX, EVERYBODY, SE7
from tests.settings import RATE_LIMIT_OUT_OF_THE_WAY

UrlOf = Callable[[DatabaseName], str]

NOON = datetime(2012, 1, 26, 12, tzinfo=UTC)
DAY = date(2011, 12, 7)


def line(amount_pounds: int | None = 300_000, year: str = "2011/12", **different: Any) -> LineAccepted:
    """A line of whole pounds; without an amount it has to be given another status."""
    ordinary: dict[str, Any] = {
        "year": year,
        "basis": Basis.ESTIMATE,
        "benefit": Benefit.CASH_RELEASING,
        "recurrence": Recurrence.RECURRING,
        "flow": Flow.SAVING,
        "line": 0,
        "confidence": Confidence.INDICATIVE,
        "status": Status.QUANTIFIED,
        "amount_pence": None if amount_pounds is None else amount_pounds * 100,
    }
    return LineAccepted(**ordinary | different)


@dataclass
class Sender:
    """Makes accepted returns as intake does: versions without a gap in each stream, and a moment later each time."""

    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    made: int = 0

    def accepts(
        self,
        *lines: LineAccepted,
        workstream: str = "ict",
        scope: str = PARTNERSHIP,
        as_at: date = DAY,
        **different: Any,
    ) -> ReturnAccepted:
        self.made += 1
        version = self.versions[workstream, scope] = self.versions.get((workstream, scope), 0) + 1
        ordinary: dict[str, Any] = {
            "submission_id": f"00000000-0000-4000-8000-{self.made:012d}",
            "partnership": SE7.code,
            "workstream": workstream,
            "scope": scope,
            "version": version,
            "as_at": as_at,
            "recorded_at": NOON + timedelta(minutes=self.made),
            "stated_by": StatedBy(name="finance-ESX", role=Role.FINANCE, council=EAST_SUSSEX),
            "source": Source(system="general ledger", reference="P08"),
            "reason": "as found",
            "update": None,
            "lines": tuple(one.model_copy(update={"line": place}) for place, one in enumerate(lines)),
        }
        return ReturnAccepted(**ordinary | different)


def as_message(accepted: ReturnAccepted, **different: Any) -> Message:
    """A return as intake publishes it."""
    ordinary: dict[str, Any] = {
        "id": accepted.submission_id,
        "source": INTAKE_SOURCE,
        "type": RETURN_ACCEPTED,
        "key": str(accepted.stream),
        "time": accepted.recorded_at,
        "data": to_json(accepted),
        "correlation_id": "request-1",
    }
    return to_message(SUBMISSIONS_TOPIC, Event(**ordinary | different))


@dataclass
class TrackerDeployment:
    tracker: Tracker
    bus: EmbeddedBus
    http: httpx.AsyncClient
    keys: dict[str, str]
    consumer: Consumer
    sender: Sender = field(default_factory=Sender)

    async def receives(self, *messages: Message) -> None:
        """Put messages on the bus and let the tracker handle all that is there."""
        if messages:
            await self.bus.publish(messages)
        while await self.tracker.consuming.run_once(self.consumer, 0):
            pass

    async def posts(self, *lines: LineAccepted, **different: Any) -> ReturnAccepted:
        """A return is accepted, published and posted."""
        accepted = self.sender.accepts(*lines, **different)
        await self.receives(as_message(accepted))
        return accepted

    async def get(self, path: str, by: Principal, **parameters: Any) -> httpx.Response:
        return await self.http.get(path, headers=self.credential(by), params=parameters)

    async def ledger(self, by: Principal, council: str | None = None, **parameters: Any) -> dict[str, Any]:
        name = "cumulative" if council is None else f"councils/{council}"
        answer = await self.get(f"/v1/ledgers/{name}", by, **parameters)
        assert answer.status_code == 200, answer.text
        content: dict[str, Any] = answer.json()
        return content

    async def entries(self, by: Principal, council: str | None = None, **parameters: Any) -> list[dict[str, Any]]:
        """All entries of a ledger, page by page."""
        name = "cumulative" if council is None else f"councils/{council}"
        answer = await self.get(f"/v1/ledgers/{name}/entries", by, **parameters)
        found: list[dict[str, Any]] = []
        while True:
            assert answer.status_code == 200, answer.text
            found.extend(answer.json()["entries"])
            following = answer.json()["next"]
            if following is None:
                return found
            answer = await self.http.get(following, headers=self.credential(by))

    def credential(self, by: Principal) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[by.name]}"}

    async def count(self, table: Table) -> int:
        async with self.tracker.database.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(table))).scalar_one())

    async def parked(self) -> list[str]:
        """Why messages were parked, in the order in which they were."""
        async with self.tracker.database.read() as connection:
            query = select(store.consumed.parked.c.reason).order_by(store.consumed.parked.c.id)
            return list((await connection.execute(query)).scalars())

    async def told(self) -> Sequence[tuple[Event, EntriesPosted]]:
        """What the tracker has told, once its outbox has been relayed."""
        while await self.tracker.relay.run_once():
            pass
        async with self.bus.subscribe([ENTRIES_TOPIC], "test", _from_the_start) as consumer:
            events = [from_message(message) for message in await consumer.poll(1000, 0)]
        return [(event, EntriesPosted.model_validate_json(event.data)) for event in events]

    async def alter(self, sql: str, **values: Any) -> None:
        """Change the database behind everybody's back, as someone would who may."""
        async with self.tracker.database.write() as connection:
            if connection.dialect.name == "postgresql":
                for table in ("entries", "postings"):
                    await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
            else:
                for table in ("entries", "postings"):
                    for verb in ("update", "delete"):
                        await connection.execute(text(f"DROP TRIGGER IF EXISTS {table}_refuse_{verb}"))
            done = await connection.execute(text(sql), values)
            assert done.rowcount == 1


async def _from_the_start(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    return dict.fromkeys(partitions, 0)


@asynccontextmanager
async def deployed_tracker(url_of: UrlOf, folder: Path) -> AsyncIterator[TrackerDeployment]:
    """Migrated, with a key for everybody, and the embedded bus in a folder. Nothing moves by itself."""
    urls: dict[DatabaseName, str] = {"tracker": url_of("tracker"), "access": url_of("access")}
    urls["bus"] = f"sqlite+aiosqlite:///{folder}/bus.db"
    async with AsyncExitStack() as stack:
        databases: dict[DatabaseName, Database] = {}
        for name, url in urls.items():
            databases[name] = Database(url, schema=name)
            stack.push_async_callback(databases[name].close)
            await migrations.upgrade(name, databases[name])

        def clock() -> datetime:
            return NOON

        access = Access(databases["access"], clock)
        keys = {one.name: (await access.create(one, timedelta(days=1)))[1] for one in EVERYBODY}
        bus = EmbeddedBus(databases["bus"], clock=clock)
        settings = Settings(requests_per_minute=RATE_LIMIT_OUT_OF_THE_WAY)
        tracker = Tracker(settings=settings, partnership=SE7, database=databases["tracker"], bus=bus, clock=clock)
        app = create_app(title="Tracker", access=access, settings=settings)
        tracker.install(app)
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://tracker.test")
        yield TrackerDeployment(
            tracker,
            bus,
            await stack.enter_async_context(http),
            keys,
            await stack.enter_async_context(tracker.consuming.subscribed()),
        )
