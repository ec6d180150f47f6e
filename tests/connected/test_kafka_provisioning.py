"""What ``topics.yaml`` and ``access.yaml`` say, made so on a real broker."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from deploy.kafka.cluster import ClusterRefused, administer, may_sign_in
from deploy.kafka.desired import Acl, Desired, InvalidProvisioning, Operation, Pattern, Resource, Topic, read_desired
from deploy.kafka.provision import KafkaConnection, MissingPassword, apply, plan
from deploy.local.kafka_broker import KafkaBroker


def small(*topics: Topic, users: tuple[str, ...] = (), acls: frozenset[Acl] = frozenset()) -> Desired:
    return Desired(topics, acls, users, scram_iterations=4096, broker_settings={})


def topic(name: str, partitions: int = 1, **config: str) -> Topic:
    return Topic(name, partitions, 1, MappingProxyType({key.replace("_", "."): value for key, value in config.items()}))


def acl_on(user: str, name: str) -> Acl:
    return Acl(f"User:{user}", Resource.TOPIC, name, Pattern.LITERAL, Operation.READ)


def test_events_are_kept_for_ever_and_an_inbox_for_thirty_days() -> None:
    config = {topic.name: topic.config for topic in read_desired(["ESX"]).topics}
    for name in ("savings.submissions.v1", "savings.entries.v1", "savings.rejections.v1"):
        assert config[name]["retention.ms"] == config[name]["retention.bytes"] == "-1"
        assert config[name]["cleanup.policy"] == "delete"
        assert config[name]["min.insync.replicas"] == "2"
    assert config["savings.inbox.ESX"]["retention.ms"] == str(30 * 24 * 3600 * 1000)


def test_one_broker_is_asked_for_one_replica_and_one_in_sync() -> None:
    for wanted in read_desired(["ESX"], replication_factor=1).topics:
        assert (wanted.replication_factor, wanted.config["min.insync.replicas"]) == (1, "1")


def test_a_council_is_allowed_to_write_and_describe_its_own_inbox_and_nothing_else() -> None:
    of_esx = {acl for acl in read_desired(["ESX", "KEN"]).acls if acl.principal == "User:council-ESX"}
    assert {(acl.name, acl.pattern, acl.operation) for acl in of_esx} == {
        ("savings.inbox.ESX", Pattern.LITERAL, Operation.WRITE),
        ("savings.inbox.ESX", Pattern.LITERAL, Operation.DESCRIBE),
    }


@pytest.mark.parametrize("register", ["", "esx", "ES*", "ESX.v1", "{register}"])
def test_a_register_code_that_is_none_makes_no_topic(register: str) -> None:
    with pytest.raises(InvalidProvisioning, match="three or four capitals"):
        read_desired([register])


def test_a_council_rule_that_is_not_the_councils_own_is_refused() -> None:
    shared = """
        broker: {}
        scram_iterations: 4096
        services: []
        council:
          user: council-{register}
          allow: [{topic: savings.entries.v1, operations: [READ]}]
        """
    with pytest.raises(InvalidProvisioning, match="must be its own"):
        read_desired(["ESX"], access_yaml=shared)


async def test_applied_twice_the_second_plan_has_nothing_to_do(kafka_broker: KafkaBroker) -> None:
    desired = read_desired(["SRY", "WSX"], replication_factor=1)
    passwords = dict.fromkeys(desired.users, "a password of a test")

    first = await plan(kafka_broker.admin, desired, passwords)
    await apply(first)

    second = await plan(kafka_broker.admin, desired, passwords)
    assert "create topic savings.inbox.SRY" in str(first)
    assert not second
    assert str(second).startswith("nothing to do")


async def test_a_plan_shows_no_password(kafka_broker: KafkaBroker) -> None:
    steps = await plan(kafka_broker.admin, small(users=("shy",)), {"shy": "not to be seen"})
    assert "create user shy" in str(steps)
    assert "not to be seen" not in str(steps) + repr(steps)


async def test_a_new_user_without_a_password_is_named_before_anything_is_done(kafka_broker: KafkaBroker) -> None:
    with pytest.raises(MissingPassword, match="newcomer"):
        await plan(kafka_broker.admin, small(topic("made.in.vain"), users=("newcomer",)), {})


async def test_changed_files_change_the_topic_and_only_what_differs(kafka_broker: KafkaBroker) -> None:
    before = topic("changing", partitions=1, retention_ms="1000000", cleanup_policy="delete")
    after = topic("changing", partitions=3, retention_ms="-1", cleanup_policy="delete")
    await apply(await plan(kafka_broker.admin, small(before), {}))

    steps = await plan(kafka_broker.admin, small(after), {})
    assert [str(step).split(" (")[0] for step in steps.steps] == [
        "add partitions to changing: 1 to 3",
        "set changing retention.ms: 1000000 to -1",
    ]
    await apply(steps)
    async with administer(kafka_broker.admin) as cluster:
        found = (await cluster.topics(["changing"]))["changing"]
    assert found.partitions == 3
    assert found.config == {"retention.ms": "-1", "cleanup.policy": "delete"}


async def test_partitions_are_never_taken_away_but_told_of(kafka_broker: KafkaBroker) -> None:
    await apply(await plan(kafka_broker.admin, small(topic("wide", partitions=4)), {}))
    steps = await plan(kafka_broker.admin, small(topic("wide", partitions=2)), {})
    assert not steps
    assert "topic wide has 4 partitions, the file says 2" in str(steps)


async def test_a_changed_password_is_noticed_and_set(kafka_broker: KafkaBroker) -> None:
    wanted = small(users=("changer",))
    await apply(await plan(kafka_broker.admin, wanted, {"changer": "the first"}))

    steps = await plan(kafka_broker.admin, wanted, {"changer": "the second"})
    assert [str(step) for step in steps.steps] == ["change the password of user changer"]
    await apply(steps)

    assert await may_sign_in(kafka_broker.admin.as_user("changer", "the second"))
    assert not await may_sign_in(kafka_broker.admin.as_user("changer", "the first"))


@pytest.mark.long
async def test_what_the_files_do_not_name_is_told_of_and_removed_only_when_asked() -> None:
    with KafkaBroker() as broker:
        extra = acl_on("leaver", "settled")
        former = small(topic("settled", retention_bytes="5000"), users=("leaver",), acls=frozenset({extra}))
        await apply(await plan(broker.admin, former, {"leaver": "a password"}))
        present = small(topic("settled"))

        steps = await plan(broker.admin, present, {})
        assert not steps
        assert set(steps.unexpected) == {
            "set settled retention.bytes: 5000 to default",
            f"revoke ACL: {extra}",
            "remove user leaver",
        }

        await apply(await plan(broker.admin, present, {}, remove_unexpected=True))
        assert not (await plan(broker.admin, present, {})).unexpected
        assert not await may_sign_in(broker.admin.as_user("leaver", "a password"))
        assert await may_sign_in(broker.admin)


async def test_all_english_councils_are_provisioned_in_seconds(kafka_broker: KafkaBroker) -> None:
    """317 councils is what ``docs/scale.md`` speaks of; here their ACLs, which are a thousand rows."""
    letters = "ABCDEFGHIJKLMNOPQRST"
    registers = [f"Q{a}{b}" for a in letters for b in letters][:317]
    acls = replace(read_desired(registers), topics=(), users=())

    steps = await plan(kafka_broker.admin, acls, {})
    assert len(steps.steps) >= 2 * 317
    await apply(steps)
    assert not await plan(kafka_broker.admin, acls, {})


async def test_an_ordinary_user_administers_nothing(kafka_broker: KafkaBroker) -> None:
    await apply(await plan(kafka_broker.admin, small(users=("ordinary",)), {"ordinary": "a password"}))
    ordinary: KafkaConnection = kafka_broker.admin.as_user("ordinary", "a password")
    async with administer(ordinary) as cluster:
        with pytest.raises(ClusterRefused, match="AuthorizationFailed"):
            await cluster.acls()
        with pytest.raises(ClusterRefused, match="AuthorizationFailed"):
            await cluster.create_topic(topic("taken.over"))
        with pytest.raises(ClusterRefused, match="AuthorizationFailed"):
            await cluster.set_password("admin", "mine now", 4096)
