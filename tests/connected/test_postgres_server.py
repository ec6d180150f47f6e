"""A role a service, each in its own schema, on a real PostgreSQL that may be stopped any way."""

from __future__ import annotations

import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg
import pytest

from deploy.local import processes
from deploy.local.postgres_server import PostgresServer

SERVICES = ("intake", "tracker", "reporting")


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
def table() -> str:
    return f"t_{secrets.token_hex(4)}"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_has_a_schema_of_its_own_and_finds_its_tables_there(
    database_urls: Mapping[str, str], service: str, table: str
) -> None:
    async with connected(database_urls[service]) as connection:
        await connection.execute(f"CREATE TABLE {table} (figure bigint)")
        try:
            await connection.execute(f"INSERT INTO {table} VALUES (12)")
            assert await connection.fetchval(f"SELECT figure FROM {service}.{table}") == 12
        finally:
            await connection.execute(f"DROP TABLE {table}")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_can_touch_no_other_services_schema(
    database_urls: Mapping[str, str], service: str, table: str
) -> None:
    others = [other for other in SERVICES if other != service]
    for other in others:
        async with connected(database_urls[other]) as owner:
            await owner.execute(f"CREATE TABLE {table} (figure bigint)")
    try:
        async with connected(database_urls[service]) as connection:
            for schema in others:
                for statement in (
                    f"SELECT * FROM {schema}.{table}",
                    f"INSERT INTO {schema}.{table} VALUES (1)",
                    f"DROP TABLE {schema}.{table}",
                    f"CREATE TABLE {schema}.another (figure bigint)",
                    f"SET ROLE savings_{schema}",
                ):
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(statement)
            for statement in ("CREATE TABLE public.another (figure bigint)", "CREATE SCHEMA mine"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
    finally:
        for other in others:
            async with connected(database_urls[other]) as owner:
                await owner.execute(f"DROP TABLE {table}")


async def test_every_service_reads_the_keys_and_only_the_access_role_writes_them(
    postgres_server: PostgresServer, database_urls: Mapping[str, str], table: str
) -> None:
    async with connected(postgres_server.url("access")) as keeper:
        await keeper.execute(f"CREATE TABLE {table} (digest bytea)")
        await keeper.execute(f"INSERT INTO {table} VALUES ('\\x00')")
    for service in ("intake", "tracker", "reporting"):
        async with connected(postgres_server.url(service)) as connection:
            assert await connection.fetchval(f"SELECT count(*) FROM access.{table}") == 1
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"INSERT INTO access.{table} VALUES ('\\x01')")


@pytest.mark.parametrize("service", SERVICES)
async def test_nothing_waits_for_ever(database_urls: Mapping[str, str], service: str) -> None:
    async with connected(database_urls[service]) as connection:
        for setting in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
            assert await connection.fetchval("SELECT current_setting($1)", setting) != "0"


async def test_a_wrong_password_is_refused(postgres_server: PostgresServer) -> None:
    where = f"127.0.0.1:{postgres_server.port}/savings"
    for user in ("savings_intake", "postgres"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://{user}:guessed@{where}")


async def test_an_immediate_stop_keeps_what_was_committed_and_nothing_else(
    postgres_server: PostgresServer, table: str
) -> None:
    url = postgres_server.url("tracker")
    open_connection = await asyncpg.connect(url)
    await open_connection.execute(f"CREATE TABLE {table} (figure bigint)")
    await open_connection.executemany(f"INSERT INTO {table} VALUES ($1)", [(number,) for number in range(100)])
    begun = open_connection.transaction()
    await begun.start()
    await open_connection.execute(f"INSERT INTO {table} VALUES (-1)")

    postgres_server.stop("immediate")
    assert postgres_server.pid is None
    postgres_server.start()
    open_connection.terminate()

    async with connected(url) as connection:
        rows = await connection.fetch(f"SELECT figure FROM {table} ORDER BY figure")
        assert [row["figure"] for row in rows] == list(range(100))
        assert await connection.fetchval("SHOW fsync") == "on"


def test_a_port_that_somebody_takes_meanwhile_is_given_up_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        offered = [[taken.getsockname()[1]], processes.free_ports(1)]
        monkeypatch.setattr("deploy.local.postgres_server.free_ports", lambda count: offered.pop(0))
        with PostgresServer() as server:
            assert not offered
            assert server.pid is not None


async def test_the_roles_may_be_made_again(postgres_server: PostgresServer) -> None:
    postgres_server.create_roles()
    async with connected(postgres_server.url("reporting")) as connection:
        assert await connection.fetchval("SELECT current_schema()") == "reporting"
