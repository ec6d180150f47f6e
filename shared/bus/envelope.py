"""CloudEvents 1.0 in Kafka's binary mode: attributes in ``ce_`` headers, the data as it is in the value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.base import Format
from cloudevents.core.v1.event import CloudEvent
from pydantic import BaseModel

from shared.bus.port import Headers, Message, Received
from shared.correlation import traceparent_of


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
    #: Where it stands in its trace, where it has one.
    traceparent: str | None = None


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


DATA_AS_IT_IS = _DataAsItIs()


_EVERY_EVENT_HAS: Final = {"specversion", "id", "source", "type"}


def _event_of(attributes: Mapping[str, Any], data: Any) -> CloudEvent:
    # The library would make up an id and a version that are not there; a new id on each reading is no id.
    if missing := _EVERY_EVENT_HAS - attributes.keys():
        raise ValueError(f"it has no {' and no '.join(sorted(missing))}")
    return CloudEvent(dict(attributes), data)


def to_message(topic: str, event: Event) -> Message:
    """Write an event of ours for the bus.

    The library writes the same headers, to the byte (a test compares them); it also checks every attribute, which is
    worth its time for what others send, not for what we have just made.
    """
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.encode()),
        ("ce_source", event.source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_subject", event.key.encode()),
        ("ce_time", event.time.isoformat().replace("+00:00", "Z").encode()),
        ("content-type", b"application/json"),
        ("ce_partitionkey", event.key.encode()),
    ]
    if event.correlation_id:
        headers.append(("ce_correlationid", event.correlation_id.encode()))
    if event.traceparent:
        headers.append(("traceparent", event.traceparent.encode()))
    return Message(topic, event.key, event.data, tuple(headers))


def from_message(received: Received) -> Event:
    """Read an event off the bus.

    Raises:
        PoisonMessage: whatever is wrong with it; the library reports faults as several kinds of error.
    """
    try:
        message = KafkaMessage(dict(received.headers), received.key, received.value)
        event = from_binary(message, DATA_AS_IT_IS, _event_of)
        return Event(
            id=event.get_id(),
            source=event.get_source(),
            type=event.get_type(),
            key=received.key or "",
            time=event.get_time() or datetime.min.replace(tzinfo=UTC),
            data=received.value,
            correlation_id=event.get_extension("correlationid"),
            traceparent=traceparent_of(received.headers),
        )
    except Exception as error:  # the library tells a poison message by ValueError, TypeError, AttributeError and more
        raise PoisonMessage(f"not a CloudEvents 1.0 message in binary mode: {error}") from error


def event_id_of(headers: Headers) -> str | None:
    """The id of the event that has these headers, without reading the rest of it; none where they carry none."""
    found = dict(headers).get("ce_id")
    return None if found is None else found.decode("utf-8", "replace")


def to_json(contract: BaseModel) -> bytes:
    return contract.model_dump_json().encode()
