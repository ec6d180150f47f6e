"""Every adapter of the bus, to be put through the same behaviour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

import migrations
from deploy.local.kafka_broker import KafkaBroker
from shared.bus.embedded import EmbeddedBus
from shared.bus.kafka import Cluster, KafkaBus
from shared.bus.port import Bus
from shared.database import Database

PARTITIONS = 3


@pytest.fixture
def topic() -> str:
    return f"savings.test.{uuid4().hex[:8]}"


@pytest.fixture(params=["embedded", "kafka"])
async def bus(request: pytest.FixtureRequest, tmp_path: Path, topic: str) -> AsyncIterator[Bus]:
    if request.param == "embedded":
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/bus.db")
        await migrations.upgrade("bus", database)
        yield EmbeddedBus(database, partitions=PARTITIONS)
        await database.close()
        return
    broker: KafkaBroker = request.getfixturevalue("kafka_broker")
    admin = AIOKafkaAdminClient(**broker.admin.options())
    await admin.start()
    await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs={"max.message.bytes": "1572864"})])
    await admin.close()
    kafka = KafkaBus(
        Cluster(broker.bootstrap_servers, broker.admin.username, broker.admin.password), client_id="contract-tests"
    )
    yield kafka
    await kafka.close()
