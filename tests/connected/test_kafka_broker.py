"""The throwaway broker: it can be bounced without loss, and leaves nothing behind."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.kafka.cluster import administer
from deploy.kafka.desired import Topic
from deploy.kafka.provision import KafkaConnection
from deploy.local.kafka_broker import KafkaBroker


async def write(connection: KafkaConnection, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(**connection.options(), acks="all", enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


def is_running(broker: KafkaBroker) -> bool:
    return broker.pid is not None


async def read(connection: KafkaConnection, topic: str) -> list[bytes | None]:
    """All that the topic's first partition holds."""
    consumer = AIOKafkaConsumer(**connection.options(), auto_offset_reset="earliest", enable_auto_commit=False)
    async with consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        end = (await consumer.end_offsets([partition]))[partition]
        await consumer.seek_to_beginning(partition)
        values: list[bytes | None] = []
        while await consumer.position(partition) < end:
            fetched = await consumer.getmany(partition, timeout_ms=500)
            values += [message.value for message in fetched.get(partition, [])]
        return values


@pytest.mark.long
@pytest.mark.parametrize("bounce", [KafkaBroker.stop, KafkaBroker.kill])
async def test_what_was_acknowledged_is_there_after_a_bounce(
    kafka_broker: KafkaBroker, bounce: Callable[[KafkaBroker], None]
) -> None:
    topic = f"bounced.{secrets.token_hex(4)}"
    async with administer(kafka_broker.admin) as cluster:
        await cluster.create_topic(Topic(topic, 1, 1, {}))
    before = [b"%d" % number for number in range(50)]
    await write(kafka_broker.admin, topic, before)
    address, former_pid = kafka_broker.bootstrap_servers, kafka_broker.pid

    bounce(kafka_broker)
    assert not is_running(kafka_broker)
    kafka_broker.start()

    assert kafka_broker.bootstrap_servers == address
    assert is_running(kafka_broker)
    assert kafka_broker.pid != former_pid
    await write(kafka_broker.admin, topic, [b"and on"])
    assert await read(kafka_broker.admin, topic) == [*before, b"and on"]


def test_it_listens_on_this_machine_alone(kafka_broker: KafkaBroker) -> None:
    port = int(kafka_broker.bootstrap_servers.rpartition(":")[2])
    with socket.socket() as other:
        other.settimeout(1)
        assert other.connect_ex(("127.0.0.2", port)) != 0
