"""Asking the tracker what the totals would become. It is the one question intake asks, and no decision hangs on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
import structlog

from services.intake.submission import Return

PATH: Final = "/v1/ledgers/preview"
#: For all the returns of a request together.
TIMEOUT_SECONDS: Final = 2.0
_AT_ONCE: Final = 8
_NOT_KNOWN: Final = "The tracker does not answer just now, so what the totals would become is not known."

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
        tracker = self._tracker

        async def ask(return_: Return) -> Any:
            async with places:
                answer = await tracker.post(PATH, json=_question(return_), headers=headers)
                answer.raise_for_status()
                return answer.json()

        questions = [asyncio.create_task(ask(return_)) for return_ in returns]
        _, late = await asyncio.wait(questions, timeout=TIMEOUT_SECONDS)
        for question in late:
            question.cancel()
        await asyncio.gather(*late, return_exceptions=True)
        return [_effect_of(question) for question in questions]


def _effect_of(question: asyncio.Task[Any]) -> Effect:
    if question.cancelled():
        return Effect(None, _NOT_KNOWN)
    match question.exception():
        case None:
            return Effect(question.result(), "What the totals would become if this return alone were kept.")
        case httpx.HTTPError() | ValueError() as error:
            log.warning("preview.no_answer", error=repr(error))
            return Effect(None, _NOT_KNOWN)
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
