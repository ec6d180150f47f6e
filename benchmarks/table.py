"""Reading the tracker table: over HTTP beside a bare application with the same bytes, and as the history grows."""

from __future__ import annotations

import itertools
import socket
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import uvloop

import migrations
from benchmarks.asking import Requests, answer_to, bare, in_turn, serve, serving
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


async def _over_http(folder: Path, key: str) -> Sequence[Result]:
    request = (
        "GET /v1/tracker?council=E10000011 HTTP/1.1\r\nHost: savings.test\r\n"
        f"Authorization: Bearer {key}\r\nAccept: application/json\r\n"
    )
    with serving(_serve_ours, str(folder)) as ours:
        whole = await answer_to(ours, f"{request}\r\n".encode())
        head = whole.partition(b"\r\n\r\n")[0].decode()
        assert head.startswith("HTTP/1.1 200"), head
        tag = next(line for line in head.split("\r\n") if line.lower().startswith("etag:")).partition(": ")[2]
        unchanged = await answer_to(ours, f"{request}If-None-Match: {tag}\r\n\r\n".encode())
        results = []
        for name, sent, answer, status, goal in (
            ("The cached table over HTTP", f"{request}\r\n", whole, 200, 0.4),
            ("The table not modified (304)", f"{request}If-None-Match: {tag}\r\n\r\n", unchanged, 304, 0.3),
        ):
            with serving(_serve_bare, answer) as floor:

                def again(sent: bytes = sent.encode()) -> Requests:
                    return [itertools.repeat(sent) for _ in range(CONNECTIONS)]

                mine, theirs = await in_turn({ours: again, floor: again}, status)
                results.append(Result(name, mine, theirs, "requests/s", mine / theirs, ("at least", goal)))
    return results


def _serve_ours(listening: socket.socket, folder: str) -> None:
    reporting, access, settings = _reporting(Path(folder))
    app = create_app(title="Reporting", access=access, settings=settings)
    reporting.install(app)
    rest_the_collector()
    serve(listening, app)


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
    serve(listening, bare(answer))


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
