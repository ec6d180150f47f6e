"""The real servers, started once a session when the first test asks for one, and what runs on either back end.

A machine that cannot have a server skips the tests that need it and says why, but not in CI: there they must run.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr

from deploy.kafka.desired import read_desired
from deploy.kafka.provision import KafkaConnection, apply, plan
from deploy.local.kafka_broker import KafkaBroker
from deploy.local.postgres_server import PostgresServer, Role
from deploy.local.processes import Unavailable
from shared.settings import DatabaseName, Settings
from tests.settings import settings_in

Server = TypeVar("Server", KafkaBroker, PostgresServer)

#: Where a database is, by its name.
UrlOf = Callable[[DatabaseName], str]

BOTH_DATABASES = ("sqlite", "postgresql")
BOTH_WAYS_TO_RUN = ("embedded", "for real")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long runs in CI, and where it is asked for (``make test-stack``); elsewhere it is skipped.

    So is the second run, on the real servers, of what was run on the embedded default.
    """
    if os.environ.get("CI") == "true" or os.environ.get("SAVINGS_LONG_TESTS"):
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes long: 'make test-stack' runs it, and CI does"))
        elif _is_run_again_for_real(item):
            item.add_marker(
                pytest.mark.skip(reason="run on the embedded default; 'make test-stack' and CI do it for real")
            )


def _is_run_again_for_real(item: pytest.Item) -> bool:
    given = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    return given.get("settings") == "for real" or given.get("database_url") == "postgresql"


@pytest.fixture(scope="session")
def kafka_broker() -> Iterator[KafkaBroker]:
    """A broker of our own, that may be stopped and killed; leave it running."""
    with _started(KafkaBroker) as broker:
        yield broker


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A server of our own, that may be stopped; leave it running."""
    with _started(PostgresServer) as server:
        yield server


@pytest.fixture(params=BOTH_DATABASES)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[UrlOf]:
    """The URL of an empty database by the name of its service: the same test on SQLite and on PostgreSQL.

    On PostgreSQL each has its schema and its role; give ``Database`` the name as its schema.
    """
    if request.param == "sqlite":
        yield lambda name: f"sqlite+aiosqlite:///{tmp_path}/{name}.db"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with _fresh_database(server) as database:
        yield lambda name: _sqlalchemy_url(server, _role_of(name), database)


@pytest.fixture(params=BOTH_WAYS_TO_RUN)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """The whole product with nothing in it yet: embedded, or on PostgreSQL and Apache Kafka."""
    if request.param == "embedded":
        yield settings_in(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    broker: KafkaBroker = request.getfixturevalue("kafka_broker")
    asyncio.run(_empty_topics(broker.admin))
    with _fresh_database(server) as database:
        yield settings_in(
            tmp_path,
            database_url_intake=SecretStr(server.url("intake", database)),
            database_url_tracker=SecretStr(server.url("tracker", database)),
            database_url_reporting=SecretStr(server.url("reporting", database)),
            database_url_access=SecretStr(server.url("access", database)),
            kafka_bootstrap_servers=broker.bootstrap_servers,
            kafka_user=broker.admin.username,
            kafka_password=SecretStr(broker.admin.password),
        )


@contextmanager
def _fresh_database(server: PostgresServer) -> Iterator[str]:
    """A database of its own for a test, on a server that many tests share."""
    name = f"test_{secrets.token_hex(6)}"
    server.create_roles(name)
    try:
        yield name
    finally:
        server.drop_database(name)


def _role_of(name: DatabaseName) -> Role:
    # The embedded log is never on PostgreSQL in a deployment; its tables must fit there all the same.
    return "access" if name == "bus" else name


def _sqlalchemy_url(server: PostgresServer, role: Role, database: str) -> str:
    return server.url(role, database).replace("postgresql://", "postgresql+asyncpg://", 1)


async def _empty_topics(admin: KafkaConnection) -> None:
    """The services' topics as on the first day; no council's inbox."""
    desired = read_desired([], replication_factor=1)
    names = [topic.name for topic in desired.topics]
    client = AIOKafkaAdminClient(**admin.options())
    await client.start()
    try:
        if there := set(names) & set(await client.list_topics()):
            await client.delete_topics(sorted(there))
            async with asyncio.timeout(20):
                while there & set(await client.list_topics()):  # noqa: ASYNC110 - the broker calls nobody back
                    await asyncio.sleep(0.05)
    finally:
        await client.close()
    passwords = {user: secrets.token_urlsafe(12) for user in desired.users}
    await apply(await plan(admin, desired, passwords))


def _started(make: type[Server]) -> Server:
    """A server that runs; without one the test is skipped, or in CI fails."""
    server: Server | None = None
    try:
        server = make()
        server.start()
    except Unavailable as error:
        if server is not None:
            server.close()
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have it: {error}")
        pytest.skip(str(error))
    except BaseException:
        if server is not None:
            server.close()
        raise
    return server
