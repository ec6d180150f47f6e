"""A Kafka cluster as an administrator sees it: what it holds, and the few changes that provisioning makes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import KafkaError, SaslAuthenticationFailed, for_code
from aiokafka.protocol.admin import (
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DescribeAclsRequest,
    DescribeConfigsRequest,
)
from aiokafka.protocol.metadata import MetadataRequest

from deploy.kafka.desired import Acl, Operation, Pattern, Permission, Resource, Topic
from deploy.kafka.wire import (
    SCRAM_SHA_512,
    AlterUserScramCredentials,
    CreateAcls,
    DeleteAcls,
    DescribeUserScramCredentials,
    IncrementalAlterConfigs,
)

MECHANISM: Final = "SCRAM-SHA-512"
REQUEST_TIMEOUT_MS: Final = 30_000
#: How many ACLs go into one request.
ACLS_AT_ONCE: Final = 500

_ANY: Final = 1
_SET_ON_THE_TOPIC: Final = 1


class ClusterRefused(Exception):
    """The broker refused what an administrator asked of it; the text says what, and the broker's reason."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the broker is and who speaks to it. ``ssl_context`` goes with ``SASL_SSL``."""

    bootstrap_servers: str
    username: str
    password: str = field(repr=False)
    security_protocol: str = "SASL_PLAINTEXT"
    ssl_context: SSLContext | None = None

    def options(self) -> dict[str, Any]:
        """As keyword arguments of any aiokafka producer, consumer or client."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "security_protocol": self.security_protocol,
            "ssl_context": self.ssl_context,
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }

    def as_user(self, username: str, password: str) -> KafkaConnection:
        """The same broker, another user."""
        return KafkaConnection(self.bootstrap_servers, username, password, self.security_protocol, self.ssl_context)


@dataclass(frozen=True, slots=True)
class FoundTopic:
    """A topic as the broker holds it; ``config`` has only what is set on the topic itself."""

    partitions: int
    replication_factor: int
    config: Mapping[str, str]


async def may_sign_in(connection: KafkaConnection) -> bool:
    """Whether the broker takes this user's password.

    Raises:
        KafkaError, OSError: when the broker cannot be reached.
    """
    options = connection.options()
    failure: Exception | None = None
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers")):
        try:
            opened = await create_conn(host, port, request_timeout_ms=REQUEST_TIMEOUT_MS, **options)
        except SaslAuthenticationFailed:
            return False
        except (OSError, KafkaError) as error:
            failure = error
            continue
        opened.close()
        return True
    raise failure or KafkaError(f"no address in {connection.bootstrap_servers!r}")


@asynccontextmanager
async def administer(connection: KafkaConnection) -> AsyncIterator[Cluster]:
    """A cluster to look at and change, for as long as the block runs.

    Raises:
        KafkaError: when no broker of the cluster can be reached, or none takes the user's password.
    """
    client = AIOKafkaClient(**connection.options(), request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await client.bootstrap()
        yield Cluster(client)
    finally:
        await client.close()


class Cluster:
    """Everything here raises ``ClusterRefused`` when the broker says no, ``KafkaError`` when it says nothing."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def topics(self, names: Iterable[str]) -> Mapping[str, FoundTopic]:
        """Those of the named topics that exist."""
        every = (await self._send(MetadataRequest(None))).to_object()["topics"]
        wanted = set(names)
        found = {row["topic"]: row["partitions"] for row in every if row["topic"] in wanted}
        config = await self._topic_config(sorted(found))
        return {
            name: FoundTopic(len(partitions), len(partitions[0]["replicas"]) if partitions else 0, config[name])
            for name, partitions in found.items()
        }

    async def acls(self) -> frozenset[Acl]:
        """All ACLs of the cluster."""
        answer = await self._send(DescribeAclsRequest(_ANY, None, _ANY, None, None, _ANY, _ANY))
        _check("list the ACLs", answer.error_code, answer.error_message)
        return frozenset(
            Acl(who, Resource(kind), name, Pattern(pattern), Operation(operation), Permission(permission), host)
            for kind, name, pattern, acls in answer.resources
            for who, host, operation, permission in acls
        )

    async def users(self) -> Mapping[str, int]:
        """The users who have a SCRAM-SHA-512 password, each with its iterations."""
        answer = (await self._send(DescribeUserScramCredentials())).to_object()
        _check("list the users", answer["error_code"], answer["error_message"])
        return {
            row["user"]: credential["iterations"]
            for row in answer["results"]
            for credential in row["credential_infos"]
            if credential["mechanism"] == SCRAM_SHA_512
        }

    async def create_topic(self, topic: Topic) -> None:
        """Make a topic that does not exist."""
        row: tuple[Any, ...] = (topic.name, topic.partitions, topic.replication_factor, [], list(topic.config.items()))
        answer = await self._send(CreateTopicsRequest([row], REQUEST_TIMEOUT_MS, False))
        for name, code, message in answer.topic_errors:
            _check(f"create topic {name}", code, message)

    async def raise_partitions(self, topic: str, count: int) -> None:
        """Give a topic more partitions, ``count`` in all."""
        answer = await self._send(CreatePartitionsRequest([(topic, (count, None))], REQUEST_TIMEOUT_MS, False))
        for name, code, message in answer.topic_errors:
            _check(f"give topic {name} {count} partitions", code, message)

    async def set_config(self, topic: str, settings: Sequence[tuple[str, str | None]]) -> None:
        """Set, or with ``None`` unset, settings of a topic."""
        answer = await self._send(IncrementalAlterConfigs(topic, settings))
        for code, message, _, name in answer.responses:
            _check(f"configure topic {name}", code, message)

    async def create_acls(self, acls: Sequence[Acl]) -> None:
        """Add ACLs; one that is there stays."""
        for start in range(0, len(acls), ACLS_AT_ONCE):
            some = acls[start : start + ACLS_AT_ONCE]
            answer = await self._send(CreateAcls([_row(acl) for acl in some]))
            for acl, (code, message) in zip(some, answer.creation_responses, strict=True):
                _check(str(acl), code, message)

    async def delete_acls(self, acls: Sequence[Acl]) -> None:
        """Take ACLs away; one that is not there is no error."""
        for start in range(0, len(acls), ACLS_AT_ONCE):
            some = acls[start : start + ACLS_AT_ONCE]
            answer = await self._send(DeleteAcls([_row(acl) for acl in some]))
            for acl, (code, message, _) in zip(some, answer.filter_responses, strict=True):
                _check(f"revoke: {acl}", code, message)

    async def set_password(self, user: str, password: str, iterations: int) -> None:
        """Make a user, or change the password of one. Only its digest leaves this process."""
        salt = secrets.token_bytes(32)
        salted = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
        await self._alter_users(f"set the password of {user}", [], [(user, iterations, salt, salted)])

    async def remove_user(self, user: str) -> None:
        """Take a user's password away: it can sign in no more."""
        await self._alter_users(f"remove user {user}", [user], [])

    async def _alter_users(
        self, what: str, removals: Sequence[str], upsertions: Sequence[tuple[str, int, bytes, bytes]]
    ) -> None:
        answer = (await self._send(AlterUserScramCredentials(removals, upsertions))).to_object()
        for row in answer["results"]:
            _check(what, row["error_code"], row["error_message"])

    async def _topic_config(self, names: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """What is set on each topic itself, without the broker's defaults."""
        if not names:
            return {}
        answer = await self._send(DescribeConfigsRequest([(Resource.TOPIC, name, None) for name in names]))
        config: dict[str, dict[str, str]] = {}
        for code, message, _, name, entries in answer.resources:
            _check(f"read the settings of topic {name}", code, message)
            config[name] = {key: value for key, value, _, source, *_ in entries if source == _SET_ON_THE_TOPIC}
        return config

    async def _send(self, request: Any) -> Any:
        """Send to any broker: in KRaft each one passes on to the controller what is the controller's."""
        return await self._client.send(self._client.get_random_node(), request)


def _row(acl: Acl) -> tuple[int, str, int, str, str, int, int]:
    return (acl.resource, acl.name, acl.pattern, acl.principal, acl.host, acl.operation, acl.permission)


def _check(what: str, code: int, message: str | None) -> None:
    if code:
        raise ClusterRefused(f"{what}: {for_code(code).__name__}{f': {message}' if message else ''}")
