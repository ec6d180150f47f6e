"""Make the broker hold what the files say: a plan that can be read first, then the plan made so.

    desired = read_desired([council.register_code for council in partnership.councils])
    steps = await plan(connection, desired, passwords)
    print(steps)
    await apply(steps)

Run again, it has nothing to do. Nothing that holds events is ever deleted, and nothing at all is taken away unless
that is asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from deploy.kafka.cluster import Cluster, FoundTopic, KafkaConnection, administer, may_sign_in
from deploy.kafka.desired import Acl, Desired, Topic, read_desired

__all__ = [
    "KafkaConnection",
    "MissingPassword",
    "NotSettled",
    "Plan",
    "Step",
    "apply",
    "plan",
    "read_desired",
]

#: How many users' passwords are tried at the same time.
SIGN_INS_AT_ONCE: Final = 8


class MissingPassword(Exception):
    """Users that must be made were given no password; the text names them."""

    def __init__(self, users: Sequence[str]) -> None:
        super().__init__(f"no password was given for {', '.join(users)}")
        self.users = users


class NotSettled(Exception):
    """The broker took every change and still did not show them by the deadline; the text says what is outstanding."""


@dataclass(frozen=True, slots=True)
class CreateTopic:
    topic: Topic

    def __str__(self) -> str:
        settings = ", ".join(f"{name}={value}" for name, value in sorted(self.topic.config.items()))
        return (
            f"create topic {self.topic.name}: {self.topic.partitions} partitions, "
            f"{self.topic.replication_factor} replicas, {settings}"
        )


@dataclass(frozen=True, slots=True)
class AddPartitions:
    topic: str
    found: int
    wanted: int

    def __str__(self) -> str:
        return (
            f"add partitions to {self.topic}: {self.found} to {self.wanted} "
            "(keys move: drain its readers first, or a stream's order is not kept across the change)"
        )


@dataclass(frozen=True, slots=True)
class AlterConfig:
    """``wanted`` None: the setting goes back to the broker's default."""

    topic: str
    name: str
    found: str | None
    wanted: str | None

    def __str__(self) -> str:
        return f"set {self.topic} {self.name}: {self.found or 'default'} to {self.wanted or 'default'}"


@dataclass(frozen=True, slots=True)
class SetPassword:
    user: str
    password: str = field(repr=False)
    iterations: int
    is_new: bool

    def __str__(self) -> str:
        return f"create user {self.user}" if self.is_new else f"change the password of user {self.user}"


@dataclass(frozen=True, slots=True)
class CreateAcl:
    acl: Acl

    def __str__(self) -> str:
        return f"create ACL: {self.acl}"


@dataclass(frozen=True, slots=True)
class RevokeAcl:
    acl: Acl

    def __str__(self) -> str:
        return f"revoke ACL: {self.acl}"


@dataclass(frozen=True, slots=True)
class RemoveUser:
    user: str

    def __str__(self) -> str:
        return f"remove user {self.user}"


