"""Reading the tracker table: over HTTP beside a bare application with the same bytes, and as the history grows."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import uvicorn
import uvloop

import migrations
from benchmarks.result import Result
from services.reporting.answers import Answers
from services.reporting.main import Reporting
from services.reporting.table import Question
from shared.access import Access
from shared.bus.embedded import EmbeddedBus
from shared.clock import moment_text, utc_now
from shared.collector import rest_the_collector
from shared.database import Database
from shared.figures import PARTNERSHIP, Account, Basis, Benefit, Flow, Recurrence, Scope, WorkstreamCode
from shared.partnership import Partnership
from shared.principal import Principal, Role
from shared.settings import Settings
from shared.web import create_app

CONNECTIONS: Final = 8
ROUND_SECONDS: Final = 1.0
ROUNDS: Final = 6
#: Tables read for one figure, after some that warm up.
READS: Final = 60
FEW, MANY = 1_000, 1_000_000
HOME: Final = Scope("E10000011")
PARTNERSHIP_FILE: Final = Path("deploy/partnerships/se7.toml")


def run() -> Sequence[Result]:
    """Every benchmark of the table."""
    return uvloop.run(_run())


async def _run() -> Sequence[Result]:
    with tempfile.TemporaryDirectory(prefix="savings-benchmark-") as folder:
        few, many = Path(tempfile.mkdtemp(dir=folder)), Path(tempfile.mkdtemp(dir=folder))
        await _prepare(few, FEW)
        key = await _prepare(many, MANY)
        return [*await _over_http(many, key), *await _as_history_grows(few, many)]


# Over HTTP

_Address = tuple[str, int]


async def _over_http(folder: Path, key: str) -> Sequence[Result]:
    request = (
        "GET /v1/tracker?council=E10000011 HTTP/1.1\r\nHost: savings.test\r\n"
        f"Authorization: Bearer {key}\r\nAccept: application/json\r\n"
    )
    with _serving(_serve_ours, str(folder)) as ours:
        whole = await _answer_to(ours, f"{request}\r\n".encode())
        head = whole.partition(b"\r\n\r\n")[0].decode()
        assert head.startswith("HTTP/1.1 200"), head
        tag = next(line for line in head.split("\r\n") if line.lower().startswith("etag:")).partition(": ")[2]
        unchanged = await _answer_to(ours, f"{request}If-None-Match: {tag}\r\n\r\n".encode())
        assert unchanged.startswith(b"HTTP/1.1 304"), unchanged
        results = []
        for name, sent, answer, goal in (
            ("The cached table over HTTP", f"{request}\r\n", whole, 0.4),
            ("The table not modified (304)", f"{request}If-None-Match: {tag}\r\n\r\n", unchanged, 0.3),
        ):
            with _serving(_serve_bare, answer) as bare:
                speeds: dict[_Address, list[float]] = {ours: [], bare: []}
                # Turn by turn, so that whatever else the machine does falls on both alike.
                for _ in range(ROUNDS):
                    for address, found in speeds.items():
                        found.append(await _requests_per_second(address, sent.encode()))
                # The best round of each: whatever else the machine does only ever takes time away.
                mine, floor = max(speeds[ours]), max(speeds[bare])
                results.append(Result(name, mine, floor, "requests/s", mine / floor, ("at least", goal)))
    return results


class _Asking(asyncio.Protocol):
    """One connection that asks again as soon as it has been answered; every answer is as long as the first."""

    def __init__(self, request: bytes, answer_bytes: int) -> None:
        self._request = request
        self._answer_bytes = answer_bytes
        self._left = answer_bytes
        self._transport: asyncio.Transport | None = None
        self.answered = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._left -= len(data)
        if self._left == 0 and self._transport is not None:
            self.answered += 1
            self._left = self._answer_bytes
            self._transport.write(self._request)

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def _requests_per_second(address: _Address, request: bytes) -> float:
    answer_bytes = len(await _answer_to(address, request))
    loop = asyncio.get_running_loop()
    connections = [
        (await loop.create_connection(lambda: _Asking(request, answer_bytes), *address))[1] for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(ROUND_SECONDS / 5)
    before, started = sum(each.answered for each in connections), time.perf_counter()
    await asyncio.sleep(ROUND_SECONDS)
    after, seconds = sum(each.answered for each in connections), time.perf_counter() - started
    for each in connections:
        each.stop()
    return (after - before) / seconds


async def _answer_to(address: _Address, request: bytes) -> bytes:
    """One whole answer: its head, and as much body as the head says."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.decode().split("\r\n") if line.lower().startswith("content-length:")]
    body = await reader.readexactly(int(lengths[0].partition(":")[2])) if lengths else b""
    writer.close()
    return head + body


