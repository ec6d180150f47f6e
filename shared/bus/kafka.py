"""The bus on Apache Kafka, through aiokafka.

The producer is idempotent and waits for all in-sync replicas. The consumer starts where the service's own database
says, never where the group has committed; group commits only inform the lag monitors. Kafka transactions are not used.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError, NoOffsetForPartitionError

from shared.bus.port import BusUnavailable, Message, MessageRefused, Received, StartAt, TopicPartition

#: What the topics take (``max.message.bytes`` in deploy/kafka/topics.yaml); a larger message is refused here already.
MESSAGE_BYTES_LIMIT: Final = 1_500_000
_REQUEST_TIMEOUT_MS: Final = 15_000
_LINGER_MS: Final = 2
_STOP_SECONDS: Final = 20
#: Lag monitors are told no oftener: each telling is a write on the broker, and nothing here depends on it.
_TELL_SECONDS: Final = 1.0
#: A topic that is made while a consumer runs is found within this time.
_NEW_TOPICS_AFTER_MS: Final = 60_000

log = structlog.get_logger(__name__)

_send = AIOKafkaConnection.send


def _send_or_say_closed(self: AIOKafkaConnection, request: Any, expect_response: bool = True) -> Any:
    """Tell a connection that the broker has closed by the error that the client knows.

    It waits for an OSError, and uvloop raises a RuntimeError. The client's background tasks would end of it without a
    word, and never again learn where the brokers are (aio-libs/aiokafka#1038).
    """
    try:
        return _send(self, request, expect_response)
    except RuntimeError as error:
        self.close(reason=CloseReason.CONNECTION_BROKEN)
        raise KafkaConnectionError(f"The connection to {self.host}:{self.port} is closed: {error}") from error


AIOKafkaConnection.send = _send_or_say_closed


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the brokers are and as whom to sign in. Without a user nobody signs in: for a closed network only."""

    bootstrap_servers: str
    user: str = ""
    password: str = ""
    #: The certificate authority of the brokers; set, the connection is encrypted.
    ca_file: Path | None = None

    def options(self) -> dict[str, Any]:
        """The connection's options, as aiokafka takes them."""
        encrypted = self.ca_file is not None
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap_servers,
            "request_timeout_ms": _REQUEST_TIMEOUT_MS,
            "security_protocol": f"{'SASL_' if self.user else ''}{'SSL' if encrypted else 'PLAINTEXT'}",
        }
        if encrypted:
            options["ssl_context"] = ssl.create_default_context(cafile=str(self.ca_file))
        if self.user:
            options |= {
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return options


class KafkaBus:
    """Publishes through one producer, made when it is first needed and again after an unclear failure."""

    def __init__(self, cluster: Cluster, client_id: str) -> None:
        self._cluster = cluster
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._making = asyncio.Lock()

    async def publish(self, messages: Sequence[Message]) -> Sequence[MessageRefused | None]:
        producer = await self._started_producer()
        sending: list[asyncio.Future[Any] | MessageRefused] = []
        try:
            # Handed over in order; the idempotent producer keeps that order within a partition, whatever it retries.
            for message in messages:
                sending.append(await self._hand_over(producer, message))  # noqa: PERF401 - a failure must see them
            return [one if isinstance(one, MessageRefused) else await _outcome(one) for one in sending]
        except KafkaError as error:
            await self._discard(producer)
            for one in sending:
                if isinstance(one, asyncio.Future) and one.done() and not one.cancelled():
                    one.exception()  # retrieved: it is the failure already being told
            raise BusUnavailable(f"Kafka did not take the messages: {error!r}") from error

    @asynccontextmanager
    async def subscribe(self, topics: Sequence[str], group: str, start_at: StartAt) -> AsyncIterator[KafkaConsumer]:
        consumer = AIOKafkaConsumer(
            group_id=group,
            client_id=self._client_id,
            enable_auto_commit=False,
            auto_offset_reset="none",
            metadata_max_age_ms=_NEW_TOPICS_AFTER_MS,
            max_partition_fetch_bytes=2 * MESSAGE_BYTES_LIMIT,
            **self._cluster.options(),
        )
        ours = KafkaConsumer(consumer, start_at)
        if len(topics) == 1:
            consumer.subscribe(list(topics), listener=ours)
        else:
            # By name, one topic that is not there yet would hold up all the others. By pattern it joins them later.
            consumer.subscribe(pattern=f"^({'|'.join(map(re.escape, topics))})$", listener=ours)
        await _start(consumer)
        try:
            yield ours
        finally:
            await _stop(consumer)

    async def ready(self) -> bool:
        # Not through the producer: a service that only reads has no right to one.
        client = AIOKafkaClient(client_id=self._client_id, **self._cluster.options())
        try:
            await client.bootstrap()
            await client.fetch_all_metadata()
        except KafkaError as error:
            log.warning("kafka.not_ready", error=repr(error))
            return False
        finally:
            await client.close()
        return True

    async def close(self) -> None:
        """Send what is under way, then disconnect."""
        if self._producer is not None:
            await self._producer.stop()
            self._producer = None

    async def _started_producer(self) -> AIOKafkaProducer:
        async with self._making:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    client_id=self._client_id,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=_LINGER_MS,
                    max_request_size=2 * MESSAGE_BYTES_LIMIT,
                    **self._cluster.options(),
                )
                await _start(producer)
                self._producer = producer
            return self._producer

    async def _hand_over(self, producer: AIOKafkaProducer, message: Message) -> asyncio.Future[Any] | MessageRefused:
        if len(message.value) > MESSAGE_BYTES_LIMIT:
            return MessageRefused(f"larger than {MESSAGE_BYTES_LIMIT} bytes")
        future: asyncio.Future[Any] = await producer.send(
            message.topic, value=message.value, key=message.key.encode(), headers=list(message.headers)
        )
        return future

    async def _discard(self, producer: AIOKafkaProducer) -> None:
        """After an unclear failure its sequence numbers may not be the broker's: the next producer starts anew."""
        if self._producer is producer:
            self._producer = None
        try:
            await producer.stop()
        except KafkaError as error:
            log.info("kafka.producer_stop_failed", error=repr(error))


class KafkaConsumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """A member of a group. Only what was fetched from the position our database gave is handed on."""

    def __init__(self, consumer: AIOKafkaConsumer, start_at: StartAt) -> None:
        self._consumer = consumer
        self._start_at = start_at
        self._seeked: set[KafkaPartition] = set()
        #: What the lag monitors are still to be told.
        self._untold: dict[KafkaPartition, int] = {}
        self._told_at = 0.0
        self._beginnings: dict[KafkaPartition, int] = {}

    async def on_partitions_revoked(self, revoked: set[KafkaPartition]) -> None:
        self._seeked -= set(revoked)

    async def on_partitions_assigned(self, assigned: set[KafkaPartition]) -> None:
        # Until it has been sought, a partition may deliver from the group's commit: poll drops that.
        self._seeked -= set(assigned)
        self._beginnings = {at: offset for at, offset in self._beginnings.items() if at not in assigned}
        await self._seek(assigned)

    async def poll(self, max_messages: int, timeout_seconds: float) -> Sequence[Received]:
        try:
            # Where the database was away when a partition was assigned, it has not been sought yet.
            await self._seek(self._consumer.assignment() - self._seeked)
            found = await self._consumer.getmany(timeout_ms=int(timeout_seconds * 1000), max_records=max_messages)
        except NoOffsetForPartitionError:
            # The fetcher looked between the assignment and our seek, and nothing was ever committed.
            return ()
        except KafkaError as error:
            raise BusUnavailable(f"Kafka gave no messages: {error!r}") from error
        if not found:
            await self._tell()
        return [
            Received(
                at,
                record.offset,
                None if record.key is None else record.key.decode("utf-8", "replace"),
                record.value or b"",
                tuple(record.headers),
            )
            for partition, records in found.items()
            if partition in self._seeked
            for at in (TopicPartition(partition.topic, partition.partition),)
            for record in records
        ]

    async def rewind(self) -> None:
        # Where it fails, nothing more is handed on until it has been done.
        self._seeked.clear()
        try:
            await self._seek(self._consumer.assignment())
        except KafkaError as error:
            raise BusUnavailable(f"Kafka cannot be asked for its offsets: {error!r}") from error

    async def inform(self, positions: Mapping[TopicPartition, int]) -> None:
        self._untold |= {KafkaPartition(at.topic, at.partition): offset for at, offset in positions.items()}
        if time.monotonic() - self._told_at >= _TELL_SECONDS:
            await self._tell()

    async def ends(self) -> Mapping[TopicPartition, int]:
        try:
            found = await self._consumer.end_offsets(list(self._consumer.assignment()))
        except KafkaError as error:
            raise BusUnavailable(f"Kafka cannot be asked for its offsets: {error!r}") from error
        # Where all messages have been let go before any was read, nothing waits: as if there never had been any.
        return {
            TopicPartition(at.topic, at.partition): 0 if offset <= self._beginnings.get(at, 0) else offset
            for at, offset in found.items()
        }

    async def _seek(self, partitions: set[KafkaPartition]) -> None:
        if not partitions:
            return
        start = await self._start_at([TopicPartition(at.topic, at.partition) for at in sorted(partitions)])
        # A partition never read starts at its beginning, which is not 0 where old messages have been let go.
        beginnings = await self._consumer.beginning_offsets(
            [KafkaPartition(at.topic, at.partition) for at, offset in start.items() if offset == 0]
        )
        self._beginnings |= beginnings
        for at, offset in start.items():
            partition = KafkaPartition(at.topic, at.partition)
            if partition in self._consumer.assignment():
                self._consumer.seek(partition, offset or beginnings[partition])
                self._seeked.add(partition)
                if offset:
                    # Whoever stood here before may have been killed before it told: on a quiet topic its lag would
                    # stand for ever.
                    self._untold[partition] = offset

    async def _tell(self) -> None:
        mine = self._consumer.assignment()
        self._untold = {at: offset for at, offset in self._untold.items() if at in mine}
        if not self._untold:
            return
        self._told_at = time.monotonic()
        try:
            await self._consumer.commit(self._untold)
        except KafkaError as error:
            # A monitor's number is late, and is told again when there is nothing else to do; nothing else.
            log.info("kafka.inform_failed", error=repr(error))
        else:
            self._untold = {}


async def _outcome(sent: asyncio.Future[Any]) -> MessageRefused | None:
    try:
        await sent
    except MessageSizeTooLargeError as error:
        return MessageRefused(str(error))
    return None


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Leave the group; one whose background tasks have ended might be waited for in vain."""
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await consumer.stop()
    except TimeoutError:
        log.warning("kafka.consumer_stop_failed", seconds=_STOP_SECONDS)


async def _start(client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
    try:
        await client.start()
    except KafkaError as error:
        await client.stop()
        raise BusUnavailable(f"Kafka cannot be reached: {error!r}") from error
    except asyncio.CancelledError:
        await client.stop()
        raise
