"""Made-up returns, as intake would have published them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from shared.bus.envelope import Event, to_json, to_message
from shared.bus.port import Received, TopicPartition
from shared.events import (
    INTAKE_SOURCE,
    RETURN_ACCEPTED,
    SUBMISSIONS_TOPIC,
    LineAccepted,
    ReturnAccepted,
    Source,
    StatedBy,
)
from shared.figures import PARTNERSHIP, Basis, Benefit, Confidence, Flow, Recurrence, Status
from shared.partnership import Partnership
from shared.principal import Role

LINES = 8
_FIRST_MOMENT = datetime(2011, 12, 7, 9, tzinfo=UTC)
_DAYS = 250


def accepted_returns(partnership: Partnership, count: int) -> Iterator[ReturnAccepted]:
    """Returns of eight lines each; each workstream and scope comes as often, in any order. The same ones every time."""
    chance = random.Random(7)
    scopes = [PARTNERSHIP, *(council.scope for council in partnership.councils)]
    streams = [(workstream, scope) for workstream in partnership.workstreams for scope in scopes]
    years = [str(year) for year in partnership.years]
    cells = [(initiative, years[place % len(years)]) for place, initiative in enumerate(["", "Data Centres"] * 4)]
    versions: dict[tuple[str, str], int] = {}
    for number in range(count):
        if number % len(streams) == 0:
            chance.shuffle(streams)
        workstream, scope = streams[number % len(streams)]
        version = versions[workstream.code, scope] = versions.get((workstream.code, scope), 0) + 1
        lead = partnership.council_by_gss[workstream.lead]
        yield ReturnAccepted(
            submission_id=f"{number:032x}",
            partnership=partnership.code,
            workstream=workstream.code,
            scope=scope,
            version=version,
            as_at=date(2011, 12, 7) + timedelta(days=version * _DAYS // count),
            recorded_at=_FIRST_MOMENT + timedelta(seconds=number),
            stated_by=StatedBy(name=f"finance-{lead.register_code}", role=Role.FINANCE, council=lead.gss),
            source=Source(system="general ledger", reference=f"P{number % 12 + 1:02d}"),
            reason="as found",
            lines=tuple(
                LineAccepted(
                    initiative=initiative,
                    year=year,
                    basis=Basis.ESTIMATE if place < len(cells) / 2 else Basis.FORECAST,
                    benefit=Benefit.CASH_RELEASING,
                    recurrence=Recurrence.RECURRING,
                    flow=Flow.SAVING,
                    line=place,
                    confidence=Confidence.INDICATIVE,
                    status=Status.QUANTIFIED,
                    amount_pence=chance.randrange(10**9),
                )
                for place, (initiative, year) in enumerate(cells)
            ),
        )


def as_received(accepted: ReturnAccepted, offset: int) -> Received:
    """A return as it comes off the bus."""
    event = Event(
        id=accepted.submission_id,
        source=INTAKE_SOURCE,
        type=RETURN_ACCEPTED,
        key=str(accepted.stream),
        time=accepted.recorded_at,
        data=to_json(accepted),
        correlation_id=f"{offset:032x}",
    )
    sent = to_message(SUBMISSIONS_TOPIC, event)
    return Received(TopicPartition(sent.topic, 0), offset, sent.key, sent.value, sent.headers)
