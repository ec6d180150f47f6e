"""What a return takes: bytes in each database and topic, processor time in each service, and how long reading takes.

``python -m benchmarks scale`` runs the whole product in this process, embedded and, where this machine can have them,
on PostgreSQL and Apache Kafka: a partnership as large as ``SAVINGS_SCALE_COUNCILS`` and ``SAVINGS_SCALE_WORKSTREAMS``
say states everything anew each month, through the API, for ``SAVINGS_SCALE_MONTHS`` months. What the first month takes
for tables and files to exist at all is left out: bytes are those of the months after it. ``docs/scale.md`` is worked
out from these figures.
"""

from __future__ import annotations

import logging
import os
import random
import resource
import secrets
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx
from pydantic import SecretStr

from benchmarks.result import Figure
from deploy.kafka.desired import read_desired
from deploy.kafka.provision import apply, plan
from deploy.local.kafka_broker import KafkaBroker
from deploy.local.postgres_server import PostgresServer
from deploy.local.processes import Unavailable
from savings.process import DATABASES, Process
from savings.rebuilding import Rebuilder
from services.intake.main import Intake
from shared.figures import PARTNERSHIP
from shared.principal import Principal, Role
from shared.settings import ServiceName, Settings
from shared.telemetry import configure_logging

COUNCILS: Final = int(os.environ.get("SAVINGS_SCALE_COUNCILS", "20"))
WORKSTREAMS: Final = int(os.environ.get("SAVINGS_SCALE_WORKSTREAMS", "20"))
MONTHS: Final = int(os.environ.get("SAVINGS_SCALE_MONTHS", "4"))
#: Two years by four initiatives: what a council states of a workstream each month.
LINES: Final = 8
RETURNS_AT_ONCE: Final = 100
READS: Final = 10
_REBUILT: Final[tuple[ServiceName, ...]] = ("tracker", "reporting")
_TICKS: Final = os.sysconf("SC_CLK_TCK")

Bytes = Mapping[str, int]


async def run() -> Sequence[Figure]:
    """Embedded, then for real."""
    configure_logging(level=logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="savings-scale-") as text:
        folder = Path(text)
        partnership_file = folder / "partnership.toml"
        partnership_file.write_text(_partnership_text(), encoding="utf-8")
        embedded = Settings(
            partnership_file=partnership_file, data_directory=folder / "data", requests_per_minute=10_000_000
        )
        found = await _measure("SQLite", embedded, _files(embedded.data_directory), {})
        try:
            with PostgresServer() as server, KafkaBroker() as broker:
                settings = await _real_settings(embedded, server, broker)
                watched = {"PostgreSQL": server.pid or 0, "Kafka": broker.pid or 0}
                found += await _measure("PostgreSQL and Kafka", settings, _servers(server, broker), watched)
                found += [_dumped(server), _memory_of(watched)]
        except Unavailable as error:
            found.append(Figure("PostgreSQL and Kafka", f"not measured: {error}"))
        return found


@dataclass
class _Spent:
    """Processor time, in seconds, by what it was spent on: in this process, and in the servers."""

    by_part: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        before = time.process_time()
        yield
        self.by_part[part] = self.by_part.get(part, 0) + time.process_time() - before


async def _measure(
    where: str, settings: Settings, bytes_now: Callable[[], Awaitable[Bytes]], watched: Mapping[str, int]
) -> list[Figure]:
    spent = _Spent()
    async with _running(settings) as (process, http, keys):
        month = (WORKSTREAMS * (COUNCILS + 1), LINES)
        await _state_a_month(process, http, keys, 0, _Spent())
        first, servers = await bytes_now(), {name: _processor_seconds(pid) for name, pid in watched.items()}
        for number in range(1, MONTHS):
            await _state_a_month(process, http, keys, number, spent)
            print(f"\r  {where}: month {number + 1} of {MONTHS}", end="", flush=True)
        print()
        returns = (MONTHS - 1) * month[0]
        for name, pid in watched.items():
            spent.by_part[name] = _processor_seconds(pid) - servers[name]
        grown = {name: size - first.get(name, 0) for name, size in (await bytes_now()).items()}
        figures = [
            Figure(f"{where}, {name}", f"{size / returns:,.0f} bytes a return of {LINES} lines")
            for name, size in sorted(grown.items())
        ]
        figures += [
            Figure(f"{where}, processor time of {part}", f"{1000 * seconds / returns:.2f} ms a return")
            for part, seconds in spent.by_part.items()
        ]
        figures += [
            Figure(f"{where}, GET {path}", f"median {milliseconds:,.0f} ms after {MONTHS * month[0]:,} returns")
            for path, milliseconds in (await _reads(http, keys["auditor"])).items()
        ]
    for name in _REBUILT:
        started = time.perf_counter()
        with spent.on(f"rebuild {name}"):
            verdict = await Rebuilder(settings, name).prove(fresh=True, replaying=_unwatched, comparing=_unwatched)
        assert verdict.difference is None, verdict.difference
        seconds, processor = time.perf_counter() - started, spent.by_part[f"rebuild {name}"]
        each = f"{1000 * processor / verdict.events:.2f} ms of processor time an event"
        figures.append(Figure(f"{where}, rebuild {name}", f"{verdict.events:,} events in {seconds:.1f} s, {each}"))
    return figures


