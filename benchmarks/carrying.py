"""Carrying events over Apache Kafka: the relay and the consuming, each beside the bare client with the same bytes."""

from __future__ import annotations

import itertools
import os
import secrets
import time
from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Final

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from sqlalchemy.ext.asyncio import AsyncConnection

import migrations
from benchmarks.result import Result
from benchmarks.returns import accepted_returns, as_received
from deploy.kafka.desired import read_desired
from deploy.kafka.provision import KafkaConnection, apply, plan
from deploy.local.kafka_broker import KafkaBroker
from deploy.local.postgres_server import PostgresServer
from services.tracker.store import consumed, outbox
from shared.bus.kafka import MESSAGE_BYTES_LIMIT, Cluster, KafkaBus
from shared.bus.port import Message, Received
from shared.clock import utc_now
from shared.collector import rest_the_collector
from shared.consuming import BATCH, Consuming
from shared.database import Database
from shared.events import ENTRIES_TOPIC, SUBMISSIONS_TOPIC
from shared.outbox import Relay
from shared.partnership import Partnership
from shared.telemetry import configure_logging

PARTNERSHIP_FILE: Final = Path("deploy/partnerships/se7.toml")
SENT: Final = 5_000
READ: Final = 20_000
ROUNDS: Final = 6


def run() -> list[Result]:
    """On a broker and a database of our own, thrown away afterwards."""
    # A service writes its log as JSON to standard error; nobody reads it here.
    configure_logging()
    with (
        PostgresServer() as server,
        KafkaBroker() as broker,
        Path(os.devnull).open("w") as nowhere,
        redirect_stderr(nowhere),
    ):
        return uvloop.run(_run(server, broker.admin))


async def _run(server: PostgresServer, admin: KafkaConnection) -> list[Result]:
    desired = read_desired([], replication_factor=1)
    await apply(await plan(admin, desired, {user: secrets.token_urlsafe(24) for user in desired.users}))
    url = server.url("tracker").replace("postgresql://", "postgresql+asyncpg://", 1)
    database = Database(url, schema="tracker")
    await migrations.upgrade("tracker", database)
    cluster = Cluster(admin.bootstrap_servers, admin.username, admin.password)
    bus = KafkaBus(cluster, client_id="benchmark")
    partnership = Partnership.parse(PARTNERSHIP_FILE.read_text(encoding="utf-8"))
    received = [as_received(accepted, place) for place, accepted in enumerate(accepted_returns(partnership, SENT))]
    messages = [Message(SUBMISSIONS_TOPIC, one.key or "", one.value, one.headers) for one in received]
    rest_the_collector()
    try:
        return [await _relaying(database, bus, cluster, messages), await _reading(database, bus, cluster, messages)]
    finally:
        await bus.close()
        await database.close()


async def _relaying(database: Database, bus: KafkaBus, cluster: Cluster, messages: Sequence[Message]) -> Result:
    """Ours from the outbox, and out of it once the broker has them; the floor has them at hand, batch by batch."""
    ours, floor = [], []
    onwards = [replace(message, topic=ENTRIES_TOPIC) for message in messages]
    await bus.publish(onwards[:1])
    async with _producer(cluster) as producer:
        for _ in range(ROUNDS):
            # Turn by turn, so that whatever else the machine does falls on both alike.
            ours.append(len(onwards) / await _relay(database, bus, onwards))
            floor.append(len(onwards) / await _produce(producer, onwards))
    name = f"Relaying messages of {_bytes_of(messages)} bytes, {BATCH} at once"
    return Result(name, max(ours), max(floor), "messages/s", max(ours) / max(floor), ("at least", 0.6))


async def _relay(database: Database, bus: KafkaBus, messages: Sequence[Message]) -> float:
    async with database.write() as connection:
        await outbox.put(connection, messages)
    relay = Relay(outbox, database, bus, utc_now)
    started = time.perf_counter()
    while await relay.run_once():
        pass
    seconds = time.perf_counter() - started
    await relay.release()
    return seconds


async def _produce(producer: AIOKafkaProducer, messages: Sequence[Message]) -> float:
    started = time.perf_counter()
    for start in range(0, len(messages), BATCH):
        sending = [
            await producer.send(one.topic, value=one.value, key=one.key.encode(), headers=list(one.headers))
            for one in messages[start : start + BATCH]
        ]
        for sent in sending:
            await sent
    return time.perf_counter() - started


def _producer(cluster: Cluster) -> AIOKafkaProducer:
    """With the settings of ours: see shared.bus.kafka."""
    return AIOKafkaProducer(
        acks="all", enable_idempotence=True, linger_ms=2, max_request_size=2 * MESSAGE_BYTES_LIMIT, **cluster.options()
    )


async def _reading(database: Database, bus: KafkaBus, cluster: Cluster, messages: Sequence[Message]) -> Result:
    """Ours moves its position in the database with each batch, which has no other effect; the floor commits its own.

    Timed from the first batch on: both have joined their group by then.
    """
    async with _producer(cluster) as producer:
        await _produce(producer, list(itertools.islice(itertools.cycle(messages), READ)))
    ours, floor = [], []
    for _ in range(ROUNDS):
        ours.append(await _consume(database, bus))
        floor.append(await _get(cluster))
    name = f"Consuming messages of {_bytes_of(messages)} bytes"
    return Result(name, max(ours), max(floor), "messages/s", max(ours) / max(floor), ("at least", 0.8))


async def _consume(database: Database, bus: KafkaBus) -> float:
    async def nothing(_connection: AsyncConnection, _batch: Sequence[Received]) -> None:
        return

    async with database.write() as connection:
        await connection.execute(consumed.positions.delete())
    consuming = Consuming(
        bus=bus,
        database=database,
        consumed=consumed,
        topics=[SUBMISSIONS_TOPIC],
        group=f"benchmark-{secrets.token_hex(4)}",
        handle=nothing,
        after_commit=lambda: None,
        clock=utc_now,
    )
    async with consuming.subscribed() as consumer:
        first = 0
        while not first:
            first = await consuming.run_once(consumer)
        started, read = time.perf_counter(), first
        while read < READ:
            read += await consuming.run_once(consumer)
        return (read - first) / (time.perf_counter() - started)


async def _get(cluster: Cluster) -> float:
    consumer = AIOKafkaConsumer(
        SUBMISSIONS_TOPIC,
        group_id=f"benchmark-{secrets.token_hex(4)}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=2 * MESSAGE_BYTES_LIMIT,
        **cluster.options(),
    )

    async def batch() -> int:
        found = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
        if found:
            await consumer.commit()
        return sum(map(len, found.values()))

    async with consumer:
        first = 0
        while not first:
            first = await batch()
        started, read = time.perf_counter(), first
        while read < READ:
            read += await batch()
        return (read - first) / (time.perf_counter() - started)


def _bytes_of(messages: Sequence[Message]) -> str:
    return f"{sum(len(message.value) for message in messages) // len(messages):,}"
