"""An accepted return as the event that the tracker posts: from intake's own terms to the contract's."""

from __future__ import annotations

from services.intake.deciding import Accepted
from services.intake.submission import Line
from shared.bus.envelope import Event, to_json, to_message
from shared.bus.port import Message
from shared.events import (
    INTAKE_SOURCE,
    RETURN_ACCEPTED,
    SUBMISSIONS_TOPIC,
    LineAccepted,
    ReturnAccepted,
    Source,
    StatedBy,
)
from shared.partnership import Partnership


def message_of(accepted: Accepted, partnership: Partnership) -> Message:
    """The message that hands a return on; its key is the stream, so that the returns of a stream keep their order."""
    stream = accepted.return_.stream
    event = Event(
        id=accepted.id,
        source=INTAKE_SOURCE,
        type=RETURN_ACCEPTED,
        key=str(stream),
        time=accepted.recorded_at,
        data=to_json(_contract_of(accepted, partnership)),
        correlation_id=accepted.origin.request_id,
        traceparent=accepted.origin.traceparent,
    )
    return to_message(SUBMISSIONS_TOPIC, event)


def _contract_of(accepted: Accepted, partnership: Partnership) -> ReturnAccepted:
    return_, by = accepted.return_, accepted.by
    return ReturnAccepted(
        submission_id=accepted.id,
        partnership=partnership.code,
        workstream=return_.stream.workstream,
        scope=return_.stream.scope,
        version=accepted.version,
        as_at=return_.as_at,
        recorded_at=accepted.recorded_at,
        stated_by=StatedBy(name=by.name, role=by.role, council=by.council or ""),
        source=Source(system=return_.source.system, reference=return_.source.reference, file=return_.source.file),
        reason=return_.reason,
        update=return_.update,
        lines=tuple(_line_of(line) for line in return_.lines),
    )


def _line_of(line: Line) -> LineAccepted:
    account, figure = line.account, line.figure
    return LineAccepted(
        line=line.place,
        initiative=account.initiative,
        year=str(account.year),
        basis=account.basis,
        benefit=account.benefit,
        recurrence=account.recurrence,
        flow=account.flow,
        confidence=figure.confidence,
        status=figure.status,
        amount_pence=figure.amount_pence,
        reason=line.reason,
        note=line.note,
        cell=line.cell,
    )
