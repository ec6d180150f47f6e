"""Bringing a database up to date: one branch of migrations for each service's own database."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData

from shared.database import Database
from shared.settings import DatabaseName

_HERE = Path(__file__).parent
_METADATA_IN: Mapping[DatabaseName, str] = {
    "intake": "services.intake.store",
    "tracker": "services.tracker.store",
    "reporting": "services.reporting.store",
    "access": "shared.access",
    "bus": "shared.bus.embedded",
}


def metadata_of(name: DatabaseName) -> MetaData:
    """The tables of a service's database, as its code defines them."""
    metadata = import_module(_METADATA_IN[name]).metadata
    assert isinstance(metadata, MetaData)  # noqa: S101 - a module of ours
    return metadata


def config_of(name: DatabaseName, connection: Connection | None = None) -> Config:
    """The Alembic configuration of one service's branch, to be run on the given connection."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("version_locations", str(_HERE / name))
    config.set_main_option("path_separator", "os")
    config.attributes["name"] = name
    config.attributes["connection"] = connection
    return config


async def upgrade(name: DatabaseName, database: Database) -> None:
    """Bring a service's database to the newest revision; doing so again changes nothing."""
    async with database.write() as connection:
        await connection.run_sync(lambda sync: command.upgrade(config_of(name, sync), "head"))


async def is_current(name: DatabaseName, database: Database) -> bool:
    """Whether a database stands at the newest revision this code knows."""
    newest = ScriptDirectory.from_config(config_of(name)).get_current_head()
    async with database.read() as connection:
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision()) == newest
