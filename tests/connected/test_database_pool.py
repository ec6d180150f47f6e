"""Connections to PostgreSQL are made once: signing in costs the server and us more than most transactions do."""

from __future__ import annotations

import asyncio

from sqlalchemy import text

from deploy.local.postgres_server import PostgresServer
from shared.database import Database

AT_ONCE = 12


async def test_those_of_a_burst_are_kept_for_the_next(postgres_server: PostgresServer) -> None:
    url = postgres_server.url("tracker").replace("postgresql://", "postgresql+asyncpg://", 1)
    database = Database(url, schema="tracker")

    async def sessions_of_a_burst() -> set[int]:
        together = asyncio.Barrier(AT_ONCE)

        async def session() -> int:
            async with database.write() as connection:
                await together.wait()
                return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())

        return set(await asyncio.gather(*(session() for _ in range(AT_ONCE))))

    try:
        assert await sessions_of_a_burst() == await sessions_of_a_burst()
    finally:
        await database.close()
