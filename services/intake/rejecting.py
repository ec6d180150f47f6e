"""What was refused of a council's topic: the row that shows it, and the event that tells it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pydantic_core import to_json as json_bytes
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake.posted import EventName
from services.intake.stating import submission_id
from services.intake.tables import outbox, rejections
from shared.bus.envelope import Event, to_json, to_message
from shared.bus.port import Message, Received
from shared.correlation import traceparent_of
from shared.errors import Refused, SavingsError
from shared.events import INTAKE_SOURCE, REJECTIONS_TOPIC, RETURN_REJECTED, FaultTold, ReturnRejected
from shared.figures import Stream
from shared.partnership import Council, Partnership
from shared.web import problem_of

#: What a council's topic takes (deploy/kafka/topics.yaml): all of what was posted there is kept.
ORIGINAL_BYTES_KEPT: Final = 1_048_576
#: Room for the headers beside it in a message of the bus.
_EVENT_BYTES_LIMIT: Final = 1_480_000
_HEADERS_TOLD: Final = 40
_HEADER_CHARACTERS: Final = 500
_MOMENT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """A message that was refused, and what would put it right.

    It is put right by a return that its council states later about the same stream, and by the same event sent again
    with what was wrong mended; ``after_version`` and ``may_still_be_accepted`` say what "later" and "again" mean.
    """

    council: Council
    stated_by: str
    received: Received
    name: EventName | None
    correlation_id: str
    may_still_be_accepted: bool
    stream: Stream | None
    after_version: int
    error: SavingsError


async def reject(
    connection: AsyncConnection, refused: Sequence[Rejection], partnership: Partnership, now: datetime
) -> None:
    """Write the rejections and their events in the transaction in which they were decided."""
    rows: list[dict[str, object]] = []
    messages: list[Message] = []
    for place, one in enumerate(refused):
        # Ids order as times do, so the rejections of a batch are listed in its order.
        received_at = now + place * _MOMENT
        rejection_id = submission_id(received_at)
        rows.append(_row_of(one, rejection_id, received_at))
        messages.append(_message_of(one, rejection_id, received_at, partnership))
    await connection.execute(rejections.insert(), rows)
    await outbox.put(connection, messages)


def original_of(original: bytes) -> tuple[str, Literal["utf-8", "base64"]]:
    """What was posted as text where it is text, else as base64; whichever is shorter in JSON."""
    encoded = base64.b64encode(original).decode()
    try:
        text = original.decode()
    except UnicodeDecodeError:
        return encoded, "base64"
    return (text, "utf-8") if len(json_bytes(text)) <= len(encoded) + 2 else (encoded, "base64")


def _row_of(one: Rejection, rejection_id: str, received_at: datetime) -> dict[str, object]:
    received = one.received
    return {
        "id": rejection_id,
        "council": one.council.gss,
        "stated_by": one.stated_by,
        "topic": received.at.topic,
        "partition": received.at.partition,
        "offset": received.offset,
        "event_source": None if one.name is None else one.name.source,
        "event_id": None if one.name is None else one.name.id,
        "event_key": None if one.name is None or not one.may_still_be_accepted else one.name.key,
        "workstream": None if one.stream is None else one.stream.workstream,
        "scope": None if one.stream is None else one.stream.scope,
        "after_version": one.after_version,
        "received_at": received_at,
        "problem": json.dumps(problem_of(one.error).marshal()),
        "original": received.value[:ORIGINAL_BYTES_KEPT],
        "original_bytes": len(received.value),
    }


def _message_of(one: Rejection, rejection_id: str, received_at: datetime, partnership: Partnership) -> Message:
    contract = _contract_of(one, rejection_id, received_at, partnership)
    data = to_json(contract)
    while len(data) > _EVENT_BYTES_LIMIT and contract.errors:
        kept = contract.errors[: len(contract.errors) // 2]
        left_out = contract.errors_left_out + len(contract.errors) - len(kept)
        contract = contract.model_copy(update={"errors": kept, "errors_left_out": left_out})
        data = to_json(contract)
    event = Event(
        id=rejection_id,
        source=INTAKE_SOURCE,
        type=RETURN_REJECTED,
        key=one.council.register_code,
        time=received_at,
        data=data,
        correlation_id=one.correlation_id,
        traceparent=traceparent_of(one.received.headers),
    )
    return to_message(REJECTIONS_TOPIC, event)


def _contract_of(one: Rejection, rejection_id: str, received_at: datetime, partnership: Partnership) -> ReturnRejected:
    received, error = one.received, one.error
    original, encoding = original_of(received.value[:ORIGINAL_BYTES_KEPT])
    return ReturnRejected(
        rejection_id=rejection_id,
        partnership=partnership.code,
        council=one.council.gss,
        topic=received.at.topic,
        partition=received.at.partition,
        offset=received.offset,
        event_source=None if one.name is None else one.name.source,
        event_id=None if one.name is None else one.name.id,
        received_at=received_at,
        code=error.code,
        title=error.title,
        detail=error.detail,
        fix=error.fix,
        errors=tuple(_told(fault) for fault in error.faults) if isinstance(error, Refused) else (),
        headers=tuple((_short(name), _short(_text(value))) for name, value in received.headers[:_HEADERS_TOLD]),
        original=original,
        original_encoding=encoding,
        original_bytes=len(received.value),
    )


def _told(fault: Any) -> FaultTold:
    # Given and allowed are whatever JSON has: as it goes out over HTTP, so it goes out here.
    return FaultTold.model_validate_json(json.dumps(asdict(fault)))


def _text(value: bytes | None) -> str:
    return "" if value is None else value.decode("utf-8", "backslashreplace")


def _short(text: str) -> str:
    return text[:_HEADER_CHARACTERS].encode("utf-8", "backslashreplace").decode()
