"""What ``var/stack/env`` says: every address, user, password and key of a running stack, in shell syntax."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, get_args

from deploy.kafka.cluster import MECHANISM, KafkaConnection
from deploy.kafka.desired import council_user
from deploy.local.postgres_server import Role

if TYPE_CHECKING:
    from deploy.local.stack import Stack


def write_env(stack: Stack) -> None:
    """Write it whole, readable by its owner alone from the first byte."""
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in _lines(stack))
    part = stack.env_file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(stack.env_file)


def _lines(stack: Stack) -> Iterator[tuple[str, str]]:
    yield "URL", stack.url
    for name, service in stack.services.items():
        yield f"{name.upper()}_URL", service.url
    admin: KafkaConnection = stack.broker.admin
    yield "KAFKA_BOOTSTRAP_SERVERS", admin.bootstrap_servers
    yield "KAFKA_SECURITY_PROTOCOL", admin.security_protocol
    yield "KAFKA_SASL_MECHANISM", MECHANISM
    users = {"ADMIN": (admin.username, admin.password)}
    users |= {name.upper(): (name, stack.passwords[name]) for name in stack.services}
    for council in stack.partnership.councils:
        user = council_user(council.register_code)
        users[council.register_code] = (user, stack.passwords[user])
    for who, (user, password) in users.items():
        yield f"KAFKA_USER_{who}", user
        yield f"KAFKA_PASSWORD_{who}", password
    # As libpq, psql and asyncpg read them; the services' own settings take them as they are.
    for role in get_args(Role):
        yield f"DATABASE_URL_{role.upper()}", stack.database.url(role)
    yield "DATABASE_URL_SUPERUSER", stack.database.superuser_url
    for holder, key in stack.keys.items():
        yield f"KEY_{holder.upper().replace('-', '_')}", key
    pids = {"STACK": os.getpid(), "KAFKA": stack.broker.pid, "POSTGRES": stack.database.pid}
    pids |= {name.upper(): service.pid for name, service in stack.services.items()}
    for part, pid in pids.items():
        yield f"PID_{part}", str(pid)
