"""The broker itself keeps each council to its own topic: SASL/SCRAM users and ACLs on a real Apache Kafka."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, TopicAuthorizationFailedError

from deploy.kafka.cluster import KafkaConnection, may_sign_in
from tests.connected.provisioned import Provisioned

DEADLINE_SECONDS = 20


@asynccontextmanager
async def producer_of(connection: KafkaConnection) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(**connection.options(), acks="all", enable_idempotence=True, request_timeout_ms=10_000)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def consumer_of(connection: KafkaConnection, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        **connection.options(), group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def post(connection: KafkaConnection, topic: str, value: bytes) -> None:
    async with producer_of(connection) as producer:
        await producer.send_and_wait(topic, value)


async def test_a_council_posts_to_its_own_inbox_and_intake_reads_it(provisioned: Provisioned) -> None:
    if "intake" not in provisioned.passwords:
        pytest.skip("KAFKA_PASSWORD_INTAKE is not set")
    inbox, value = provisioned.inbox(provisioned.own), secrets.token_bytes(16)
    await post(provisioned.council(provisioned.own), inbox, value)

    async with consumer_of(provisioned.user("intake"), f"savings.intake.{secrets.token_hex(4)}") as consumer:
        consumer.subscribe([inbox])
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for message in consumer:
                if message.value == value:
                    break


async def test_a_council_may_not_post_to_anothers_inbox(provisioned: Provisioned) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await post(provisioned.council(provisioned.own), provisioned.inbox(provisioned.other), b"not ours")


@pytest.mark.parametrize("topic", ["savings.submissions.v1", "savings.entries.v1", "savings.rejections.v1"])
async def test_a_council_may_not_post_to_a_topic_of_the_services(provisioned: Provisioned, topic: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await post(provisioned.council(provisioned.own), topic, b"straight in")


async def test_a_council_may_not_even_read_its_own_inbox(provisioned: Provisioned) -> None:
    async with consumer_of(provisioned.council(provisioned.own)) as consumer:
        consumer.assign([TopicPartition(provisioned.inbox(provisioned.own), 0)])
        with pytest.raises(TopicAuthorizationFailedError):
            await asyncio.wait_for(consumer.getone(), DEADLINE_SECONDS)


async def test_a_council_does_not_see_that_there_are_other_topics(provisioned: Provisioned) -> None:
    async with consumer_of(provisioned.council(provisioned.own)) as consumer:
        assert await consumer.topics() == {provisioned.inbox(provisioned.own)}


@pytest.mark.parametrize("group", ["savings.intake", "a.group.that.no.rule.names"])
async def test_a_council_may_join_no_group(provisioned: Provisioned, group: str) -> None:
    async with consumer_of(provisioned.council(provisioned.own), group) as consumer:
        consumer.subscribe([provisioned.inbox(provisioned.own)])
        with pytest.raises(GroupAuthorizationFailedError):
            await asyncio.wait_for(consumer.getone(), DEADLINE_SECONDS)


async def test_a_service_writes_only_what_is_its_to_write(provisioned: Provisioned) -> None:
    if "tracker" not in provisioned.passwords:
        pytest.skip("KAFKA_PASSWORD_TRACKER is not set")
    with pytest.raises(TopicAuthorizationFailedError):
        await post(provisioned.user("tracker"), "savings.submissions.v1", b"not the tracker's to say")


async def test_writing_to_a_topic_that_is_not_there_does_not_make_it(provisioned: Provisioned) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await post(provisioned.council(provisioned.own), "savings.inbox.ZZZ", b"make me one")


async def test_who_does_not_sign_in_is_refused(provisioned: Provisioned) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=provisioned.admin.bootstrap_servers, request_timeout_ms=5_000)
    try:
        with pytest.raises(KafkaConnectionError):
            await producer.start()
    finally:
        await producer.stop()


async def test_a_wrong_password_and_an_unknown_user_are_refused(provisioned: Provisioned) -> None:
    council = provisioned.council(provisioned.own)
    assert await may_sign_in(council)
    assert not await may_sign_in(council.as_user(council.username, "a guess"))
    assert not await may_sign_in(council.as_user("council-NOBODY", council.password))
