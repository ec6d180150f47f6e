"""Posting returns on PostgreSQL, beside its driver writing the same rows plainly."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg
import uvloop
from sqlalchemy import Column, Table
from sqlalchemy.dialects import postgresql

import migrations
from benchmarks.result import Result
from benchmarks.returns import LINES, accepted_returns, as_received
from deploy.local.postgres_server import PostgresServer
from services.tracker import handlers
from services.tracker.handlers import Read
from services.tracker.ledger import Held
from services.tracker.store import accounts, consumed, entries, outbox, postings, streams
from shared.bus.port import TopicPartition
from shared.clock import utc_now
from shared.collector import rest_the_collector
from shared.consuming import BATCH
from shared.database import Database
from shared.partnership import Partnership

PARTNERSHIP_FILE: Final = Path("deploy/partnerships/se7.toml")
RETURNS: Final = 2_000
ROUNDS: Final = 5

_Rows = Sequence[Sequence[Any]]


def run() -> list[Result]:
    """Posting on a server of our own, thrown away afterwards."""
    partnership = Partnership.parse(PARTNERSHIP_FILE.read_text(encoding="utf-8"))
    with PostgresServer() as server:
        return [uvloop.run(_posting(partnership, server))]


async def _posting(partnership: Partnership, server: PostgresServer) -> Result:
    """Ours from the returns read, as on SQLite; the floor knows every row beforehand.

    It writes them into the same tables with the same indexes, a statement a table and a transaction for as many
    returns: entries, returns, what was consumed and what is told inserted, and the accounts upserted. Ours decides,
    chains and tells as well.
    """
    rest_the_collector()
    received = [as_received(accepted, place) for place, accepted in enumerate(accepted_returns(partnership, RETURNS))]
    batches = [
        [handlers.read(message, partnership.code) for message in received[start : start + BATCH]]
        for start in range(0, RETURNS, BATCH)
    ]
    ours, floor = [], []
    for _ in range(ROUNDS):
        # Turn by turn, so that whatever else the machine does falls on both alike.
        mine, theirs = (f"round_{secrets.token_hex(4)}" for _ in range(2))
        ours.append(RETURNS / await _post(server, mine, batches))
        floor.append(RETURNS / await _write_plainly(server, mine, theirs))
        for database in (mine, theirs):
            server.drop_database(database)
    # The best round of each: whatever else the machine does only ever takes time away.
    name = f"Posting on PostgreSQL, {BATCH} returns of {LINES} lines at once"
    return Result(name, max(ours), max(floor), "returns/s", max(ours) / max(floor), ("at least", 0.6))


async def _post(server: PostgresServer, name: str, batches: Sequence[Sequence[Read]]) -> float:
    """The seconds that posting takes, once the returns have been read."""
    database = await _migrated(server, name)
    standing: dict[TopicPartition, int] = {batches[0][0].message.at: 0}
    started = time.perf_counter()
    for batch in batches:
        async with database.write() as connection:
            standing |= await consumed.advance(connection, [one.message for one in batch], standing)
            await handlers.post_read(connection, batch, utc_now)
    seconds = time.perf_counter() - started
    await database.close()
    return seconds


async def _write_plainly(server: PostgresServer, ours: str, name: str) -> float:
    """The seconds that the driver takes for the rows that ours wrote."""
    source = await asyncpg.connect(server.url("tracker", ours), server_settings={"search_path": "tracker"})
    batches = await _rows_by_batch(source)
    heads = [tuple(row) for row in await source.fetch("SELECT * FROM streams ORDER BY id")]
    await source.close()
    await (await _migrated(server, name)).close()
    connection = await asyncpg.connect(server.url("tracker", name), server_settings={"search_path": "tracker"})
    await connection.execute(_insert_all(streams), *zip(*heads, strict=True))
    changed = ", ".join(f"{column} = excluded.{column}" for column in Held._fields)
    statements = {table: _insert_all(table) for table in batches[0]}
    statements[accounts] += f" ON CONFLICT (key) DO UPDATE SET {changed}"
    started = time.perf_counter()
    for batch in batches:
        async with connection.transaction():
            for table, rows in batch.items():
                await connection.execute(statements[table], *zip(*rows, strict=True))
    seconds = time.perf_counter() - started
    await connection.close()
    return seconds


async def _rows_by_batch(connection: asyncpg.Connection) -> list[dict[Table, _Rows]]:
    """What was written, batch by batch; of an account, as it stood after the batch."""
    account = {row["id"]: dict(row) for row in await connection.fetch("SELECT * FROM accounts")}
    effect = {row["event_id"]: tuple(row) for row in await connection.fetch("SELECT * FROM effects")}
    told = [tuple(row) for row in await connection.fetch("SELECT * FROM outbox ORDER BY id")]
    posted = await connection.fetch("SELECT * FROM postings ORDER BY recorded_at")
    found: list[dict[Table, _Rows]] = []
    for start in range(0, len(posted), BATCH):
        some = posted[start : start + BATCH]
        own = await connection.fetch(
            "SELECT entries.* FROM entries JOIN unnest($1::bigint[], $2::bigint[]) AS posting (stream_id, number)"
            " ON entries.stream_id = posting.stream_id AND entries.posting_number = posting.number"
            " ORDER BY entries.stream_id, entries.number",
            [row["stream_id"] for row in some],
            [row["number"] for row in some],
        )
        standing = {}
        for entry in own:
            held = {**account[entry["account_id"]], **{name: entry.get(name) for name in Held._fields if name in entry}}
            standing[entry["account_id"]] = tuple(held[column.name] for column in accounts.columns)
        found.append(
            {
                consumed.effects: [effect[row["submission_id"]] for row in some],
                postings: [tuple(row) for row in some],
                accounts: [standing[number] for number in sorted(standing)],
                entries: [tuple(row) for row in own],
                outbox.rows: told[start : start + BATCH],
            }
        )
    return found


def _insert_all(table: Table) -> str:
    """All rows in one statement, each column's values an array."""
    arrays = ", ".join(f"${place}::{_type(column)}[]" for place, column in enumerate(table.columns, 1))
    return f"INSERT INTO {table.name} SELECT * FROM unnest({arrays})"  # noqa: S608 - a table of ours


def _type(column: Column[Any]) -> str:
    dialect = postgresql.dialect()
    return column.type.dialect_impl(dialect).compile(dialect)


async def _migrated(server: PostgresServer, name: str) -> Database:
    server.create_roles(name)
    url = server.url("tracker", name).replace("postgresql://", "postgresql+asyncpg://", 1)
    database = Database(url, schema="tracker")
    await migrations.upgrade("tracker", database)
    return database
