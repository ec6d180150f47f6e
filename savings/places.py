"""Where a service's database is, where the rebuilt one is made beside it, and how the two change places.

The one that was live is kept aside, so that nothing is lost by the change. It is refused while anybody is connected.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import Database
from shared.settings import ServiceName, Settings

_DISCONNECT_SECONDS: Final = 5


class InUse(Exception):
    """The two cannot change places; the text says why, and what to do."""


class Place(Protocol):
    """The live database and the rebuilt one of a service. Our own connections to both are closed when this works."""

    def rebuilt(self) -> Database: ...

    async def clear(self) -> None:
        """Remove what an earlier rebuild made; never what is live."""
        ...

    async def require_stopped(self) -> None:
        """Raises: InUse, while a service is connected, or what was put aside earlier is still there."""
        ...

    async def exchange(self) -> str:
        """Put the rebuilt database in the place of the live one; where that is now.

        Raises:
            InUse: as above; nothing was changed.
        """
        ...


def place_of(settings: Settings, name: ServiceName) -> Place:
    url = settings.url_of(name)
    if make_url(url).get_backend_name() == "sqlite":
        return Files(Path(make_url(url).database or ""))
    return Schemas(url, name)


class Files:
    """SQLite: a file beside the live one, ``tracker.rebuild.db``; the old one is kept as ``tracker.before.db``."""

    def __init__(self, live: Path) -> None:
        self.live = live
        self.path = live.with_suffix(".rebuild.db")
        self.aside = live.with_suffix(".before.db")

    def rebuilt(self) -> Database:
        return Database(f"sqlite+aiosqlite:///{self.path}")

    async def clear(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)

    async def require_stopped(self) -> None:
        if self.aside.exists():
            raise InUse(f"{self.aside} is there from an earlier time. Move it away or delete it.")
        _close_the_log(self.live)

    async def exchange(self) -> str:
        await self.require_stopped()
        _close_the_log(self.path)
        # At every moment there is a whole database under the name of the live one.
        os.link(self.live, self.aside)
        self.path.replace(self.live)
        _sync(self.live.parent)
        return str(self.aside)


class Schemas:
    """PostgreSQL: the schema ``tracker_rebuild``; the old tables go to ``tracker_before``. roles.sql makes both."""

    def __init__(self, url: str, name: ServiceName) -> None:
        self._url = url
        self._live = name
        self._rebuilt = f"{name}_rebuild"
        self._aside = f"{name}_before"

    def rebuilt(self) -> Database:
        return Database(self._url, schema=self._rebuilt)

    async def clear(self) -> None:
        database = self.rebuilt()
        try:
            async with database.write() as connection:
                for table in await _tables_in(connection, self._rebuilt):
                    await connection.execute(text(f'DROP TABLE {self._rebuilt}."{table}" CASCADE'))
                for function in await _functions_in(connection, self._rebuilt):
                    await connection.execute(text(f"DROP FUNCTION {function}"))
        finally:
            await database.close()

    async def require_stopped(self) -> None:
        database = self.rebuilt()
        try:
            async with database.write() as connection:
                await self._require_alone(connection)
        finally:
            await database.close()

    async def exchange(self) -> str:
        database = self.rebuilt()
        try:
            async with database.write() as connection:
                await self._require_alone(connection)
                for here, there in ((self._live, self._aside), (self._rebuilt, self._live)):
                    for table in await _tables_in(connection, here):
                        await connection.execute(text(f'ALTER TABLE {here}."{table}" SET SCHEMA {there}'))
                    for function in await _functions_in(connection, here):
                        await connection.execute(text(f"ALTER FUNCTION {function} SET SCHEMA {there}"))
        finally:
            await database.close()
        return f"the schema {self._aside}"

    async def _require_alone(self, connection: AsyncConnection) -> None:
        exists = await connection.execute(
            text("SELECT 1 FROM pg_namespace WHERE nspname = :aside"), {"aside": self._aside}
        )
        if exists.first() is None:
            raise InUse(f"There is no schema {self._aside}. Run deploy/postgres/roles.sql again: it makes it.")
        if await _tables_in(connection, self._aside):
            raise InUse(
                f"The schema {self._aside} holds what was live before an earlier change. When nobody needs it: "
                f"DROP SCHEMA {self._aside} CASCADE, and run deploy/postgres/roles.sql again."
            )
        others = text(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user "
            "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        # Connections that were just closed, ours among them, take a moment to go.
        for _ in range(_DISCONNECT_SECONDS * 10):
            count = int((await connection.execute(others)).scalar_one())
            if not count:
                return
            await asyncio.sleep(0.1)
        raise InUse(f"{self._live} is running ({count} connections of its role). Stop every process of it first.")


def _close_the_log(path: Path) -> None:
    """Bring what stands in the write-ahead log into the file, which SQLite lets nobody do while others have it open."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    except sqlite3.OperationalError as error:
        raise InUse(f"{path} is in use ({error}). Stop every process that has it open.") from error
    finally:
        connection.close()
    if mode != "delete":
        raise InUse(f"{path} is in use. Stop every process that has it open.")


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _tables_in(connection: AsyncConnection, schema: str) -> Sequence[str]:
    query = text("SELECT tablename FROM pg_tables WHERE schemaname = :schema ORDER BY tablename")
    return list((await connection.execute(query, {"schema": schema})).scalars())


async def _functions_in(connection: AsyncConnection, schema: str) -> Sequence[str]:
    """Each with its schema and parameters, as ALTER FUNCTION takes it."""
    query = text(
        "SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = :schema ORDER BY 1"
    )
    return list((await connection.execute(query, {"schema": schema})).scalars())