Step = CreateTopic | AddPartitions | AlterConfig | SetPassword | CreateAcl | RevokeAcl | RemoveUser


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in order, and what was seen that no step mends. As text: a line each."""

    steps: tuple[Step, ...]
    #: Found on the broker and not in the files, or not to be changed in place.
    unexpected: tuple[str, ...]
    connection: KafkaConnection
    desired: Desired
    passwords: Mapping[str, str] = field(repr=False)
    remove_unexpected: bool

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.steps)

    def __str__(self) -> str:
        lines = [str(step) for step in self.steps] or ["nothing to do"]
        return "\n".join([*lines, *(f"unexpected, left alone: {what}" for what in self.unexpected)])


async def plan(
    connection: KafkaConnection,
    desired: Desired,
    passwords: Mapping[str, str],
    *,
    remove_unexpected: bool = False,
) -> Plan:
    """Compare the broker with what it should hold; nothing is changed.

    Args:
        connection: An administrator's (``super.users``).
        desired: What the broker should hold.
        passwords: By user. A user that exists and is not named here keeps its password; one that is named and whose
            password is another (it is tried by signing in, for the broker never tells) gets this one.
        remove_unexpected: Also take away the users, ACLs and settings of topics that the files do not name.
            Topics are never removed.

    Raises:
        MissingPassword: when a user must be made and has none.
        ClusterRefused, KafkaError: when the broker says no, or nothing.
    """
    async with administer(connection) as cluster:
        found_topics = await cluster.topics(topic.name for topic in desired.topics)
        found_acls = await cluster.acls()
        found_users = await cluster.users()
    steps: list[Step] = []
    removals: list[Step] = []
    unexpected: list[str] = []
    for topic in desired.topics:
        found = found_topics.get(topic.name)
        if found is None:
            steps.append(CreateTopic(topic))
            continue
        steps += _changes_of(topic, found)
        removals += [
            AlterConfig(topic.name, name, value, None)
            for name, value in sorted(found.config.items())
            if name not in topic.config
        ]
        unexpected += _not_to_be_mended(topic, found)
    steps += await _passwords_to_set(connection, desired, passwords, found_users)
    steps += [CreateAcl(acl) for acl in sorted(desired.acls - found_acls)]
    removals += [RevokeAcl(acl) for acl in sorted(found_acls - desired.acls)]
    wanted_users = {*desired.users, *desired.super_users, connection.username}
    removals += [RemoveUser(user) for user in sorted(found_users) if user not in wanted_users]
    if remove_unexpected:
        steps += removals
    else:
        unexpected += [str(step) for step in removals]
    return Plan(tuple(steps), tuple(unexpected), connection, desired, passwords, remove_unexpected)


async def apply(steps: Plan, *, deadline_seconds: float = 30) -> None:
    """Carry out a plan, and return once the broker shows all of it.

    A change is accepted by the controller first and reaches each broker's own view a moment later; a user who signs
    in between would be refused. So the end of this call is a second plan with nothing to do.

    Raises:
        ClusterRefused, KafkaError: when the broker says no, or nothing; the steps before stand, and a new plan shows
            what is left.
        NotSettled: when the broker does not show the changes by the deadline.
    """
    if not steps:
        return
    async with administer(steps.connection) as cluster:
        await _carry_out(cluster, steps.steps)
    deadline = time.monotonic() + deadline_seconds
    while outstanding := await _plan_again(steps):
        if time.monotonic() > deadline:
            raise NotSettled(f"not shown by the broker after {deadline_seconds:g} s:\n{outstanding}")
        await asyncio.sleep(0.1)


async def _plan_again(steps: Plan) -> Plan:
    return await plan(steps.connection, steps.desired, steps.passwords, remove_unexpected=steps.remove_unexpected)


async def _carry_out(cluster: Cluster, steps: Sequence[Step]) -> None:
    """One step after the other, but all ACLs of a kind in one go: 317 councils have a thousand of them."""
    created = [step.acl for step in steps if isinstance(step, CreateAcl)]
    revoked = [step.acl for step in steps if isinstance(step, RevokeAcl)]
    for step in steps:
        match step:
            case CreateTopic(topic):
                await cluster.create_topic(topic)
            case AddPartitions(topic_name, _, wanted):
                await cluster.raise_partitions(topic_name, wanted)
            case AlterConfig(topic_name, name, _, value):
                await cluster.set_config(topic_name, [(name, value)])
            case SetPassword(user, password, iterations, _):
                await cluster.set_password(user, password, iterations)
            case RemoveUser(user):
                await cluster.remove_user(user)
            case CreateAcl() | RevokeAcl():
                continue
            case _:
                assert_never(step)
    await cluster.create_acls(created)
    await cluster.delete_acls(revoked)


def _changes_of(topic: Topic, found: FoundTopic) -> list[Step]:
    changes: list[Step] = []
    if found.partitions < topic.partitions:
        changes.append(AddPartitions(topic.name, found.partitions, topic.partitions))
    changes += [
        AlterConfig(topic.name, name, found.config.get(name), value)
        for name, value in sorted(topic.config.items())
        if found.config.get(name) != value
    ]
    return changes


def _not_to_be_mended(topic: Topic, found: FoundTopic) -> list[str]:
    what = []
    if found.partitions > topic.partitions:
        what.append(
            f"topic {topic.name} has {found.partitions} partitions, the file says {topic.partitions}: "
            "Kafka takes none away"
        )
    if found.replication_factor != topic.replication_factor:
        what.append(
            f"topic {topic.name} has {found.replication_factor} replicas, the file says {topic.replication_factor}: "
            "move them with kafka-reassign-partitions"
        )
    return what


async def _passwords_to_set(
    connection: KafkaConnection, desired: Desired, passwords: Mapping[str, str], found: Mapping[str, int]
) -> list[Step]:
    if missing := [user for user in desired.users if user not in found and user not in passwords]:
        raise MissingPassword(missing)
    gate = asyncio.Semaphore(SIGN_INS_AT_ONCE)

    async def stands(user: str) -> bool:
        if found.get(user) != desired.scram_iterations:
            return False
        async with gate:
            return await may_sign_in(connection.as_user(user, passwords[user]))

    given = [user for user in desired.users if user in passwords]
    standing = await asyncio.gather(*(stands(user) for user in given))
    return [
        SetPassword(user, passwords[user], desired.scram_iterations, is_new=user not in found)
        for user, stood in zip(given, standing, strict=True)
        if not stood
    ]
