"""Intake over HTTP: stating returns, one or many."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.intake.answers import batch_answer, dry_run_answer
from services.intake.batch import all_or_none, read_batch
from services.intake.deciding import Accepted, Decision, NotTaken, Replayed
from services.intake.form import invalid_key, read_return
from services.intake.preview import Preview
from services.intake.reading import read_json
from services.intake.schemas import KEY_PATTERN, AnswerOut, BatchIn, BatchOut, DryRunOut, ReturnIn, published
from services.intake.statement import Origin, Statement
from services.intake.stating import Stating
from shared.asked import Asked, Parameters, described
from shared.correlation import traceparent_now
from shared.direct import direct
from shared.errors import Forbidden, Refused, SavingsError, TooLarge, TooMany, Unauthenticated, Unreadable, WrongType
from shared.principal import Role
from shared.web import caller_of, permits, problem_responses, read_body

RETURN_LIMIT_BYTES: Final = 1_000_000
BATCH_LIMIT_BYTES: Final = 10_000_000

#: Either is a credential; in a dry run the tracker is asked with the one that the caller came with.
_CREDENTIALS: Final = ("authorization", "cookie")
_POSTING: Final = problem_responses(Unreadable, Unauthenticated, Forbidden, TooLarge, WrongType, Refused, TooMany)

_KEY: Final = "Idempotency-Key"
_KEY_HEADER: Final = {
    "name": _KEY,
    "in": "header",
    "description": "Sent again with the same key and content, a return is answered as it was the first time.",
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
_OF_ONE: Final[Parameters] = {
    "dry_run": {
        "description": "Do everything but keep it, and answer what the totals would become.",
        "schema": {"type": "boolean", "default": False},
    }
}
_OF_A_BATCH: Final[Parameters] = {
    **_OF_ONE,
    "atomic": {
        "description": "Keep all of the returns, or none.",
        "schema": {"type": "boolean", "default": False},
    },
}

router = APIRouter(prefix="/v1", tags=["submissions"])


def _takes(form: type[BaseModel], parameters: Parameters) -> dict[str, Any]:
    """What a request may say, as it stands in the OpenAPI document."""
    return published(form) | {"parameters": [*described(parameters)["parameters"], _KEY_HEADER]}


@router.post(
    "/submissions",
    status_code=201,
    response_model=AnswerOut,
    responses={200: {"model": DryRunOut, "description": "A dry run: what would come of it"}, **_POSTING},
    openapi_extra=_takes(ReturnIn, _OF_ONE),
    summary="State a return",
)
@permits(Role.LEAD, Role.FINANCE)
@direct
async def state(request: Request) -> Response:
    """A return sets the figures that it names and leaves the others alone.

    Repeated with the same ``Idempotency-Key`` it answers as the first time, with ``Idempotent-Replayed: true``; so does
    one without a key that is the same as the last of its workstream and scope.
    """
    how, stating = _read_how(request, _OF_ONE), _stating(request)
    with _refusals_counted(request, how):
        body = await read_body(request, RETURN_LIMIT_BYTES)
        document = read_json(body, request.headers.get("content-type"))
    reading = read_return(document, stating.vocabulary, stating.today(), how.key)
    statement = Statement(reading, caller_of(request), _origin_of(request))
    decision = (await stating.consider([statement]))[0] if how.dry_run else await stating.state(statement)
    if isinstance(decision, NotTaken):
        raise decision.error
    headers = {"Idempotent-Replayed": "true"} if isinstance(decision, Replayed) else {}
    if how.dry_run:
        [would_be] = await _would_be([decision], request)
        return _json(would_be, 200, headers)
    return _json(decision.answer, 201, {"Location": f"{request.url.path}/{decision.id}", **headers})


@router.post(
    "/submissions/batch",
    response_model=BatchOut,
    responses=_POSTING,
    openapi_extra=_takes(BatchIn, _OF_A_BATCH),
    summary="State up to 500 returns",
)
@permits(Role.LEAD, Role.FINANCE)
@direct
async def state_batch(request: Request) -> Response:
    """Returns are decided in order, each with what those before it stated, and kept in one transaction.

    Answers 200 with what each would have been answered alone: 201, 422, 403 and so on. With ``atomic`` it answers 422
    and keeps none where one of them may not stand; each fault points to its place in the batch. An ``Idempotency-Key``
    stands for each return that has no ``idempotency_key`` of its own, together with its place in the batch.
    """
    how, stating = _read_how(request, _OF_A_BATCH), _stating(request)
    with _refusals_counted(request, how):
        body = await read_body(request, BATCH_LIMIT_BYTES)
        content_type, today = request.headers.get("content-type"), stating.today()
        # A large batch takes a while to read; others are served meanwhile.
        batch = await asyncio.to_thread(read_batch, body, content_type, stating.vocabulary, today, how.key)
    by, origin = caller_of(request), _origin_of(request)
    statements = [Statement(reading, by, origin) for reading in batch.readings]
    if how.dry_run:
        decisions = await stating.consider(statements)
    else:
        decisions = await stating.state_all(statements, atomic=how.atomic)
    if how.atomic:
        all_or_none(decisions, batch)
    if how.dry_run:
        return _json(batch_answer(decisions, await _would_be(decisions, request), 200), 200)
    return _json(batch_answer(decisions, [d.answer for d in decisions if not isinstance(d, NotTaken)], 201), 200)


@dataclass(frozen=True, slots=True)
class _How:
    """What a request says besides its body."""

    key: str | None
    dry_run: bool
    atomic: bool


def _read_how(request: Request, parameters: Parameters) -> _How:
    """Raises: Refused, with everything that is wrong with the address and the key."""
    asked = Asked(request.query_params.multi_items(), parameters)
    how = _How(request.headers.get(_KEY), asked.flag("dry_run"), asked.flag("atomic"))
    if how.key is not None and not re.fullmatch(KEY_PATTERN, how.key):
        asked.also(invalid_key(f"/header/{_KEY}", how.key))
    asked.require_no_fault()
    return how


def _stating(request: Request) -> Stating:
    stating: Stating = request.app.state.intake.stating
    return stating


def _origin_of(request: Request) -> Origin:
    return Origin(request.state.request_id, traceparent=traceparent_now.get())


async def _would_be(decisions: Sequence[Decision], request: Request) -> list[str]:
    """What is answered in a dry run to each return that may stand, in order."""
    may_stand = [decision for decision in decisions if not isinstance(decision, NotTaken)]
    new = [decision.return_ for decision in may_stand if isinstance(decision, Accepted)]
    preview: Preview = request.app.state.intake.preview
    headers = {name: request.headers[name] for name in _CREDENTIALS if name in request.headers}
    # What came with a session's cookie came from a page of this site, or it would not have come in.
    headers |= {"X-Request-ID": request.state.request_id, "Sec-Fetch-Site": "same-origin"}
    effects = iter(await preview.effects_of(new, headers))
    return [dry_run_answer(one, next(effects) if isinstance(one, Accepted) else None) for one in may_stand]


@contextmanager
def _refusals_counted(request: Request, how: _How) -> Iterator[None]:
    """What cannot even be read is refused too; the rest is counted where it is decided."""
    try:
        yield
    except SavingsError as error:
        if not how.dry_run:
            request.app.state.intake.metrics.refused(error)
        raise


def _json(content: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content, status, headers, "application/json")