@asynccontextmanager
async def _running(settings: Settings) -> AsyncIterator[tuple[Process, httpx.AsyncClient, Mapping[str, str]]]:
    """The whole product, migrated, with a key for each who states."""
    process = Process(settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(process.close)
        async for _ in process.migrate():
            pass
        senders = [
            Principal(council.gss, Role.FINANCE, council.gss, frozenset()) for council in process.partnership.councils
        ]
        keys = {
            one.name: (await process.access.create(one, timedelta(days=1)))[1]
            for one in [*senders, Principal("auditor", Role.AUDITOR)]
        }
        transport = httpx.ASGITransport(process.app)
        http = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://savings.benchmark", timeout=120)
        )
        yield process, http, keys


async def _state_a_month(
    process: Process, http: httpx.AsyncClient, keys: Mapping[str, str], number: int, spent: _Spent
) -> None:
    """Every council states every share, and the lead council every partnership figure; all is carried to the table."""
    chance = random.Random(number)
    partnership = process.partnership
    for council in partnership.councils:
        with spent.on("intake, over HTTP"):
            scopes = [(workstream.code, council.gss) for workstream in partnership.workstreams]
            scopes += [(code, PARTNERSHIP) for code in sorted(partnership.led_by(council.gss))]
            for start in range(0, len(scopes), RETURNS_AT_ONCE):
                batch = [_a_return(*scope, number, chance) for scope in scopes[start : start + RETURNS_AT_ONCE]]
                answer = await http.post(
                    "/v1/submissions/batch",
                    json={"submissions": batch},
                    headers={"Authorization": f"Bearer {keys[council.gss]}"},
                )
                assert answer.json()["refused"] == 0, answer.text[:1000]
    await _settle(process, spent)


def _a_return(workstream: str, scope: str, number: int, chance: random.Random) -> dict[str, Any]:
    years = ("2011/12", "2012/13")
    return {
        "workstream": workstream,
        "scope": scope,
        "as_at": f"201{2 + number // 12}-{number % 12 + 1:02}-28",
        "reason": "The month's figures from the general ledger.",
        "idempotency_key": secrets.token_hex(16),
        "source": {"system": "general ledger", "reference": f"P{number:02}"},
        "lines": [
            {"year": year, "initiative": f"Initiative {place}", "amount": f"{chance.randrange(10**7)}.00",
             "basis": "estimate"}
            for place in range(LINES // len(years))
            for year in years
        ],
    }  # fmt: skip


async def _settle(process: Process, spent: _Spent) -> None:
    assert isinstance(process.intake, Intake)
    assert process.tracker is not None
    assert process.reporting is not None
    async with AsyncExitStack() as stack:
        tracker = await stack.enter_async_context(process.tracker.consuming.subscribed())
        reporting = await stack.enter_async_context(process.reporting.consuming.subscribed())
        while not await process.settled() or not await _all_assigned(tracker, reporting):
            with spent.on("intake's relay"):
                await process.intake.relay.run_once()
            with spent.on("tracker, posting"):
                await process.tracker.consuming.run_once(tracker, 0.02)
            with spent.on("tracker's relay"):
                await process.tracker.relay.run_once()
            with spent.on("reporting, folding"):
                await process.reporting.consuming.run_once(reporting, 0.02)


async def _all_assigned(*consumers: Any) -> bool:
    """Without partitions a consumer has no lag; it takes a moment to be given them."""
    return all([await consumer.ends() for consumer in consumers])


async def _reads(http: httpx.AsyncClient, key: str) -> Mapping[str, float]:
    home = "E07000001"
    found: dict[str, float] = {}
    for path in (f"/v1/tracker?council={home}", "/v1/ledgers/cumulative", f"/v1/ledgers/councils/{home}/entries"):
        took = []
        for number in range(READS):
            started = time.perf_counter()
            # Another moment each time, so that no answer is one that is kept ready.
            query = {"known_at": f"2100-01-01T00:00:{number:02}Z"} if "entries" not in path else {}
            (await http.get(path, params=query, headers={"Authorization": f"Bearer {key}"})).raise_for_status()
            took.append(1000 * (time.perf_counter() - started))
        found[path] = statistics.median(took)
    return found


def _files(folder: Path) -> Callable[[], Awaitable[Bytes]]:
    """The bytes of each file, and in the log of each topic."""

    async def now() -> Bytes:
        sizes: dict[str, int] = {}
        for path in [folder / f"{name}.db" for name in DATABASES]:
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            names = ("page_count", "freelist_count", "page_size")
            [pages], [free], [size] = (connection.execute(f"PRAGMA {name}").fetchone() for name in names)
            # Without what the outbox took and has given back: the file grows into that first.
            sizes[f"the file {path.name}"] = (pages - free) * size
            connection.close()
        return sizes

    return now


def _servers(server: PostgresServer, broker: KafkaBroker) -> Callable[[], Awaitable[Bytes]]:
    """The bytes of each schema, indexes included and the outbox left out; of the log ahead; of each topic."""

    async def now() -> Bytes:
        connection = await asyncpg.connect(server.superuser_url)
        try:
            schemas = await connection.fetch(
                "SELECT schemaname AS name, sum(pg_total_relation_size(relid)) AS size "
                "FROM pg_stat_user_tables WHERE relname <> 'outbox' GROUP BY 1"
            )
            sizes = {f"the schema {row['name']}": int(row["size"]) for row in schemas}
            sizes["write-ahead log"] = int(await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))
        finally:
            await connection.close()
        for segment in broker.directory.rglob("savings.*/*.log"):
            topic = f"the topic {segment.parent.name.rpartition('-')[0]}"
            sizes[topic] = sizes.get(topic, 0) + segment.stat().st_size
        return sizes

    return now


