"""What stands on topics, read as the administrator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.kafka.provision import KafkaConnection


async def partitions_of(admin: AIOKafkaAdminClient, topics: Sequence[str]) -> list[TopicPartition]:
    """Every partition of the topics, none of which may be missing."""
    described = await admin.describe_topics(list(topics))
    found = [TopicPartition(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]]
    assert {at.topic for at in found} == set(topics), described
    return sorted(found)


async def records_of(connection: KafkaConnection, topic: str) -> Sequence[Any]:
    """Everything on the topic, the records of each partition in their order."""
    admin = AIOKafkaAdminClient(**connection.options())
    consumer = AIOKafkaConsumer(**connection.options(), auto_offset_reset="earliest", enable_auto_commit=False)
    await admin.start()
    await consumer.start()
    try:
        partitions = await partitions_of(admin, [topic])
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[Any] = []
        while [at for at, end in ends.items() if await consumer.position(at) < end]:
            for batch in (await consumer.getmany(timeout_ms=200)).values():
                records += batch
        return records
    finally:
        await consumer.stop()
        await admin.close()
