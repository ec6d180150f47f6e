"""What a group tells the lag monitors comes right by itself, however its reader ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from uuid import uuid4

from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.kafka_broker import KafkaBroker
from shared.bus.kafka import Cluster, KafkaBus
from shared.bus.port import Message, TopicPartition

DEADLINE_SECONDS = 15


async def test_a_reader_killed_before_it_told_leaves_no_lag_behind_on_a_quiet_topic(kafka_broker: KafkaBroker) -> None:
    topic, group = f"savings.test.{uuid4().hex[:8]}", f"group-{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(**kafka_broker.admin.options())
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    user = kafka_broker.admin
    bus = KafkaBus(Cluster(user.bootstrap_servers, user.username, user.password), client_id="group-lag")
    await bus.publish([Message(topic, "stream", b"1"), Message(topic, "stream", b"2")])

    async def start_at(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        # The effects of both are in the database; the group has been told of neither.
        return dict.fromkeys(partitions, 2)

    try:
        async with bus.subscribe([topic], group, start_at) as consumer, asyncio.timeout(DEADLINE_SECONDS):
            told: Mapping[KafkaPartition, object] = {}
            while not told:
                assert not await consumer.poll(10, 0.2)
                told = await admin.list_consumer_group_offsets(group)
            assert told[KafkaPartition(topic, 0)].offset == 2  # type: ignore[attr-defined]
    finally:
        await bus.close()
        await admin.close()
