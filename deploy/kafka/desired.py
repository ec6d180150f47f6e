"""What the broker should hold, read from ``topics.yaml``, ``access.yaml`` and the councils of a partnership. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

HERE: Final = Path(__file__).parent
TOPICS_FILE: Final = HERE / "topics.yaml"
ACCESS_FILE: Final = HERE / "access.yaml"

_REGISTER_CODE: Final = re.compile(r"[A-Z]{3,4}")

_File = TypeVar("_File", bound="_Part")


class InvalidProvisioning(Exception):
    """The files (or a register code) do not describe a broker's contents; the text names every fault."""


class Resource(IntEnum):
    """What an ACL is about, by Kafka's own numbers."""

    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class Pattern(IntEnum):
    """Whether an ACL's name is the whole name of the resource or the start of it, by Kafka's own numbers."""

    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """What an ACL is about doing, by Kafka's own numbers."""

    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class Permission(IntEnum):
    """Whether an ACL denies or allows, by Kafka's own numbers."""

    DENY = 2
    ALLOW = 3


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One permission of one principal (``User:council-ESX``) on one resource, from any host unless it says which."""

    principal: str
    resource: Resource
    name: str
    pattern: Pattern
    operation: Operation
    permission: Permission = Permission.ALLOW
    host: str = "*"

    def __str__(self) -> str:
        star = "*" if self.pattern is Pattern.PREFIXED else ""
        where = "" if self.host == "*" else f" from {self.host}"
        return (
            f"{self.permission.name.lower()} {self.principal} {self.operation.name} "
            f"{self.resource.name.lower()} {self.name}{star}{where}"
        )


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic with the settings it must have; ``config`` holds Kafka's own names and texts."""

    name: str
    partitions: int
    replication_factor: int
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Desired:
    """All that the broker should hold. ``broker_settings`` are for the broker's own configuration, not applied."""

    topics: tuple[Topic, ...]
    acls: frozenset[Acl]
    users: tuple[str, ...]
    scram_iterations: int
    broker_settings: Mapping[str, str]

    @property
    def super_users(self) -> tuple[str, ...]:
        """Those whom the broker lets do anything."""
        listed = self.broker_settings.get("super.users", "")
        return tuple(principal.removeprefix("User:") for principal in listed.split(";") if principal)


def council_user(register: str) -> str:
    """The user of a council's finance system, by the name ``access.yaml`` gives it."""
    return _parse(_AccessFile, ACCESS_FILE.read_text()).council.user.format(register=register)


def council_inbox(register: str) -> str:
    """The topic a council posts its returns on, by the name ``topics.yaml`` gives it."""
    return _parse(_TopicsFile, TOPICS_FILE.read_text()).council_inbox.name.format(register=register)


def read_desired(
    registers: Sequence[str],
    *,
    replication_factor: int | None = None,
    topics_yaml: str | None = None,
    access_yaml: str | None = None,
) -> Desired:
    """What the broker should hold for the councils with these register codes (``ESX``).

    Args:
        registers: The register codes of the partnership's councils.
        replication_factor: In place of the file's, for a cluster of fewer brokers; it bounds min.insync.replicas too.
        topics_yaml: The text to read in place of ``topics.yaml``.
        access_yaml: The text to read in place of ``access.yaml``.

    Raises:
        InvalidProvisioning: naming every fault of a file, or the code that is none.
    """
    # A register code becomes part of a topic's and a user's name: nothing else may slip in with it.
    if wrong := [register for register in registers if not _REGISTER_CODE.fullmatch(register)]:
        raise InvalidProvisioning(f"a register code is three or four capitals, like ESX; not {', '.join(wrong)}")
    topics = _parse(_TopicsFile, TOPICS_FILE.read_text() if topics_yaml is None else topics_yaml)
    access = _parse(_AccessFile, ACCESS_FILE.read_text() if access_yaml is None else access_yaml)

    replicas = topics.replication_factor if replication_factor is None else replication_factor
    common = {"min.insync.replicas": str(min(topics.min_insync_replicas, replicas)), **topics.config}
    inboxes = [
        topics.council_inbox.model_copy(update={"name": topics.council_inbox.name.format(register=register)})
        for register in registers
    ]
    principals = [(service.user, service.allow, "") for service in access.services] + [
        (access.council.user.format(register=register), access.council.allow, register) for register in registers
    ]
    return Desired(
        topics=tuple(
            Topic(topic.name, topic.partitions, replicas, MappingProxyType({**common, **topic.config}))
            for topic in (*topics.topics, *inboxes)
        ),
        acls=frozenset(
            acl for user, allow, register in principals for rule in allow for acl in rule.acls(user, register)
        ),
        users=tuple(user for user, _, _ in principals),
        scram_iterations=access.scram_iterations,
        broker_settings=MappingProxyType(dict(access.broker)),
    )


def _text(value: object) -> object:
    """A setting as Kafka writes it: ``false``, ``-1``."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _operation(name: object) -> object:
    """An operation by its name; anything else is left to be refused."""
    return Operation.__members__.get(name, name) if isinstance(name, str) else name


Setting = Annotated[str, BeforeValidator(_text)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _TopicRow(_Part):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+(\{register\})?$", max_length=200)]
    partitions: Annotated[int, Field(ge=1, le=1000)]
    config: dict[str, Setting] = Field(default_factory=dict)


class _TopicsFile(_Part):
    replication_factor: Annotated[int, Field(ge=1, le=9)]
    min_insync_replicas: Annotated[int, Field(ge=1, le=9)]
    config: dict[str, Setting]
    topics: tuple[_TopicRow, ...]
    council_inbox: _TopicRow


class _Rule(_Part):
    topic: str = ""
    topic_prefix: str = ""
    group: str = ""
    group_prefix: str = ""
    operations: tuple[Annotated[Operation, BeforeValidator(_operation)], ...]

    def model_post_init(self, context: Any, /) -> None:
        if sum(map(bool, (self.topic, self.topic_prefix, self.group, self.group_prefix))) != 1:
            raise ValueError("an ACL names exactly one of topic, topic_prefix, group, group_prefix")

    @property
    def name(self) -> str:
        return self.topic or self.topic_prefix or self.group or self.group_prefix

    def acls(self, user: str, register: str) -> list[Acl]:
        """One ACL an operation; ``{register}`` in the name is the council's."""
        resource = Resource.TOPIC if self.topic or self.topic_prefix else Resource.GROUP
        pattern = Pattern.PREFIXED if self.topic_prefix or self.group_prefix else Pattern.LITERAL
        name = self.name.format(register=register)
        return [Acl(f"User:{user}", resource, name, pattern, operation) for operation in self.operations]


class _Principal(_Part):
    user: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*(\{register\})?$")]
    allow: tuple[_Rule, ...]


class _AccessFile(_Part):
    broker: dict[str, Setting]
    #: The least and the most that Kafka takes.
    scram_iterations: Annotated[int, Field(ge=4096, le=16384)]
    services: tuple[_Principal, ...]
    council: _Principal

    def model_post_init(self, context: Any, /) -> None:
        for name in (self.council.user, *(rule.name for rule in self.council.allow)):
            if "{register}" not in name:
                raise ValueError(f"what a council has must be its own: {name!r} does not hold {{register}}")


def _parse(form: type[_File], text: str) -> _File:
    """Read one YAML file into its form.

    Raises:
        InvalidProvisioning: naming every fault in it.
    """
    try:
        return form.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise InvalidProvisioning(f"not YAML: {error}") from error
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}" for fault in error.errors()
        )
        raise InvalidProvisioning(faults) from error
