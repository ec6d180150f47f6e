"""A database that goes away and comes back is an outage, told as one thing, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from deploy.local.postgres_server import PostgresServer
from shared.database import Database, DatabaseUnavailable


@pytest.fixture
async def database(postgres_server: PostgresServer) -> AsyncIterator[Database]:
    url = postgres_server.url("tracker").replace("postgresql://", "postgresql+asyncpg://", 1)
    database = Database(url, schema="tracker")
    yield database
    await database.close()


async def ask(database: Database) -> int:
    async with database.write() as connection:
        return int((await connection.execute(text("SELECT 1"))).scalar_one())


async def test_from_the_stop_until_it_serves_again_every_try_says_outage(
    postgres_server: PostgresServer, database: Database
) -> None:
    assert await ask(database) == 1

    async def ask_while_it_stops() -> None:
        async with database.write() as connection:
            await connection.execute(text("SELECT 1"))
            await asyncio.to_thread(postgres_server.stop, "immediate")
            await connection.execute(text("SELECT 1"))

    with pytest.raises(DatabaseUnavailable):
        await ask_while_it_stops()
    with pytest.raises(DatabaseUnavailable):
        await ask(database)

    starting = asyncio.create_task(asyncio.to_thread(postgres_server.start))
    told = set()
    while not starting.done():
        try:
            await ask(database)
        except DatabaseUnavailable as outage:
            told.add(str(outage))
        await asyncio.sleep(0.01)
    await starting
    assert told
    assert await ask(database) == 1


async def test_of_a_server_that_started_anew_nobody_is_told(
    postgres_server: PostgresServer, database: Database
) -> None:
    # Several connections wait in the pool; all of them were the old server's.
    assert await asyncio.gather(*(ask(database) for _ in range(5))) == [1] * 5
    await asyncio.to_thread(postgres_server.stop, "immediate")
    await asyncio.to_thread(postgres_server.start)
    for _ in range(5):
        assert await ask(database) == 1


@pytest.mark.parametrize("end", ["ours", "the server's"])
async def test_a_connection_lost_while_it_is_set_up_is_an_outage(
    postgres_server: PostgresServer, database: Database, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    dialect: Any = database.engine.sync_engine.dialect
    set_up = dialect.setup_asyncpg_json_codec

    async def cut_and_set_up(connection: Any) -> None:
        if end == "ours":
            connection._connection.terminate()
        else:
            other = await asyncpg.connect(postgres_server.superuser_url)
            await other.execute("SELECT pg_terminate_backend($1, 5000)", connection._connection.get_server_pid())
            await other.close()
        await set_up(connection)

    monkeypatch.setattr(dialect, "setup_asyncpg_json_codec", cut_and_set_up)
    with pytest.raises(DatabaseUnavailable, match="lost while connecting"):
        await ask(database)
    monkeypatch.undo()
    assert await ask(database) == 1


async def test_a_caller_is_told_nothing_of_the_inside(postgres_server: PostgresServer, database: Database) -> None:
    await asyncio.to_thread(postgres_server.stop, "immediate")
    try:
        with pytest.raises(DatabaseUnavailable) as outage:
            await ask(database)
    finally:
        await asyncio.to_thread(postgres_server.start)
    assert (outage.value.status, outage.value.detail) == (503, "The database does not answer just now.")
    assert "127.0.0.1" in str(outage.value)


async def test_a_wrong_statement_is_no_outage(database: Database) -> None:
    async def ask_wrongly() -> None:
        async with database.write() as connection:
            await connection.execute(text("SELECT nothing FROM nowhere"))

    with pytest.raises(DBAPIError):
        await ask_wrongly()


@pytest.mark.parametrize("setting", ["lock_timeout", "statement_timeout"])
async def test_what_has_to_wait_too_long_for_others_is_an_outage_and_no_fault_of_what_was_asked(
    database: Database, setting: str
) -> None:
    taking = text("SELECT pg_advisory_xact_lock(1)")

    async def wait(connection: AsyncConnection) -> None:
        await connection.execute(text(f"SET LOCAL {setting} = '50ms'"))
        await connection.execute(taking)

    async with database.write() as other:
        await other.execute(taking)
        with pytest.raises(DatabaseUnavailable):
            await database.in_transaction(wait)


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_a_collision_is_tried_again_and_in_the_end_an_outage(database: Database, state: str) -> None:
    tries = 0

    async def collide(connection: AsyncConnection) -> None:
        nonlocal tries
        tries += 1
        await connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'a test' USING ERRCODE = '{state}'; END $$"))

    with pytest.raises(DatabaseUnavailable):
        await database.in_transaction(collide)
    assert tries == 6