@contextmanager
def _serving(serve: Callable[..., None], what: Any) -> Iterator[_Address]:
    """A server in a process of its own, as the service is run."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(listening, what))
        process.start()
        try:
            yield listening.getsockname()
        finally:
            process.terminate()
            process.join()


def _serve_ours(listening: socket.socket, folder: str) -> None:
    reporting, access, settings = _reporting(Path(folder))
    app = create_app(title="Reporting", access=access, settings=settings)
    reporting.install(app)
    rest_the_collector()
    _serve(listening, app)


def _reporting(folder: Path) -> tuple[Reporting, Access, Settings]:
    settings = Settings(data_directory=folder, requests_per_minute=10**9)
    access = Access(Database(settings.url_of("access")), utc_now)
    reporting = Reporting(
        settings=settings,
        partnership=_partnership(),
        database=Database(settings.url_of("reporting")),
        bus=EmbeddedBus(Database(settings.url_of("bus"))),
        clock=utc_now,
        access=access,
    )
    return reporting, access, settings


def _partnership() -> Partnership:
    return Partnership.parse(PARTNERSHIP_FILE.read_text(encoding="utf-8"))


def _serve_bare(listening: socket.socket, answer: bytes) -> None:
    """The floor: an application that does nothing but send these bytes, head and all."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    # The server adds the date of its own accord.
    headers = [tuple(line.split(b": ", 1)) for line in lines if not line.lower().startswith(b"date:")]
    start = {"type": "http.response.start", "status": int(status.split()[1]), "headers": headers}

    async def app(_scope: Any, _receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": body})

    _serve(listening, app)


def _serve(listening: socket.socket, app: Any) -> None:
    config = uvicorn.Config(app, lifespan="off", access_log=False, log_level="warning", server_header=False)
    uvicorn.Server(config).run([listening])


# As history grows


async def _as_history_grows(few: Path, many: Path) -> Sequence[Result]:
    async with _reading(few) as of_few, _reading(many) as of_many:
        spans: dict[Answers, list[float]] = {of_few: [], of_many: []}
        for place in range(READS + 10):
            for answers, found in spans.items():
                started = time.perf_counter()
                (await answers.figures(Question(home=HOME))).table(Question(home=HOME))
                if place >= 10:
                    found.append((time.perf_counter() - started) * 1_000)
        floor, ours = statistics.median(spans[of_few]), statistics.median(spans[of_many])
    name = f"The latest table read after {MANY:,} entries, beside {FEW:,}"
    return [Result(name, ours, floor, "ms", ours / floor, ("at most", 1.2))]


@asynccontextmanager
async def _reading(folder: Path) -> AsyncIterator[Answers]:
    reporting, _, _ = _reporting(folder)
    yield reporting.answers
    await reporting.database.close()


# A history


async def _prepare(folder: Path, entry_count: int) -> str:
    """Migrated databases with a history of that many entries; the key of an auditor."""
    settings = Settings(data_directory=folder)
    for name in ("reporting", "access", "bus"):
        database = Database(settings.url_of(name))
        await migrations.upgrade(name, database)
        if name == "access":
            _, key = await Access(database, utc_now).create(Principal("auditor", Role.AUDITOR), timedelta(days=1))
        await database.close()
    _fill(folder / "reporting.db", entry_count)
    return key


def _fill(file: Path, entry_count: int) -> None:
    """Every workstream, scope and year stated again and again, in returns of one line for each year."""
    partnership = _partnership()
    scopes = [PARTNERSHIP, *(council.scope for council in partnership.councils)]
    streams = [(workstream.code, scope) for workstream in partnership.workstreams for scope in scopes]
    versions = entry_count // (len(streams) * len(partnership.years))
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.executemany("INSERT INTO streams VALUES (?, ?)", streams)
        connection.executemany(
            "INSERT INTO returns (submission_id, workstream, scope, version, as_at, recorded_at, stated_by,"
            " stated_by_role, stated_by_council, written_update) VALUES (?, ?, ?, ?, ?, ?, 'finance', 'finance', ?, ?)",
            (
                (f"{place:08x}{version:024x}", *stream, version, *_moments(version), HOME, "Going to plan.")
                for place, stream in enumerate(streams)
                for version in range(1, versions + 1)
            ),
        )
        accounts = [
            Account(
                scope=scope,
                workstream=WorkstreamCode(code),
                initiative="",
                year=year,
                basis=Basis.ESTIMATE,
                benefit=Benefit.CASH_RELEASING,
                recurrence=Recurrence.RECURRING,
                flow=Flow.SAVING,
            )
            for code, scope in streams
            for year in partnership.years
        ]
        connection.executemany(
            "INSERT INTO accounts VALUES"
            " (?, ?, ?, ?, '', ?, 'estimate', 'cash_releasing', 'recurring', 'saving', ?, ?)",
            (
                (number, str(each), each.workstream, each.scope, each.year.starts_in, _moments(versions)[0], versions)
                for number, each in enumerate(accounts, 1)
            ),
        )
        connection.executemany(
            "INSERT INTO entries (account_id, version, as_at, recorded_at, submission_id, line, number, status,"
            " amount_pence, confidence, movement_pence, balance_pence, hash)"
            " VALUES (?, ?, ?, ?, ?, 0, ?, 'quantified', ?, 'firm', 0, 0, '')",
            (
                (
                    number,
                    version,
                    *_moments(version),
                    f"{(number - 1) // len(partnership.years):08x}{version:024x}",
                    version,
                    version * 100_000,
                )
                for number in range(1, len(accounts) + 1)
                for version in range(1, versions + 1)
            ),
        )
        connection.execute("UPDATE ledger SET version = ?", (versions * len(streams),))
    connection.close()


def _moments(version: int) -> tuple[str, str]:
    """The as-at day of a version, and the moment at which it was recorded."""
    recorded_at = datetime(2011, 4, 1, 9, tzinfo=UTC) + timedelta(hours=version)
    return (date(2011, 4, 1) + timedelta(hours=version)).isoformat(), moment_text(recorded_at)


if __name__ == "__main__":
    for result in run():
        print(result)
