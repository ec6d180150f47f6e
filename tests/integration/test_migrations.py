"""Each database's migrations and the tables in the code say the same, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, get_args

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

import migrations
from shared.database import Database
from shared.settings import DatabaseName


@pytest.fixture(params=get_args(DatabaseName))
def name(request: pytest.FixtureRequest) -> DatabaseName:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def database(name: DatabaseName, database_url: Callable[[DatabaseName], str]) -> AsyncIterator[Database]:
    database = Database(database_url(name), schema="access" if name == "bus" else name)
    yield database
    await database.close()


def differences(name: DatabaseName, connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, migrations.metadata_of(name)))


async def test_migrated_from_nothing_a_database_is_what_the_code_expects(
    name: DatabaseName, database: Database
) -> None:
    assert not await migrations.is_current(name, database)
    await migrations.upgrade(name, database)
    async with database.write() as connection:
        assert await connection.run_sync(lambda sync: differences(name, sync)) == []
    assert await migrations.is_current(name, database)


async def test_migrating_again_changes_nothing_and_down_leaves_nothing(name: DatabaseName, database: Database) -> None:
    await migrations.upgrade(name, database)
    await migrations.upgrade(name, database)
    async with database.write() as connection:
        await connection.run_sync(lambda sync: command.downgrade(migrations.config_of(name, sync), "base"))
    async with database.read() as connection:
        left = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert left == ["alembic_version"]
