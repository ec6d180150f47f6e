"""Intake over HTTP: stating returns, one or many, and finding them again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import JSONResponse

from services.intake.answers import batch_answer, dry_run_answer, event_answer, summary_of, whole_of
from services.intake.batch import all_or_none, read_batch
from services.intake.deciding import Accepted, Decision, NotTaken, Replayed
from services.intake.form import read_return
from services.intake.listing import ID_PATTERN, LIMIT, Listing, Page
from services.intake.preview import Preview
from services.intake.reading import read_json
from services.intake.rejections import RejectionPage, Rejections
from services.intake.schemas import (
    KEY_PATTERN,
    AnswerOut,
    BatchIn,
    BatchOut,
    DryRunOut,
    ReturnIn,
    SubmissionOut,
    SubmissionsOut,
    published,
)
from services.intake.statement import Origin, Statement
from services.intake.stating import Stating
from shared.correlation import traceparent_now
from shared.errors import (
    Forbidden,
    NotFound,
    Refused,
    SavingsError,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unreadable,
    WrongType,
)
from shared.principal import Role
from shared.web import EVERYONE, Caller, permits, problem_responses, read_body

RETURN_LIMIT_BYTES: Final = 1_000_000
BATCH_LIMIT_BYTES: Final = 10_000_000

#: Either is a credential; in a dry run the tracker is asked with the one that the caller came with.
_CREDENTIALS: Final = ("authorization", "cookie")
_POSTING: Final = problem_responses(Unreadable, Unauthenticated, Forbidden, TooLarge, WrongType, Refused, TooMany)

router = APIRouter(prefix="/v1", tags=["submissions"])


# What a route needs of the service. Plain functions would each be run in a thread of their own.
async def _stating(request: Request) -> Stating:
    stating: Stating = request.app.state.intake.stating
    return stating


async def _listing(request: Request) -> Listing:
    listing: Listing = request.app.state.intake.listing
    return listing


async def _rejections(request: Request) -> Rejections:
    rejections: Rejections = request.app.state.intake.rejections
    return rejections


async def _preview(request: Request) -> Preview:
    preview: Preview = request.app.state.intake.preview
    return preview


StatingOf = Annotated[Stating, Depends(_stating)]
ListingOf = Annotated[Listing, Depends(_listing)]
RejectionsOf = Annotated[Rejections, Depends(_rejections)]
PreviewOf = Annotated[Preview, Depends(_preview)]
KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=KEY_PATTERN,
        description="Sent again with the same key and content, a return is answered as it was the first time.",
    ),
]
DryRun = Annotated[bool, Query(description="Do everything but keep it, and answer what the totals would become.")]
Atomic = Annotated[bool, Query(description="Keep all of the returns, or none.")]


@router.post(
    "/submissions",
    status_code=201,
    response_model=AnswerOut,
    responses={200: {"model": DryRunOut, "description": "A dry run: what would come of it"}, **_POSTING},
    openapi_extra=published(ReturnIn),
    summary="State a return",
)
@permits(Role.LEAD, Role.FINANCE)
async def state(
    request: Request,
    caller: Caller,
    stating: StatingOf,
    preview: PreviewOf,
    key: KeyHeader = None,
    dry_run: DryRun = False,
) -> Response:
    """A return sets the figures that it names and leaves the others alone.

    Repeated with the same ``Idempotency-Key`` it answers as the first time, with ``Idempotent-Replayed: true``; so does
    one without a key that is the same as the last of its workstream and scope.
    """
    with _refusals_counted(request, dry_run):
        body = await read_body(request, RETURN_LIMIT_BYTES)
        document = read_json(body, request.headers.get("content-type"))
    reading = read_return(document, stating.vocabulary, stating.today(), key)
    statement = Statement(reading, caller, _origin_of(request))
    decision = (await stating.consider([statement]))[0] if dry_run else await stating.state(statement)
    if isinstance(decision, NotTaken):
        raise decision.error
    headers = {"Idempotent-Replayed": "true"} if isinstance(decision, Replayed) else {}
    if dry_run:
        [would_be] = await _would_be([decision], preview, request)
        return _json(would_be, 200, headers)
    return _json(decision.answer, 201, {"Location": f"{request.url.path}/{decision.id}", **headers})


@router.post(
    "/submissions/batch",
    response_model=BatchOut,
    responses=_POSTING,
    openapi_extra=published(BatchIn),
    summary="State up to 500 returns",
)
@permits(Role.LEAD, Role.FINANCE)
async def state_batch(
    request: Request,
    caller: Caller,
    stating: StatingOf,
    preview: PreviewOf,
    key: KeyHeader = None,
    dry_run: DryRun = False,
    atomic: Atomic = False,
) -> Response:
    """Returns are decided in order, each with what those before it stated, and kept in one transaction.

    Answers 200 with what each would have been answered alone: 201, 422, 403 and so on. With ``atomic`` it answers 422
    and keeps none where one of them may not stand; each fault points to its place in the batch. An ``Idempotency-Key``
    stands for each return that has no ``idempotency_key`` of its own, together with its place in the batch.
    """
    with _refusals_counted(request, dry_run):
        body = await read_body(request, BATCH_LIMIT_BYTES)
        content_type, today = request.headers.get("content-type"), stating.today()
        # A large batch takes a while to read; others are served meanwhile.
        batch = await asyncio.to_thread(read_batch, body, content_type, stating.vocabulary, today, key)
    origin = _origin_of(request)
    statements = [Statement(reading, caller, origin) for reading in batch.readings]
    decisions = await (stating.consider(statements) if dry_run else stating.state_all(statements, atomic=atomic))
    if atomic:
        all_or_none(decisions, batch)
    if dry_run:
        return _json(batch_answer(decisions, await _would_be(decisions, preview, request), 200), 200)
    return _json(batch_answer(decisions, [d.answer for d in decisions if not isinstance(d, NotTaken)], 201), 200)


def _origin_of(request: Request) -> Origin:
    return Origin(request.state.request_id, traceparent=traceparent_now.get())


async def _would_be(decisions: Sequence[Decision], preview: Preview, request: Request) -> list[str]:
    """What is answered in a dry run to each return that may stand, in order."""
    may_stand = [decision for decision in decisions if not isinstance(decision, NotTaken)]
    new = [decision.return_ for decision in may_stand if isinstance(decision, Accepted)]
    headers = {name: request.headers[name] for name in _CREDENTIALS if name in request.headers}
    effects = iter(await preview.effects_of(new, headers | {"X-Request-ID": request.state.request_id}))
    return [dry_run_answer(one, next(effects) if isinstance(one, Accepted) else None) for one in may_stand]


@router.get(
    "/submissions",
    response_model=SubmissionsOut,
    responses=problem_responses(Unauthenticated, Forbidden, Refused, TooMany),
    summary="Returns, the newest first",
)
@permits(*EVERYONE)
async def submissions(
    request: Request,
    caller: Caller,
    listing: ListingOf,
    rejections: RejectionsOf,
    limit: Annotated[int, Query(ge=1, le=LIMIT)] = 50,
    before: Annotated[str | None, Query(pattern=ID_PATTERN, description="As in the 'next' of the page before.")] = None,
    workstream: str | None = None,
    scope: Annotated[str | None, Query(description="'partnership', or the GSS code of a council.")] = None,
    council: Annotated[str | None, Query(description="The GSS code of the council that stated it.")] = None,
    as_at_from: date | None = None,
    as_at_to: date | None = None,
    event_id: Annotated[str | None, Query(description="The id of an event posted on a council's topic.")] = None,
) -> Response:
    """Those that you may see: the partnership's, your council's share, or all of them.

    With ``event_id`` it answers besides whether that event was received, and whether it is counted.
    """
    page = Page(
        limit=limit,
        before=before,
        workstream=workstream,
        scope=scope,
        council=council,
        as_at_from=as_at_from,
        as_at_to=as_at_to,
        event_id=event_id,
    )
    found, there_are_more = await listing.page_of(page, caller)
    event = None
    if event_id is not None:
        refused, _ = await rejections.page_of(RejectionPage(limit=LIMIT, is_open=False, event_id=event_id), caller)
        event = event_answer(found, refused)
    following = request.url.include_query_params(before=found[-1].id) if there_are_more else None
    return JSONResponse(
        {
            "submissions": [summary_of(one) for one in found],
            "next": f"{following.path}?{following.query}" if following is not None else None,
            "event": event,
        }
    )


@router.get(
    "/submissions/{submission_id}",
    response_model=SubmissionOut,
    responses=problem_responses(Unauthenticated, Forbidden, NotFound, TooMany),
    summary="A return as it was stated",
)
@permits(*EVERYONE)
async def submission(submission_id: str, caller: Caller, listing: ListingOf) -> Response:
    """With who stated it, its place in its stream, and the answer that was given."""
    return JSONResponse(whole_of(await listing.find(submission_id, caller)))


@contextmanager
def _refusals_counted(request: Request, dry_run: bool) -> Iterator[None]:
    """What cannot even be read is refused too; the rest is counted where it is decided."""
    try:
        yield
    except SavingsError as error:
        if not dry_run:
            request.app.state.intake.metrics.refused(error)
        raise


def _json(content: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(content, status, headers, "application/json")
