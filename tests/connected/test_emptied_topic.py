"""A topic whose messages are gone, as a council's are after thirty days, has none waiting for its first reader."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence

from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from deploy.local.kafka_broker import KafkaBroker
from shared.bus.kafka import Cluster, KafkaBus
from shared.bus.port import Message, TopicPartition


async def never_read(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    return dict.fromkeys(partitions, 0)


async def test_where_all_messages_have_been_let_go_nothing_waits(kafka_broker: KafkaBroker) -> None:
    topic = f"savings.test.{secrets.token_hex(4)}"
    at = TopicPartition(topic, 0)
    bus = KafkaBus(
        Cluster(kafka_broker.bootstrap_servers, kafka_broker.admin.username, kafka_broker.admin.password), "test"
    )
    admin = AIOKafkaAdminClient(**kafka_broker.admin.options())
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1)])
        await bus.publish([Message(topic, "ESX", b"old")] * 3)
        await admin.delete_records({KafkaPartition(topic, 0): RecordsToDelete(before_offset=3)})
        async with bus.subscribe([topic], topic, never_read) as consumer:
            while not await consumer.ends():
                await consumer.poll(10, 0.1)
            assert await consumer.ends() == {at: 0}
            await bus.publish([Message(topic, "ESX", b"new")])
            assert await consumer.ends() == {at: 4}
            found: list[int] = []
            while not found:
                found = [message.offset for message in await consumer.poll(10, 0.5)]
            assert found == [3]
    finally:
        await admin.close()
        await bus.close()
