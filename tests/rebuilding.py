"""What tests of rebuilding share: everything that a database holds, and a replay that is stopped on its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import MetaData, select

from savings.rebuilding import Rebuilder
from shared.database import Database
from shared.rebuilding import Verdict
from shared.replaying import Progress


class Stopped(Exception):
    """The operator pressed Ctrl-C, or the machine went down."""


def unwatched(_done: int, _total: int) -> None:
    """Progress that nobody looks at."""


def stopping_after(events: int) -> Progress:
    """Stops the replay as soon as so many events have been replayed."""

    def progress(done: int, _total: int) -> None:
        if done >= events:
            raise Stopped

    return progress


async def prove(rebuilder: Rebuilder, *, fresh: bool = False, replaying: Progress = unwatched) -> Verdict:
    return await rebuilder.prove(fresh=fresh, replaying=replaying, comparing=unwatched)


async def exchange(rebuilder: Rebuilder, agreed: bool = True) -> tuple[Verdict, str | None]:
    return await rebuilder.exchange(replaying=unwatched, comparing=unwatched, agreed=lambda _: agreed)


async def everything_in(database: Database, metadata: MetaData) -> Mapping[str, Sequence[Any]]:
    """Every row of every table, those that only this machine knows included."""
    found: dict[str, Sequence[Any]] = {}
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            query = select(table).order_by(*table.primary_key.columns)
            found[table.name] = [tuple(row) for row in await connection.execute(query)]
    return found


async def everything_rebuilt(rebuilder: Rebuilder, metadata: MetaData) -> Mapping[str, Sequence[Any]]:
    database = rebuilder.place.rebuilt()
    try:
        return await everything_in(database, metadata)
    finally:
        await database.close()
