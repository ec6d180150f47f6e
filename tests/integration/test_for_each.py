"""A statement for each of many rows, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Date, LargeBinary, MetaData, String, Table, Text, bindparam, event, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import Database, ForEach, Identity, Moment, for_driver
from tests.conftest import UrlOf

things = Table(
    "things",
    MetaData(),
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("name", String(10), nullable=False),
    Column("pence", BigInteger),
    Column("day", Date),
    Column("moment", Moment),
    Column("hash", LargeBinary(32)),
    Column("note", Text),
)
ADD = ForEach(things.insert(), ("name", "pence", "day", "moment", "hash", "note"))
CHANGE = ForEach(
    things.update().where(things.c.name == bindparam("the_name")).values(pence=bindparam("p"), note=bindparam("n")),
    ("p", "n", "the_name"),
)
NOON = datetime(2012, 1, 26, 12, tzinfo=UTC)


@pytest.fixture
async def connection(database_url: UrlOf) -> AsyncIterator[AsyncConnection]:
    database = Database(database_url("tracker"), schema="tracker")
    async with database.write() as connection:
        await connection.run_sync(things.metadata.create_all)
        yield connection
        await connection.run_sync(things.metadata.drop_all)
    await database.close()


def rows_for(connection: AsyncConnection, count: int) -> list[tuple[Any, ...]]:
    day, moment = for_driver(things.c.day, connection), for_driver(things.c.moment, connection)
    return [
        (
            f"n{number}",
            None if number % 5 == 0 else number * 10**12,
            day(date(2012, 1, 1) + timedelta(days=number)),
            None if number % 3 == 0 else moment(NOON + timedelta(microseconds=number)),
            bytes([number % 256]) * 32,
            'a "quoted" {text}, with NULL, \\ and ä' if number % 2 else None,
        )
        for number in range(count)
    ]


async def test_rows_are_kept_as_they_are_and_numbered_in_their_order(connection: AsyncConnection) -> None:
    await ADD.run(connection, rows_for(connection, 300))
    kept = (await connection.execute(select(things).order_by(things.c.id))).all()
    assert [row.name for row in kept] == [f"n{number}" for number in range(300)]
    assert kept[7][2:] == (
        7 * 10**12,
        date(2012, 1, 8),
        NOON + timedelta(microseconds=7),
        b"\x07" * 32,
        'a "quoted" {text}, with NULL, \\ and ä',
    )
    assert [kept[0].pence, kept[0].moment, kept[0].note] == [None, None, None]


async def test_each_row_named_is_changed_and_no_other(connection: AsyncConnection) -> None:
    await ADD.run(connection, rows_for(connection, 5))
    await CHANGE.run(connection, [(2, "changed", "n2"), (None, None, "n4"), (0, "nobody", "not there")])
    kept = {row.name: row for row in await connection.execute(select(things))}
    assert (kept["n2"].note, kept["n2"].pence, kept["n2"].day) == ("changed", 2, date(2012, 1, 3))
    assert (kept["n4"].note, kept["n4"].pence) == (None, None)
    assert (kept["n1"].note, kept["n1"].pence) == ('a "quoted" {text}, with NULL, \\ and ä', 10**12)


async def test_each_row_named_goes_and_no_other(connection: AsyncConnection) -> None:
    await ADD.run(connection, rows_for(connection, 5))
    removing = ForEach(things.delete().where(things.c.name == bindparam("the_name")), ("the_name",))
    await removing.run(connection, [("n1",), ("n3",), ("not there",)])
    kept = await connection.execute(select(things.c.name).order_by(things.c.id))
    assert list(kept.scalars()) == ["n0", "n2", "n4"]


async def test_no_rows_ask_nothing_and_many_are_sent_at_once(connection: AsyncConnection) -> None:
    sent: list[str] = []
    many: list[bool] = []

    def note(_c: Any, _cursor: Any, statement: str, _p: Any, _context: Any, executemany: bool) -> None:
        sent.append(statement)
        many.append(executemany)

    event.listen(connection.sync_connection, "before_cursor_execute", note)
    await ADD.run(connection, [])
    assert sent == []
    await ADD.run(connection, rows_for(connection, 50))
    await CHANGE.run(connection, [(2, "changed", f"n{number}") for number in range(50)])
    assert len(sent) == 2
    on_postgresql = connection.dialect.name == "postgresql"
    assert all(("unnest(" in statement) is on_postgresql for statement in sent)
    assert many == [not on_postgresql] * 2


async def test_a_text_too_long_for_its_column_is_never_cut_short(connection: AsyncConnection) -> None:
    rows = [("a name too long", None, None, None, None, None)]
    if connection.dialect.name == "postgresql":
        with pytest.raises(DBAPIError, match="too long"):
            async with connection.begin_nested():
                await ADD.run(connection, rows)
    else:
        # It takes texts of any length.
        await ADD.run(connection, rows)
        assert (await connection.execute(select(things.c.name))).scalar_one() == "a name too long"


async def test_parameters_out_of_the_order_of_the_rows_are_refused(connection: AsyncConnection) -> None:
    swapped = ForEach(CHANGE.statement, ("the_name", "p", "n"))
    if connection.dialect.name == "postgresql":
        # Here they are named in the statement, so any order will do.
        await ADD.run(connection, rows_for(connection, 3))
        await swapped.run(connection, [("n1", 5, "changed")])
        assert (await connection.execute(select(things.c.note).where(things.c.name == "n1"))).scalar_one() == "changed"
    else:
        with pytest.raises(TypeError, match="order"):
            await swapped.run(connection, [("n1", 5, "changed")])