async def _real_settings(embedded: Settings, server: PostgresServer, broker: KafkaBroker) -> Settings:
    desired = read_desired([], replication_factor=1)
    await apply(await plan(broker.admin, desired, {user: secrets.token_urlsafe(12) for user in desired.users}))
    return embedded.model_copy(
        update={
            **{
                f"database_url_{name}": SecretStr(server.url(name))
                for name in ("intake", "tracker", "reporting", "access")
            },
            "kafka_bootstrap_servers": broker.bootstrap_servers,
            "kafka_user": broker.admin.username,
            "kafka_password": SecretStr(broker.admin.password),
        }
    )


def _dumped(server: PostgresServer) -> Figure:
    """What a backup of it takes: a dump as PostgreSQL packs it."""
    pg_dump = shutil.which("pg_dump")
    if pg_dump is None:
        return Figure("PostgreSQL, a dump of it", "not measured: no pg_dump on this machine")
    command = [pg_dump, "-Fc", "--exclude-schema=*_rebuild", "--dbname", server.superuser_url]
    made = subprocess.run(command, check=True, capture_output=True)
    each = len(made.stdout) / (MONTHS * WORKSTREAMS * (COUNCILS + 1))
    return Figure("PostgreSQL, a dump of it", f"{each:,.0f} bytes a return")


def _memory_of(watched: Mapping[str, int]) -> Figure:
    """At its highest: of this process with all three services in it, and of each server's first process."""
    peaks = {"the three services in one process": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}
    for name, pid in watched.items():
        peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
        peaks[name] = int(peak.split()[1])
    return Figure("Memory", ", ".join(f"{name} {kilobytes / 1024:,.0f} MB" for name, kilobytes in peaks.items()))


def _processor_seconds(pid: int) -> float:
    """What a process, its children and those that have ended have taken."""
    stats: dict[int, list[str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stats[int(entry.name)] = (entry / "stat").read_text().rpartition(") ")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
    family, found = {pid}, True
    while found:
        found = {child for child, stat in stats.items() if int(stat[1]) in family} - family  # type: ignore[assignment]
        family |= found  # type: ignore[arg-type]
    own = sum(int(stats[member][11]) + int(stats[member][12]) for member in family if member in stats)
    ended = sum(int(stats[pid][place]) for place in (13, 14)) if pid in stats else 0
    return (own + ended) / _TICKS


def _partnership_text() -> str:
    council = (
        "[[councils]]\ngss = 'E07{0:06}'\nregister = 'C{1}'\n"
        "name = 'Council {0} Borough Council'\nshort_name = 'C{0}'\n"
    )
    workstream = (
        "[[workstreams]]\ncode = 'w{0}'\nname = 'Workstream {0}'\nlead = 'E07{1:06}'\npurpose = 'Less for the same.'\n"
    )
    letters = [f"{chr(65 + place // 26)}{chr(65 + place % 26)}" for place in range(COUNCILS)]
    return (
        "code = 'large'\nname = 'Large'\nshort_name = 'L'\nfirst_year = '2011/12'\nlast_year = '2014/15'\n"
        "[headline]\nshort_term = '£4bn'\nmedium_term = '£8bn'\nlong_term = '£15bn'\n"
        + "".join(council.format(place + 1, letters[place]) for place in range(COUNCILS))
        + "".join(workstream.format(place, place % COUNCILS + 1) for place in range(WORKSTREAMS))
    )


def _unwatched(_done: int, _total: int) -> None:
    """Nobody looks at the progress."""
