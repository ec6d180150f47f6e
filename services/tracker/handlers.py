"""What the tracker does with the events it is sent: one batch, in the transaction of whoever feeds it.

The tracker never says no to a return. A message that it cannot post is set aside with the reason, counted and shown,
and those behind it go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import structlog
from pydantic import ValidationError
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker import ledger, writing
from services.tracker.ledger import Posted
from services.tracker.store import consumed, outbox
from shared.bus.envelope import Event, PoisonMessage, from_message, to_message
from shared.bus.port import Message, Received
from shared.clock import Clock
from shared.correlation import correlation_id_of
from shared.events import (
    ENTRIES_POSTED,
    ENTRIES_TOPIC,
    INTAKE_SOURCE,
    RETURN_ACCEPTED,
    TRACKER_SOURCE,
    ReturnAccepted,
)
from shared.positions import offsets_of

log = structlog.get_logger(__name__)


class Unpostable(Exception):
    """A message that will never be posted, however often it is tried; the text says why."""


class Read(NamedTuple):
    """A return as it came: the message, its envelope, and what intake accepted."""

    message: Received
    event: Event
    accepted: ReturnAccepted


async def post_returns(
    connection: AsyncConnection, batch: Sequence[Received], *, partnership: str, clock: Clock
) -> int:
    """Read a batch of accepted returns and post them; what cannot be posted is parked. How many it posted.

    ``partnership`` is the code of the one whose ledgers these are. The transaction is the caller's.
    """
    returns: list[Read] = []
    for message in batch:
        try:
            returns.append(read(message, partnership))
        except (PoisonMessage, Unpostable) as error:
            log.warning(
                "posting.parked",
                at=offsets_of([message]),
                reason=str(error),
                correlation_id=correlation_id_of(message.headers),
            )
            await consumed.park(connection, message, str(error), clock)
    return await post_read(connection, returns, clock)


async def post_read(connection: AsyncConnection, returns: Sequence[Read], clock: Clock) -> int:
    """Post the returns that have not been posted yet, in their order, and tell of each. How many these were."""
    fresh = await _new_ones(connection, returns, clock)
    if not fresh:
        return 0
    locked = await writing.lock(connection, {one.accepted.stream for one in fresh})
    before = await writing.known(connection, {key for one in fresh for key in one.accepted.accounts})
    heads = {stream: lock.head for stream, lock in locked.items()}
    held = dict(before.held)
    posted: list[tuple[ReturnAccepted, Posted]] = []
    told: list[Message] = []
    now = clock()
    for _, event, accepted in fresh:
        stream = accepted.stream
        outcome = ledger.post(accepted, held, heads[stream])
        if accepted.version != heads[stream].version + 1:
            log.warning(
                "posting.out_of_order",
                stream=str(stream),
                version=accepted.version,
                standing=heads[stream].version,
                correlation_id=event.correlation_id,
            )
        heads[stream] = outcome.head
        held |= outcome.held
        posted.append((accepted, outcome))
        told.append(_told(event, accepted, outcome, now))
    await writing.keep(connection, locked, before, posted)
    await outbox.put(connection, told)
    return len(fresh)


async def _new_ones(connection: AsyncConnection, returns: Sequence[Read], clock: Clock) -> Sequence[Read]:
    # Of two with one id the first is posted; the other repeats it, or is parked as a conflict.
    first = {one.event.id: one for one in reversed(returns)}
    fresh = await consumed.first_time(connection, [(one.message, one.event) for one in returns], clock)
    return [first[event.id] for _, event in fresh]


def read(message: Received, partnership: str) -> Read:
    """Read an accepted return.

    Raises:
        PoisonMessage: the message is no event.
        Unpostable: the event is none that can be posted, now or ever.
    """
    event = from_message(message)
    if (event.source, event.type) != (INTAKE_SOURCE, RETURN_ACCEPTED):
        raise Unpostable(
            f"the tracker posts {RETURN_ACCEPTED} from {INTAKE_SOURCE}, not {event.type} from {event.source}"
        )
    try:
        accepted = ReturnAccepted.model_validate_json(event.data)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise Unpostable(f"not a {RETURN_ACCEPTED}: {faults}") from error
    if event.id != accepted.submission_id:
        raise Unpostable(f"the event {event.id} carries another return, {accepted.submission_id}")
    reason = ledger.why_not_postable(accepted, partnership)
    if reason is not None:
        raise Unpostable(reason)
    return Read(message, event, accepted)


def _told(event: Event, accepted: ReturnAccepted, outcome: Posted, now: datetime) -> Message:
    """What the tracker tells of a return it has posted, under the return's own id."""
    envelope = Event(
        id=accepted.submission_id,
        source=TRACKER_SOURCE,
        type=ENTRIES_POSTED,
        key=str(accepted.stream),
        time=now,
        data=entries_posted(accepted, outcome),
        correlation_id=event.correlation_id,
        traceparent=event.traceparent,
    )
    return to_message(ENTRIES_TOPIC, envelope)


def entries_posted(accepted: ReturnAccepted, outcome: Posted) -> bytes:
    """The JSON of an :class:`~shared.events.EntriesPosted`, to the byte, without making one.

    All values were checked when the return was read; checking them again, and finding out what each one is, took a
    quarter of the time of posting.
    """
    return to_json(
        {
            "submission_id": accepted.submission_id,
            "partnership": accepted.partnership,
            "workstream": accepted.workstream,
            "scope": accepted.scope,
            "version": accepted.version,
            "as_at": accepted.as_at,
            "recorded_at": accepted.recorded_at,
            "stated_by": {
                "name": accepted.stated_by.name,
                "role": str(accepted.stated_by.role),
                "council": accepted.stated_by.council,
            },
            "source": {
                "system": accepted.source.system,
                "reference": accepted.source.reference,
                "file": accepted.source.file,
            },
            "reason": accepted.reason,
            "update": accepted.update,
            "kind": "entries.posted",
            "entries": [
                {
                    "initiative": line.initiative,
                    "year": line.year,
                    "basis": str(line.basis),
                    "benefit": str(line.benefit),
                    "recurrence": str(line.recurrence),
                    "flow": str(line.flow),
                    "number": entry.number,
                    "line": line.line,
                    "confidence": str(line.confidence),
                    "status": str(line.status),
                    "amount_pence": line.amount_pence,
                    "movement_pence": entry.movement_pence,
                    "balance_pence": entry.balance_pence,
                    "reason": line.reason,
                    "note": line.note,
                    "cell": line.cell,
                    "hash": entry.hash.hex(),
                }
                for line, entry in zip(accepted.lines, outcome.entries, strict=True)
            ],
        }
    )
