"""What a finance system posted on its council's topic: a CloudEvent 1.0 with a return in it, or why it is none. Pure.

In binary mode the attributes stand in ``ce_`` headers and the value is the return; in structured mode the value is the
whole event as ``application/cloudevents+json``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cloudevents.core.base import BaseCloudEvent, EventFactory
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_structured
from cloudevents.core.exceptions import CloudEventValidationError
from cloudevents.core.formats.base import Format
from cloudevents.core.v1.event import REQUIRED_ATTRIBUTES, CloudEvent

from services.intake.reading import JsonNumber, kind_of, read_json, shown
from shared.bus.port import Received
from shared.errors import Fault, Refused, SavingsError, TooLarge, Unreadable
from shared.events import RETURN_POSTED

#: The same as over HTTP. The broker takes a little more, so that what is just too large is answered and not lost.
VALUE_LIMIT_BYTES: Final = 1_000_000
_STRUCTURED: Final = "application/cloudevents"
_NAME_CHARACTERS: Final = 200
_CORRELATION_CHARACTERS: Final = 64
_SEND_AN_EVENT: Final = "Send a CloudEvent 1.0, binary or structured, with specversion, id, source and type."


@dataclass(frozen=True, slots=True)
class EventName:
    """The source and id of an event. Together they name it once and for all."""

    source: str
    id: str

    @property
    def key(self) -> str:
        """The idempotency key of the return in it."""
        source, name = self.source.encode(), self.id.encode()
        return "event:" + hashlib.sha256(len(source).to_bytes(4) + source + name).hexdigest()


@dataclass(frozen=True)
class Posted:
    """A message of a council's topic: the document in it, or why there is none; and the event's name if it has one."""

    name: EventName | None = None
    document: object = None
    error: SavingsError | None = None
    correlation_id: str | None = None


def read_posted(received: Received) -> Posted:
    """Read a message; nothing is raised, what is wrong comes back with it."""
    headers = {name.lower(): value for name, value in received.headers}
    if len(received.value) > VALUE_LIMIT_BYTES:
        said = f"The message has {len(received.value):,} bytes, more than the {VALUE_LIMIT_BYTES:,} it may have."
        return Posted(_name_in(_told(headers)), error=TooLarge(said, "Send its lines in several returns."))
    # As the Kafka binding has it: the content type says the mode, not whether there are ce_ headers.
    is_structured = _text(headers.get("content-type")).strip().lower().startswith(_STRUCTURED)
    is_binary = not is_structured and any(name.startswith("ce_") for name in headers)
    try:
        message = KafkaMessage(headers, None, received.value)
        event = (from_binary if is_binary else from_structured)(message, _FORMAT, _event_of)
    except _NotAnEvent as reason:
        return Posted(reason.name, error=reason.error)
    except SavingsError as error:
        return Posted(error=error)
    except Exception as error:  # noqa: BLE001 - the library tells by ValueError, TypeError, AttributeError and more
        said = f"The message is no event that can be read: {shown(str(error))}."
        return Posted(_name_in(_told(headers)), error=Unreadable(said, _SEND_AN_EVENT))
    return _return_in(event)


def _return_in(event: BaseCloudEvent) -> Posted:
    name = EventName(event.get_source(), event.get_id())
    correlation_id = event.get_extension("correlationid")
    if not (isinstance(correlation_id, str) and _is_printable(correlation_id, _CORRELATION_CHARACTERS)):
        correlation_id = None
    if event.get_type() != RETURN_POSTED:
        fault = Fault(
            "/type",
            "wrong-event-type",
            f"An event of the type '{shown(event.get_type())}' is no return.",
            f"Send returns with the type '{RETURN_POSTED}', and other events elsewhere.",
            shown(event.get_type()),
            [RETURN_POSTED],
        )
        error = Refused("The event is of another type; nothing of it was kept.", [fault])
        return Posted(name, error=error, correlation_id=correlation_id)
    data: object = event.get_data()
    try:
        document = read_json(data, event.get_datacontenttype()) if isinstance(data, bytes) else data
    except SavingsError as error:
        return Posted(name, error=error, correlation_id=correlation_id)
    return Posted(name, document, correlation_id=correlation_id)


class _NotAnEvent(Exception):
    """What came has not the attributes of an event."""

    def __init__(self, name: EventName | None, error: SavingsError) -> None:
        super().__init__(error.detail)
        self.name = name
        self.error = error


class _AsSent(Format):
    """Leaves the data of a binary message alone, and reads a structured one as strictly as a body over HTTP."""

    def read(self, event_factory: EventFactory | None, data: str | bytes) -> BaseCloudEvent:
        document = read_json(data.encode() if isinstance(data, str) else data, None)
        if not isinstance(document, dict):
            raise Unreadable(f"An event is a JSON object; here stands {kind_of(document)}.", _SEND_AN_EVENT)
        attributes = {name: _attribute(value) for name, value in document.items()}
        inside: Any = attributes.pop("data", None)
        if (encoded := attributes.pop("data_base64", None)) is not None:
            inside = _decoded(encoded)
        if isinstance(time := attributes.get("time"), str):
            attributes["time"] = datetime.fromisoformat(time)
        return _event_of(attributes, inside)

    def write(self, event: BaseCloudEvent) -> bytes:
        raise TypeError("nothing is written in this format")

    def write_data(self, data: Any, datacontenttype: str | None) -> bytes:
        raise TypeError("nothing is written in this format")

    def read_data(self, body: bytes, datacontenttype: str | None) -> bytes:
        return body

    def get_content_type(self) -> str:
        return f"{_STRUCTURED}+json"


_FORMAT: Final = _AsSent()


def _event_of(attributes: dict[str, Any], data: Any) -> CloudEvent:
    """The event with these attributes.

    Raises:
        _NotAnEvent: naming every attribute that is missing or wrong.
    """
    name = _name_in(attributes)
    # The library makes up an id where there is none; a return sent again would not be known again by it.
    wrong = {required: "is missing" for required in REQUIRED_ATTRIBUTES if required not in attributes}
    wrong |= {
        part: f"is not 1 to {_NAME_CHARACTERS} printable characters"
        for part in ("id", "source")
        if part in attributes and not _is_printable(attributes[part], _NAME_CHARACTERS)
    }
    try:
        event = CloudEvent(dict(attributes), data)
    except CloudEventValidationError as error:
        told = {part: "; ".join(map(str, errors)) for part, errors in error.errors.items()}
        wrong = {shown(part): shown(said) for part, said in told.items()} | wrong
        event = None
    if event is not None and not wrong:
        return event
    faults = [
        Fault(f"/{part}", "not-an-event", f"The event's attribute '{part}' {said}.", _SEND_AN_EVENT)
        for part, said in sorted(wrong.items())
    ]
    raise _NotAnEvent(name, Refused("The message is not a CloudEvent 1.0; nothing of it was kept.", faults))


def _name_in(attributes: Mapping[str, Any]) -> EventName | None:
    source, name = attributes.get("source"), attributes.get("id")
    if _is_printable(source, _NAME_CHARACTERS) and _is_printable(name, _NAME_CHARACTERS):
        return EventName(str(source), str(name))
    return None


def _told(headers: Mapping[str, bytes]) -> dict[str, str]:
    """The attributes in the headers of a message that may be no event at all."""
    return {name.removeprefix("ce_"): _text(value) for name, value in headers.items() if name.startswith("ce_")}


def _text(value: bytes | None) -> str:
    """A header as text. A null is taken for nothing, and bytes that are no text can be no name."""
    return "" if value is None else value.decode("utf-8", "surrogateescape")


def _is_printable(value: object, characters: int) -> bool:
    return isinstance(value, str) and 0 < len(value) <= characters and value.isprintable()


def _attribute(value: object) -> object:
    return value.written if isinstance(value, JsonNumber) else value


def _decoded(encoded: object) -> bytes:
    try:
        return base64.b64decode(str(encoded), validate=True)
    except binascii.Error as error:
        raise Unreadable(f"The data of the event is not base64: {error}.", "Send the return as 'data'.") from error
