"""The bodies of the answers that are put together here: batches, dry runs, and returns found again.

What was answered when a return was accepted is kept as it was, as JSON, and goes out again untouched.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, assert_never

from services.intake.batch import FAULTS_TOLD
from services.intake.deciding import Accepted, Decision, NotTaken, Replayed
from services.intake.preview import Effect
from services.intake.tables import Found
from shared.clock import moment_text
from shared.errors import Refused, SavingsError
from shared.figures import PARTNERSHIP
from shared.web import problem_of


def batch_answer(decisions: Sequence[Decision], bodies: Sequence[str], status_kept: int) -> str:
    """The answer to a batch. ``bodies`` are what the returns that may stand are answered, as JSON, in order."""
    room = FAULTS_TOLD
    told = iter(bodies)
    results: list[str] = []
    for place, decision in enumerate(decisions):
        match decision:
            case NotTaken(error):
                status, body = error.status, json.dumps(_problem(error, room))
                room -= len(error.faults) if isinstance(error, Refused) else 0
            case Accepted() | Replayed():
                status, body = status_kept, next(told)
            case _:
                assert_never(decision)
        replayed = json.dumps(isinstance(decision, Replayed))
        results.append(f'{{"item":{place},"status":{status},"replayed":{replayed},"body":{body}}}')
    accepted = sum(isinstance(decision, Accepted) for decision in decisions)
    replays = sum(isinstance(decision, Replayed) for decision in decisions)
    counts = f'"accepted":{accepted},"replayed":{replays},"refused":{len(decisions) - accepted - replays}'
    return f'{{{counts},"results":[{",".join(results)}]}}'


def dry_run_answer(decision: Accepted | Replayed, effect: Effect | None) -> str:
    """What would come of a return; an ``effect`` on the totals has only what is new."""
    is_new = isinstance(decision, Accepted)
    before = f"This return was accepted before, as {decision.id}; stated again it changes nothing."
    return json.dumps(
        {
            "kept": False,
            "would_be": "accepted" if is_new else "replayed",
            "detail": before if effect is None else f"Nothing was kept. {effect.detail}",
            "workstream": decision.return_.stream.workstream,
            "scope": decision.return_.stream.scope,
            "as_at": decision.return_.as_at.isoformat(),
            "lines": json.loads(decision.answer)["lines"],
            "effect": None if effect is None else effect.totals,
        },
        ensure_ascii=False,
    )


def summary_of(found: Found) -> dict[str, Any]:
    """A return in a list."""
    source = {"system": found.source_system, "reference": found.source_reference, "file": found.source_file}
    return {
        "id": found.id,
        "workstream": found.workstream,
        "scope": found.scope,
        "version": found.version,
        "as_at": found.as_at.isoformat(),
        "recorded_at": moment_text(found.recorded_at),
        "stated_by": _stated_by(found),
        "source": source if any(source.values()) else None,
        "reason": found.reason,
    }


def whole_of(found: Found) -> dict[str, Any]:
    """A return as stated and as answered."""
    return {
        "id": found.id,
        "version": found.version,
        "recorded_at": moment_text(found.recorded_at),
        "request_id": found.request_id,
        "stated_by": _stated_by(found),
        "stated": json.loads(found.content),
        "answer": json.loads(found.answer),
    }


def event_answer(returns: Sequence[Found], refused: Sequence[Found]) -> dict[str, Any]:
    """Did you get it, was it counted? From the returns and the rejections of an event, as far as the asker sees them.

    What was accepted is counted: the tracker posts all of it, and never says no.
    """
    if returns:
        detail = "It was accepted, and is counted: the ledgers have it, or will within moments."
    elif refused:
        detail = "It came and was refused; nothing of it is counted. Mend it and send it again: the same id will do."
    else:
        detail = "It has not come, or not yet; or it is not yours to see. Send it again: sent twice it counts once."
    return {
        "received": bool(returns or refused),
        "counted": bool(returns),
        "detail": detail,
        "entries": [_entries_of(one) for one in returns],
        "rejections": [f"/v1/rejections/{one.id}" for one in refused],
    }


def _entries_of(found: Found) -> str:
    ledger = "cumulative" if found.scope == PARTNERSHIP else f"councils/{found.scope}"
    return f"/v1/ledgers/{ledger}/entries?workstream={found.workstream}"


def _stated_by(found: Found) -> dict[str, Any]:
    return {"name": found.stated_by, "role": found.stated_by_role, "council": found.stated_by_council}


def _problem(error: SavingsError, room: int) -> dict[str, Any]:
    if isinstance(error, Refused) and len(error.faults) > room:
        error = Refused(error.detail, error.faults[: max(room, 1)], error.fix)
    return problem_of(error).marshal()
