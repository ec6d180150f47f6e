"""Posting returns, beside SQLite writing the same rows plainly; and reading a ledger, as its history grows."""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx

import migrations
from benchmarks.result import Result
from benchmarks.returns import LINES, accepted_returns, as_received
from services.tracker import handlers, ledger, writing
from services.tracker.ledger import Head, Held
from services.tracker.main import Tracker
from services.tracker.store import accounts, consumed, entries, outbox, postings
from shared.access import Access
from shared.bus.embedded import EmbeddedBus
from shared.bus.port import Message, MessageRefused, Received, StartAt, TopicPartition
from shared.clock import utc_now
from shared.collector import rest_the_collector
from shared.consuming import BATCH
from shared.database import Database
from shared.events import ReturnAccepted
from shared.figures import Stream
from shared.partnership import Partnership
from shared.principal import Principal, Role
from shared.settings import Settings
from shared.web import create_app

PARTNERSHIP_FILE: Final = Path("deploy/partnerships/se7.toml")
RETURNS: Final = 2_000
ROUNDS: Final = 5
FEW, MANY = 1_000, 1_000_000
READS: Final = 150

Item = TypeVar("Item")


async def run() -> list[Result]:
    """Posting, then reading."""
    partnership = Partnership.parse(PARTNERSHIP_FILE.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="savings-benchmark-") as folder:
        return [*await _posting(partnership, Path(folder)), *await _reading(partnership, Path(folder))]


# Posting


async def _posting(partnership: Partnership, folder: Path) -> list[Result]:
    """Ours from the returns read, and from the messages they come in; the floor from the rows that ours wrote.

    The floor knows every row beforehand, and writes it into the same tables with the same indexes, in one transaction
    for as many returns: each entry inserted and its account's row upserted, and the rows of the returns, of what was
    consumed and of what is told inserted. Ours decides, chains and tells as well; the second figure has in it that the
    returns are taken out of their messages, checked in full, which the floor has no part like.
    """
    # As every process of ours does when it starts serving.
    rest_the_collector()
    received = [as_received(accepted, place) for place, accepted in enumerate(accepted_returns(partnership, RETURNS))]
    posted, consumed_, floor = [], [], []
    for number in range(ROUNDS):
        # Turn by turn, so that whatever else the machine does falls on all alike.
        file = folder / f"posted-{number}.db"
        posted.append(await _post(partnership, received, file))
        consumed_.append(await _consume(partnership, received, folder / f"consumed-{number}.db"))
        floor.append(await _write_plainly(file, folder / f"floor-{number}.db"))
    # The best round of each: whatever else the machine does only ever takes time away.
    mine, whole, theirs = max(posted), max(consumed_), max(floor)
    name = f"Posting, {BATCH} returns of {LINES} lines at once"
    return [
        Result(name, mine, theirs, "returns/s", mine / theirs, ("at least", 0.5)),
        Result(f"{name}, and reading them from their messages", whole, theirs, "returns/s", whole / theirs),
    ]


async def _post(partnership: Partnership, received: Sequence[Received], file: Path) -> float:
    """Returns posted in a second, once they have been read."""
    database = await _migrated(file)
    batches = [[handlers.read(message, partnership.code) for message in batch] for batch in _batches(received)]
    standing = {received[0].at: 0}
    started = time.perf_counter()
    for batch in batches:
        async with database.write() as connection:
            standing |= await consumed.advance(connection, [one.message for one in batch], standing)
            await handlers.post_read(connection, batch, utc_now)
    seconds = time.perf_counter() - started
    await database.close()
    return len(received) / seconds


async def _consume(partnership: Partnership, received: Sequence[Received], file: Path) -> float:
    """Returns posted in a second, by the loop that takes them off the bus in a service."""
    database = await _migrated(file)
    tracker = Tracker(
        settings=Settings(), partnership=partnership, database=database, bus=_Delivering(received), clock=utc_now
    )
    async with tracker.consuming.subscribed() as consumer:
        started = time.perf_counter()
        while await tracker.consuming.run_once(consumer):
            pass
        seconds = time.perf_counter() - started
    await database.close()
    return len(received) / seconds


class _Delivering:
    """A bus, and the only reader of it, that has these messages at hand: what a bus takes is not measured here."""

    def __init__(self, received: Sequence[Received]) -> None:
        self._received = received
        self._next = 0

    @asynccontextmanager
    async def subscribe(self, topics: Sequence[str], group: str, start_at: StartAt) -> AsyncIterator[_Delivering]:
        await start_at([self._received[0].at])
        yield self

    async def poll(self, max_messages: int, timeout_seconds: float) -> Sequence[Received]:
        batch = self._received[self._next : self._next + max_messages]
        self._next += len(batch)
        return batch

    async def rewind(self) -> None:
        raise AssertionError("nobody else reads")

    async def inform(self, positions: Mapping[TopicPartition, int]) -> None:
        """Nobody watches."""

    async def ends(self) -> Mapping[TopicPartition, int]:
        return {self._received[0].at: len(self._received)}

    async def publish(self, messages: Sequence[Message]) -> Sequence[MessageRefused | None]:
        return [None for _ in messages]

    async def ready(self) -> bool:
        return True


@dataclass(frozen=True)
class _Rows:
    """The rows that posting some returns wrote, by table; of an account, as it stood after each entry."""

    postings: list[tuple[Any, ...]]
    entries: list[tuple[Any, ...]]
    accounts: list[tuple[Any, ...]]
    effects: list[tuple[Any, ...]]
    outbox: list[tuple[Any, ...]]


