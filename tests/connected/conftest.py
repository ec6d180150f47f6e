"""The real servers as these tests use them: our own, or those named in the environment where a test allows."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace

import httpx
import pytest

from deploy.kafka.desired import Desired, council_inbox, council_user, read_desired
from deploy.kafka.provision import KafkaConnection, apply, plan
from deploy.local.postgres_server import PostgresServer
from deploy.local.processes import Unavailable
from deploy.local.stack import Stack
from tests.connected.provisioned import Provisioned


@pytest.fixture(scope="session")
def provisioned(request: pytest.FixtureRequest) -> Provisioned:
    """The broker at ``KAFKA_BOOTSTRAP_SERVERS`` when its administrator's password is known, else our own.

    On the one that is named, two councils that no partnership has are made and left, so that nobody's inbox is
    written to and nobody's password changed.
    """
    named = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    admin_password = os.environ.get("KAFKA_PASSWORD_ADMIN")
    if named and admin_password:
        admin = KafkaConnection(named, os.environ.get("KAFKA_USER_ADMIN", "admin"), admin_password)
        services = {
            user: password
            for user in ("intake", "tracker", "reporting")
            if (password := os.environ.get(f"KAFKA_PASSWORD_{user.upper()}"))
        }
        own, other = "ZZA", "ZZB"
        desired = _only_councils(read_desired([own, other], replication_factor=1), [own, other])
    else:
        admin = request.getfixturevalue("kafka_broker").admin
        services = {user: secrets.token_urlsafe(12) for user in ("intake", "tracker", "reporting")}
        own, other = "ESX", "KEN"
        desired = read_desired([own, other], replication_factor=1)
    passwords = services | {council_user(register): secrets.token_urlsafe(12) for register in (own, other)}

    async def provision() -> None:
        await apply(await plan(admin, desired, passwords))

    asyncio.run(provision())
    return Provisioned(admin, passwords, own, other)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The whole product on real parts, with nothing stated yet."""
    try:
        with Stack(tmp_path_factory.mktemp("stack"), progress=lambda _: None) as stack:
            yield stack
    except Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have it: {error}")
        pytest.skip(str(error))


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    """East Sussex's finance system, over HTTP."""
    async with httpx.AsyncClient(
        base_url=stack.url, headers=stack.credential("finance-ESX"), timeout=10, trust_env=False
    ) as client:
        yield client


@pytest.fixture(scope="session")
def database_urls(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """By service, ``DATABASE_URL_INTAKE`` and so on when all are set, else those of our own server."""
    services = ("intake", "tracker", "reporting")
    named = {service: os.environ.get(f"DATABASE_URL_{service.upper()}", "") for service in services}
    if all(named.values()):
        # As SQLAlchemy writes it, or as libpq does.
        return {service: url.replace("postgresql+asyncpg:", "postgresql:") for service, url in named.items()}
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return {"intake": server.url("intake"), "tracker": server.url("tracker"), "reporting": server.url("reporting")}


def _only_councils(desired: Desired, registers: Sequence[str]) -> Desired:
    """Without the services' topics, users and permissions, which are not ours to change on another's broker."""
    users = tuple(council_user(register) for register in registers)
    return replace(
        desired,
        topics=tuple(topic for topic in desired.topics if topic.name in map(council_inbox, registers)),
        acls=frozenset(acl for acl in desired.acls if acl.principal.removeprefix("User:") in users),
        users=users,
    )
