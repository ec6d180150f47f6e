"""A service's own database: PostgreSQL, or an SQLite file, behind the same few verbs.

On SQLite there is one writing connection, write-ahead logging, ``BEGIN IMMEDIATE`` and ``synchronous=FULL``: what was
committed survives the loss of power, and a writer never fails half way for a lock that a reader holds.
"""

from __future__ import annotations

import asyncio
import random
import socket
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

import asyncpg
from sqlalchemy import (
    ARRAY,
    BigInteger,
    BindParameter,
    Column,
    Compiled,
    DateTime,
    Delete,
    Dialect,
    Insert,
    Integer,
    String,
    Table,
    Text,
    Update,
    bindparam,
    column,
    event,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql.visitors import replacement_traverse
from sqlalchemy.types import TypeDecorator, TypeEngine

from shared.clock import moment_text
from shared.errors import Unavailable

Result = TypeVar("Result")

#: An identity that counts up on both back ends; SQLite only does so for INTEGER.
Identity: Final = BigInteger().with_variant(Integer(), "sqlite")

_RETRIES: Final = 6
#: To one database; a process has two. Four processes have room on a server that takes the usual hundred.
_POOL_SIZE: Final = 12
_POOL_TIMEOUT_SECONDS: Final = 10
_CONNECT_TIMEOUT_SECONDS: Final = 10
#: No statement and no wait for a lock outlasts these: better an error that is tried again than a queue that grows.
_SERVER_SETTINGS: Final = {
    "application_name": "savings",
    "lock_timeout": "5s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
}
_PRAGMAS: Final = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000")
#: The writer's cache holds what a batch touches of the indexes of a long history, and a checkpoint comes after many
#: batches, not in the middle of one; SQLite's own 2 MB and 4 MB are for small machines.
_WRITERS_PRAGMAS: Final = ("cache_size=-32768", "wal_autocheckpoint=8192")
#: A serialisation failure, a deadlock.
_COLLISIONS: Final = ("40001", "40P01")
#: Connection lost, nothing left to work with, the server starting up or shutting down (PostgreSQL, appendix A).
_OUTAGES: Final = ("08", "53", "57P01", "57P02", "57P03")
#: A lock, a statement or a pause that lasted too long: what others do, not what was asked.
_TOO_LONG: Final = ("55P03", "57014", "25P03")


class Moment(TypeDecorator[datetime]):
    """A moment in UTC to the microsecond; on SQLite a text of fixed width, so that it sorts by time."""

    impl = String
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(DateTime(timezone=True) if dialect.name == "postgresql" else String(27))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return moment_text(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value
        return datetime.fromisoformat(value)


def insert(table: Table, connection: AsyncConnection) -> sqlite.Insert | postgresql.Insert:
    """An INSERT of the connection's dialect: the one that has ``on_conflict_do_update``."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


@dataclass(frozen=True, eq=False, slots=True)
class ForEach:
    """A statement for each of many rows: an INSERT of some columns, or an UPDATE or DELETE that names each row once.

    A row's values are the driver's own and stand in the order of the parameters' names. They go to the driver as they
    are: having each value of each row translated costs more than the database takes. SQLite prepares the statement
    once and runs it row by row; PostgreSQL is sent one statement with an array for each parameter. It inserts in the
    order of the rows; which row it changes first is its own choice, so hold their locks already.
    """

    statement: Insert | Update | Delete
    parameters: tuple[str, ...]

    async def run(self, connection: AsyncConnection, rows: Sequence[tuple[Any, ...]]) -> None:
        if not rows:
            return
        if connection.dialect.name == "postgresql":
            columns = tuple(list(values) for values in zip(*rows, strict=True))
            await connection.exec_driver_sql(_text_for_arrays(self, connection.dialect), columns)
        else:
            await connection.exec_driver_sql(_text_of(self, connection.dialect), list(rows))


@lru_cache(maxsize=64)
def _text_of(each: ForEach, dialect: Dialect) -> str:
    compiled = each.statement.compile(dialect=dialect, column_keys=list(each.parameters), for_executemany=True)
    return _in_order(compiled, each.parameters)


@lru_cache(maxsize=64)
def _text_for_arrays(each: ForEach, dialect: Dialect) -> str:
    """The statement with its parameters taken from arrays, all of the same length."""
    binds = each.statement.compile(dialect=dialect, column_keys=list(each.parameters)).binds
    types = {name: _without_length(binds[name].type) for name in each.parameters}
    arrays = [bindparam(name, type_=ARRAY(type_)) for name, type_ in types.items()]
    columns = (column(name, type_) for name, type_ in types.items())
    given = func.unnest(*arrays).table_valued(*columns, with_ordinality="place").render_derived(name="given")
    if isinstance(each.statement, Insert):
        rows = select(*(given.c[name] for name in each.parameters)).order_by(given.c.place)
        return _in_order(each.statement.from_select(each.parameters, rows).compile(dialect=dialect), each.parameters)

    def from_arrays(element: Any, **_: Any) -> Any:
        return given.c[element.key] if isinstance(element, BindParameter) else None

    changing = cast("Update | Delete", replacement_traverse(each.statement, {}, from_arrays))
    return _in_order(changing.compile(dialect=dialect), each.parameters)


def _without_length(type_: TypeEngine[Any]) -> TypeEngine[Any]:
    # Cast to a text of so many letters, a longer one would be cut short in silence; put into its column it is refused.
    return Text() if isinstance(type_, String) else type_


def _in_order(compiled: Compiled, parameters: Sequence[str]) -> str:
    if tuple(getattr(compiled, "positiontup", ())) != tuple(parameters):
        raise TypeError(f"the parameters of this statement do not stand in the order of its rows: {compiled}")
    return str(compiled)


def for_driver(column: Column[Any], connection: AsyncConnection) -> Callable[[Any], Any]:
    """How a value of that column is given to the connection's driver."""
    dialect = connection.dialect
    return column.type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


class DatabaseUnavailable(Unavailable):
    """The database cannot be reached, or dropped the connection: nothing is wrong with what was asked of it.

    Its text is for the log; a caller is told no more than that.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("The database does not answer just now.", "Send it again in a moment, the same as it was.")
        self._reason = reason

    def __str__(self) -> str:
        return self._reason


class Collision(DatabaseUnavailable):
    """Another transaction was in the way, and nothing of this one was kept."""


class Database:
    """One service's database. Every transaction is opened here, in sight of the caller, and commits on leaving.

    On PostgreSQL ``schema`` is where its tables are; on SQLite the file is its own.
    """

    def __init__(self, url: str, *, schema: str | None = None, readers: int = 8) -> None:
        self._is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self._commits = _Commits(make_url(url).database) if self._is_sqlite else None
        if self._is_sqlite:
            self._writer = _sqlite_engine(url, pool_size=1, begin="BEGIN IMMEDIATE")
            self._reader = _sqlite_engine(url, pool_size=readers, begin="BEGIN")
        else:
            self._writer = self._reader = _postgresql_engine(url, schema)

    @property
    def engine(self) -> AsyncEngine:
        """The writing engine, for migrations."""
        return self._writer

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One writing transaction: committed, and synced, when the block has been left.

        Raises:
            DatabaseUnavailable: try again; where it was lost while committing, it may have been kept or not.
        """
        with _outages_told():
            async with self._writer.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One reading transaction: everything in it sees the same state.

        Raises:
            DatabaseUnavailable: try again.
        """
        with _outages_told():
            async with self._reader.connect() as connection:
                if not self._is_sqlite:
                    connection = await connection.execution_options(
                        isolation_level="REPEATABLE READ", postgresql_readonly=True
                    )
                async with connection.begin():
                    yield connection

    def commits(self) -> int | None:
        """A number that is another one once anybody has committed anything; had at once, without a query.

        ``None`` where it is not to be had so cheaply (on PostgreSQL): read what may have changed.
        """
        return None if self._commits is None else self._commits.number()

    async def in_transaction(self, work: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """Do the work in one writing transaction, again from the start where the database asks for that.

        Only a collision is tried again: it means that nothing was kept.

        Raises:
            DatabaseUnavailable: try again later.
        """
        for attempt in range(_RETRIES):
            try:
                async with self.write() as connection:
                    return await work(connection)
            except Collision:
                if attempt == _RETRIES - 1:
                    raise
            await asyncio.sleep(0.01 * 2**attempt * (1 + random.random()))  # noqa: S311 - jitter, not a secret
        raise AssertionError("the last attempt returns or raises")

    async def ask(self, question: Callable[[AsyncConnection], Awaitable[Result]]) -> Result:
        """The answer to one question, in a reading transaction of its own.

        Raises:
            DatabaseUnavailable: try again.
        """
        async with self.read() as connection:
            return await question(connection)

    async def close(self) -> None:
        await self._writer.dispose()
        await self._reader.dispose()
        if self._commits is not None:
            self._commits.close()


class _Commits:
    """Watches an SQLite file through a connection of its own, which looks at the head of the log and never waits.

    It is used on the event loop: a look takes microseconds, handing one to a thread would take ten times as long.
    """

    def __init__(self, file: str | None) -> None:
        self._file = file or ":memory:"
        self._connection: sqlite3.Connection | None = None

    def number(self) -> int | None:
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._file, timeout=0)
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.OperationalError:
            # Somebody is setting the log up, or mending it: the query that follows waits for that, this does not.
            return None

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@contextmanager
def _outages_told() -> Iterator[None]:
    """An outage has many faces, the driver's and the system's; above this they are one."""
    try:
        yield
    except (ConnectionError, socket.gaierror, PoolExhausted) as error:
        raise DatabaseUnavailable(f"the database cannot be reached: {error!r}") from error
    except DBAPIError as error:
        state = str(getattr(error.orig, "sqlstate", None) or "")
        # An internal error that no server has named is the driver's, of a connection cut in the middle of a word.
        is_the_drivers = isinstance(error, InternalError) and not state
        if state in _COLLISIONS:
            raise Collision(f"another transaction was in the way: {error.orig}") from error
        told_so = state.startswith(_OUTAGES) or state in _TOO_LONG
        if isinstance(error, (InterfaceError, OperationalError)) or is_the_drivers or told_so:
            raise DatabaseUnavailable(f"the database does not answer: {error.orig}") from error
        raise
    except (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError) as error:
        # While a connection is being set up, nobody puts the driver's errors into SQLAlchemy's.
        if isinstance(error, asyncpg.PostgresError) and not str(error.sqlstate or "").startswith(_OUTAGES):
            raise
        raise DatabaseUnavailable(f"the database was lost while connecting: {error}") from error


def _postgresql_engine(url: str, schema: str | None) -> AsyncEngine:
    engine = create_async_engine(
        url,
        pool_size=_POOL_SIZE,
        # One beyond the pool would be let go after each use, and signing in to the server takes milliseconds.
        max_overflow=0,
        pool_timeout=_POOL_TIMEOUT_SECONDS,
        connect_args={
            "timeout": _CONNECT_TIMEOUT_SECONDS,
            "server_settings": _SERVER_SETTINGS | ({"search_path": schema} if schema else {}),
        },
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def _require_open(connection: Any, _record: Any, _fairy: Any) -> None:
        # The driver knows of a connection that the server has closed. Asking the server as well, the pool's own way,
        # takes three round trips before each transaction, and a connection lost in silence holds that up just the same.
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError

    return engine


def _sqlite_engine(url: str, *, pool_size: int, begin: str) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, connect_args={"timeout": 30})

    @event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver must not open transactions of its own accord: "begin" below says how they open.
        connection.isolation_level = None
        cursor = connection.cursor()
        its_own = ("query_only=ON",) if begin == "BEGIN" else _WRITERS_PRAGMAS
        for pragma in (*_PRAGMAS, *its_own):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Any) -> None:
        connection.exec_driver_sql(begin)

    return engine