def _rows_of(file: Path) -> list[_Rows]:
    """What was written to a file, batch by batch."""
    connection = sqlite3.connect(file)
    in_order = connection.execute("SELECT * FROM postings ORDER BY recorded_at").fetchall()
    told = connection.execute("SELECT * FROM outbox ORDER BY id").fetchall()
    effect = {row[1]: row for row in connection.execute("SELECT * FROM effects")}
    account = {row[0]: row for row in connection.execute("SELECT * FROM accounts")}
    entry = [column.name for column in entries.columns]
    identity = [column.name for column in accounts.columns].index("status")
    found: list[_Rows] = []
    for some, messages in zip(_batches(in_order), _batches(told), strict=True):
        own = [
            row
            for posting in some
            for row in connection.execute(
                "SELECT * FROM entries WHERE stream_id = ? AND posting_number = ? ORDER BY number", posting[:2]
            )
        ]
        held = [dict(zip(entry, row, strict=True)) for row in own]
        found.append(
            _Rows(
                postings=some,
                entries=own,
                accounts=[
                    (*account[row["account_id"]][:identity], *(row.get(name, row["number"]) for name in Held._fields))
                    for row in held
                ],
                effects=[effect[posting[2]] for posting in some],
                outbox=messages,
            )
        )
    connection.close()
    return found


async def _write_plainly(ours: Path, file: Path) -> float:
    """Returns written in a second, by nothing but SQLite's own driver, as they were written by ours."""
    batches = _rows_of(ours)
    await (await _migrated(file)).close()
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("ATTACH ? AS ours", (str(ours),))
    connection.execute("INSERT INTO main.streams SELECT * FROM ours.streams")
    connection.execute("DETACH ours")
    changed = ", ".join(f"{name} = excluded.{name}" for name in Held._fields)
    upsert = f"{_insert_into(accounts.name, len(accounts.columns))} ON CONFLICT (key) DO UPDATE SET {changed}"
    statements = {
        "effects": _insert_into(consumed.effects.name, len(consumed.effects.columns)),
        "postings": _insert_into(postings.name, len(postings.columns)),
        "accounts": upsert,
        "entries": _insert_into(entries.name, len(entries.columns)),
        "outbox": _insert_into(outbox.rows.name, len(outbox.rows.columns)),
    }
    started = time.perf_counter()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        for name, statement in statements.items():
            connection.executemany(statement, getattr(batch, name))
        connection.execute("COMMIT")
    seconds = time.perf_counter() - started
    connection.close()
    return sum(len(batch.postings) for batch in batches) / seconds


def _insert_into(table: str, columns: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - a table of ours


# Reading


async def _reading(partnership: Partnership, folder: Path) -> list[Result]:
    few = await _with_history(partnership, folder / "few.db", FEW)
    many = await _with_history(partnership, folder / "many.db", MANY)
    results = []
    for name, path in (
        ("The cumulative ledger", "/v1/ledgers/cumulative"),
        ("A page of its entries", "/v1/ledgers/cumulative/entries"),
    ):
        seconds: dict[Callable[[str], Awaitable[None]], list[float]] = {few: [], many: []}
        for _ in range(READS):
            for ask, found in seconds.items():
                started = time.perf_counter()
                await ask(path)
                found.append((time.perf_counter() - started) * 1_000)
        mine, floor = statistics.median(seconds[many]), statistics.median(seconds[few])
        title = f"{name}, after {MANY:,} entries beside {FEW:,}"
        results.append(Result(title, mine, floor, "ms", mine / floor, ("at most", 1.2)))
    return results


async def _with_history(partnership: Partnership, file: Path, entry_count: int) -> Callable[[str], Awaitable[None]]:
    """A tracker with that many entries, on as many accounts whatever their number; returns how to ask it."""
    database = await _migrated(file)
    await _fill(partnership, database, entry_count)
    access_database, bus_database = (Database(f"sqlite+aiosqlite:///{file}.{name}") for name in ("access", "bus"))
    await migrations.upgrade("access", access_database)
    settings = Settings(requests_per_minute=1_000_000)
    access = Access(access_database, utc_now)
    _, key = await access.create(Principal("auditor", Role.AUDITOR), timedelta(days=1))
    app = create_app(title="Benchmark", access=access, settings=settings)
    Tracker(
        settings=settings, partnership=partnership, database=database, bus=EmbeddedBus(bus_database), clock=utc_now
    ).install(app)
    http = httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://tracker.benchmark",
        headers={"Authorization": f"Bearer {key}"},
    )

    async def ask(path: str) -> None:
        (await http.get(path)).raise_for_status()

    return ask


async def _fill(partnership: Partnership, database: Database, entry_count: int) -> None:
    """Post through the ledger and its writer; nothing comes off a bus, and nothing is told."""
    held: dict[str, Held] = {}
    heads: dict[Stream, Head] = {}
    done = 0
    for batch in _batches(accepted_returns(partnership, entry_count // LINES), 2_000):
        async with database.write() as connection:
            locked = await writing.lock(connection, {accepted.stream for accepted in batch})
            known = await writing.known(connection, held)
            posted: list[tuple[ReturnAccepted, ledger.Posted]] = []
            for accepted in batch:
                head = heads.get(accepted.stream) or locked[accepted.stream].head
                outcome = ledger.post(accepted, held, head)
                held.update(outcome.held)
                heads[accepted.stream] = outcome.head
                posted.append((accepted, outcome))
            await writing.keep(connection, locked, known, posted)
        done += sum(len(accepted.lines) for accepted in batch)
        print(f"\r  {done:,} of {entry_count:,} entries posted to be read", end="", flush=True)
    print()


async def _migrated(file: Path) -> Database:
    database = Database(f"sqlite+aiosqlite:///{file}")
    await migrations.upgrade("tracker", database)
    return database


def _batches(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
