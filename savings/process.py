"""One process: the services it serves, the databases and the bus they stand on, one HTTP application for all of them.

The embedded default serves all three services in one process. Each may as well have a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Final, get_args

import httpx
from sqlalchemy import select

import migrations
from services.intake.main import Intake
from services.reporting.main import Reporting
from services.tracker.main import Tracker
from shared.access import Access
from shared.access import keys as keys_table
from shared.bus.embedded import EmbeddedBus
from shared.bus.kafka import Cluster, KafkaBus
from shared.clock import Clock, utc_now
from shared.database import Database
from shared.metrics import install_metrics
from shared.partnership import Partnership
from shared.settings import DatabaseName, ServiceName, Settings
from shared.telemetry import Telemetry, tracing_if_asked_for
from shared.web import Check, create_app, install_health

SERVICES: Final[tuple[ServiceName, ...]] = get_args(ServiceName)
DATABASES: Final[tuple[DatabaseName, ...]] = get_args(DatabaseName)

Service = Intake | Tracker | Reporting


class Process:
    """The wiring of one process. Nothing is opened before it is used, and :meth:`close` closes it all."""

    def __init__(self, settings: Settings, names: Sequence[ServiceName] = SERVICES, clock: Clock = utc_now) -> None:
        self.settings = settings
        self._names = names
        self.partnership = Partnership.parse(settings.partnership_file.read_text(encoding="utf-8"))
        self._databases: dict[DatabaseName, Database] = {}
        self.access = Access(self.database("access"), clock)
        self.bus: EmbeddedBus | KafkaBus = self._bus(clock)
        self.telemetry = Telemetry(tracing=tracing_if_asked_for("-".join(("savings", *names))))
        self.app = create_app(
            title=f"{self.partnership.name} savings",
            access=self.access,
            settings=settings,
            answers=self.telemetry.metrics.answers,
        )
        self._tracker_client = self._client_of_the_tracker(names)
        self.intake = self._intake(clock) if "intake" in names else None
        self.tracker = self._tracker(clock) if "tracker" in names else None
        self.reporting = self._reporting(clock) if "reporting" in names else None
        parts = {"intake": self.intake, "tracker": self.tracker, "reporting": self.reporting}
        self.services: dict[str, Service] = {name: part for name, part in parts.items() if part is not None}
        checks: dict[str, Check] = {"access": partial(_answers, self.database("access"))}
        for name, service in self.services.items():
            service.install(self.app)
            checks |= {f"{name}.{check}": run for check, run in service.checks.items()}
        install_health(self.app, checks)
        install_metrics(self.app, self.telemetry.metrics, settings)
        if (tracing := self.telemetry.tracing) is not None:
            tracing.install(self.app)
            if self._tracker_client is not None:
                tracing.install_client(self._tracker_client)

    def database(self, name: DatabaseName) -> Database:
        """The database of that name, opened once."""
        if name not in self._databases:
            url = self.settings.url_of(name)
            if url.startswith("sqlite"):
                self.settings.data_directory.mkdir(parents=True, exist_ok=True)
            self._databases[name] = Database(url, schema=name)
        return self._databases[name]

    @property
    def databases(self) -> Sequence[DatabaseName]:
        """The databases that this process stands on."""
        embedded = {"bus"} if isinstance(self.bus, EmbeddedBus) else set()
        return [name for name in DATABASES if name in self.services.keys() | {"access"} | embedded]

    async def migrate(self) -> AsyncIterator[DatabaseName]:
        """Bring each database of this process to the newest revision; yields the name of each one done."""
        for name in self.databases:
            await migrations.upgrade(name, self.database(name))
            yield name

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Relay and consume while the block lasts. A background task that fails ends the block, and the process."""
        async with AsyncExitStack() as stack:
            for service in self.services.values():
                await stack.enter_async_context(service.running())
            yield

    def stopping(self) -> None:
        """No more requests come: end what would be answered without end."""
        if self.reporting is not None:
            self.reporting.stopping()

    async def settled(self) -> bool:
        """Whether all that the services of this process have accepted or read has gone on from here."""
        waiting = 0
        for part in (self.intake, self.tracker):
            if part is not None:
                async with part.database.read() as connection:
                    waiting += await part.outbox.waiting_count(connection)
        for reader in (self.intake, self.tracker, self.reporting):
            if reader is not None:
                waiting += await reader.consuming.lag_messages()
        return waiting == 0

    async def close(self) -> None:
        if self._tracker_client is not None:
            await self._tracker_client.aclose()
        if isinstance(self.bus, KafkaBus):
            await self.bus.close()
        for database in self._databases.values():
            await database.close()
        if self.telemetry.tracing is not None:
            await asyncio.to_thread(self.telemetry.tracing.close)

    def _bus(self, clock: Clock) -> EmbeddedBus | KafkaBus:
        settings = self.settings
        if not settings.kafka_bootstrap_servers:
            return EmbeddedBus(self.database("bus"), partitions=settings.embedded_partitions, clock=clock)
        cluster = Cluster(
            settings.kafka_bootstrap_servers,
            settings.kafka_user,
            settings.kafka_password.get_secret_value(),
            settings.kafka_ca_file,
        )
        # The broker's own tools show it: which of several processes has which partitions.
        return KafkaBus(cluster, client_id=f"savings-{'-'.join(self._names)}-{socket.gethostname()}-{os.getpid()}")

    def _intake(self, clock: Clock) -> Intake:
        return Intake(
            settings=self.settings,
            partnership=self.partnership,
            database=self.database("intake"),
            bus=self.bus,
            clock=clock,
            tracker=self._tracker_client,
            telemetry=self.telemetry,
        )

    def _tracker(self, clock: Clock) -> Tracker:
        return Tracker(
            settings=self.settings,
            partnership=self.partnership,
            database=self.database("tracker"),
            bus=self.bus,
            clock=clock,
            telemetry=self.telemetry,
        )

    def _reporting(self, clock: Clock) -> Reporting:
        return Reporting(
            settings=self.settings,
            partnership=self.partnership,
            database=self.database("reporting"),
            bus=self.bus,
            clock=clock,
            access=self.access,
            telemetry=self.telemetry,
        )

    def _client_of_the_tracker(self, names: Sequence[ServiceName]) -> httpx.AsyncClient | None:
        if self.settings.tracker_url:
            return httpx.AsyncClient(base_url=self.settings.tracker_url, timeout=2)
        if "tracker" in names:
            return httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://tracker", timeout=2)
        return None


async def _answers(database: Database) -> tuple[bool, str]:
    async with database.read() as connection:
        await connection.execute(select(keys_table.c.id).limit(1))
    return True, "answers"
