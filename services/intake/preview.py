"""Asking the tracker what the totals would become. It is the one question intake asks, and no decision hangs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
import structlog

from services.intake.schemas import LINES_LIMIT
from services.intake.submission import Return

PATH: Final = "/v1/ledgers/preview"
#: For all the returns of a request together; and so much more for each of them.
TIMEOUT_SECONDS: Final = 2.0
SECONDS_EACH: Final = 0.01
#: A question takes as many returns as have no more lines than one may have: a batch is asked about in one or a few.
_AT_ONCE: Final = 2
_NOT_KNOWN: Final = "The tracker does not answer just now, so what the totals would become is not known."
_NO_TIME: Final = (
    "There was no time to ask the tracker for this one, so what the totals would become is not known; "
    "try it in a smaller batch."
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Effect:
    """What the totals would become, as the tracker says; or none, and then a sentence that says why."""

    totals: Any
    detail: str


class Preview:
    """Asks the tracker, where there is one to ask."""

    def __init__(self, tracker: httpx.AsyncClient | None) -> None:
        self._tracker = tracker

    async def effects_of(self, returns: Sequence[Return], headers: Mapping[str, str]) -> list[Effect]:
        """What each return would do to the totals if it alone were kept; ``headers`` have the caller's credential."""
        if self._tracker is None or not returns:
            return [Effect(None, _NOT_KNOWN) for _ in returns]
        places = asyncio.Semaphore(_AT_ONCE)
        tracker, seconds = self._tracker, TIMEOUT_SECONDS + SECONDS_EACH * len(returns)

        async def ask(about: Sequence[Return]) -> Sequence[Any]:
            async with places:
                questions = [_question(return_) for return_ in about]
                answer = await tracker.post(PATH, json=questions, headers=headers, timeout=seconds)
                answer.raise_for_status()
                told = answer.json()
                if not isinstance(told, list) or len(told) != len(about):
                    raise ValueError("The tracker's answer is not one for each return.")
                return told

        groups = list(_groups_of(returns))
        questions = [asyncio.create_task(ask(group)) for group in groups]
        in_time, late = await asyncio.wait(questions, timeout=seconds)
        for question in late:
            question.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        # One that has answered others is not away: it was the time that was short.
        why_late = _NO_TIME if any(question.exception() is None for question in in_time) else _NOT_KNOWN
        return [
            effect
            for question, group in zip(questions, groups, strict=True)
            for effect in _effects_of(question, group, why_late)
        ]


def _groups_of(returns: Sequence[Return]) -> Iterator[Sequence[Return]]:
    group: list[Return] = []
    lines = 0
    for return_ in returns:
        if group and lines + len(return_.lines) > LINES_LIMIT:
            yield group
            group, lines = [], 0
        group.append(return_)
        lines += len(return_.lines)
    yield group


def _effects_of(question: asyncio.Task[Sequence[Any]], group: Sequence[Return], why_late: str) -> list[Effect]:
    if question.cancelled():
        return [Effect(None, why_late) for _ in group]
    match question.exception():
        case None:
            detail = "What the totals would become if this return alone were kept."
            return [Effect(totals, detail) for totals in question.result()]
        case httpx.HTTPError() | ValueError() as error:
            log.warning("preview.no_answer", error=repr(error))
            return [Effect(None, _NOT_KNOWN) for _ in group]
        case error:
            raise error


def _question(return_: Return) -> dict[str, object]:
    return {
        "workstream": return_.stream.workstream,
        "scope": return_.stream.scope,
        "as_at": return_.as_at.isoformat(),
        "lines": [
            {
                "initiative": line.account.initiative,
                "year": str(line.account.year),
                "basis": line.account.basis,
                "benefit": line.account.benefit,
                "recurrence": line.account.recurrence,
                "flow": line.account.flow,
                "confidence": line.figure.confidence,
                "status": line.figure.status,
                "amount_pence": line.figure.amount_pence,
            }
            for line in return_.lines
        ],
    }
