"""CloudEvents 1.0 in Kafka's binary mode: attributes in ``ce_`` headers, the data as it is in the value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.base import Format
from cloudevents.core.v1.event import CloudEvent
from pydantic import BaseModel

from shared.bus.port import Headers, Message, Received


class PoisonMessage(Exception):
    """A message that is not an event we can read, and never will be; the text says why."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event and its envelope. ``source`` and ``id`` together name it once and for all."""

    id: str
    source: str
    type: str
    key: str
    time: datetime
    data: bytes
    correlation_id: str | None = None


class _DataAsItIs(Format):
    """Leaves the data alone: our contracts read and write their own JSON."""

    def write(self, event: BaseCloudEvent) -> bytes:
        raise TypeError("this format is for binary mode")

    def read(self, event_factory: Any, data: str | bytes) -> BaseCloudEvent:
        raise TypeError("this format is for binary mode")

    def write_data(self, data: Any, datacontenttype: str | None) -> bytes:
        return bytes(data)

    def read_data(self, body: bytes, datacontenttype: str | None) -> Any:
        return body

    def get_content_type(self) -> str:
        return "application/json"


_FORMAT = _DataAsItIs()


def to_message(topic: str, event: Event) -> Message:
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.key,
        "time": event.time,
        "datacontenttype": "application/json",
        "partitionkey": event.key,
    }
    if event.correlation_id:
        attributes["correlationid"] = event.correlation_id
    sent = to_binary(CloudEvent(attributes, event.data), _FORMAT)
    return Message(topic, event.key, sent.value, tuple(sent.headers.items()))


def from_message(received: Received) -> Event:
    """Read an event off the bus.

    Raises:
        PoisonMessage: whatever is wrong with it; the library reports faults as several kinds of error.
    """
    try:
        event = from_binary(KafkaMessage(dict(received.headers), received.key, received.value), _FORMAT)
        return Event(
            id=event.get_id(),
            source=event.get_source(),
            type=event.get_type(),
            key=received.key or "",
            time=event.get_time() or datetime.min.replace(tzinfo=UTC),
            data=received.value,
            correlation_id=event.get_extension("correlationid"),
        )
    except Exception as error:  # the library tells a poison message by ValueError, TypeError, AttributeError and more
        raise PoisonMessage(f"not a CloudEvents 1.0 message in binary mode: {error}") from error


def event_id_of(headers: Headers) -> str | None:
    """The id of the event that has these headers, without reading the rest of it; none where they carry none."""
    found = dict(headers).get("ce_id")
    return None if found is None else found.decode("utf-8", "replace")


def to_json(contract: BaseModel) -> bytes:
    return contract.model_dump_json().encode()
