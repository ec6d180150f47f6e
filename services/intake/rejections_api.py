"""What was refused of the councils' topics, over HTTP: a council's own, until it has been put right."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from services.intake.paging import PAGING, read_before, read_limit
from services.intake.rejecting import original_of
from services.intake.rejections import RejectionPage, Rejections
from services.intake.schemas import AnswerModel, Moment
from services.intake.tables import Found
from shared.asked import Asked, Parameters, described
from shared.clock import moment_text
from shared.errors import Forbidden, NotFound, Refused, TooMany, Unauthenticated
from shared.web import EVERYONE, NO_PARAMETERS, Caller, ProblemOut, permits, problem_responses

#: So many errors of one rejection stand in a list; one asked for by its id has them all.
ERRORS_LISTED: Final = 100

_PARAMETERS: Final[Parameters] = {
    **PAGING,
    "council": {"description": "The GSS code of the council.", "schema": {"type": "string"}},
    "event_id": {"description": "Those of the event of that id.", "schema": {"type": "string"}},
    "open": {
        "description": "Only what has not been put right yet.",
        "schema": {"type": "boolean", "default": True},
    },
}

router = APIRouter(prefix="/v1/rejections", tags=["rejections"])


class EventNameOut(AnswerModel):
    """The source and id of the event."""

    source: str
    id: str


class RejectionOut(AnswerModel):
    """A message of a council's topic that was refused, and why.

    ``put_right_by`` is the return that put it right; null while it is open.
    """

    id: str
    council: str
    topic: str
    partition: int
    offset: int
    event: EventNameOut | None
    workstream: str | None
    scope: str | None
    received_at: Moment
    problem: ProblemOut
    original_bytes: int
    put_right_by: str | None


class WholeRejectionOut(RejectionOut):
    """A rejection with all of its errors and what was posted, as text or, where it is no text, in base64."""

    original: str
    original_encoding: Literal["utf-8", "base64"]


class RejectionsOut(AnswerModel):
    """Rejections, the newest first. ``next`` is the address of those before, null at the end."""

    rejections: list[RejectionOut]
    next: str | None


# A plain function would be run in a thread of its own.
async def _rejections(request: Request) -> Rejections:
    rejections: Rejections = request.app.state.intake.rejections
    return rejections


RejectionsOf = Annotated[Rejections, Depends(_rejections)]


@router.get(
    "",
    response_model=RejectionsOut,
    responses=problem_responses(Unauthenticated, Forbidden, Refused, TooMany),
    openapi_extra=described(_PARAMETERS),
    summary="What was refused of the councils' topics, the newest first",
)
@permits(*EVERYONE)
async def rejections(
    request: Request,
    caller: Caller,
    finding: RejectionsOf,
) -> Response:
    """Your council's; the programme office and auditors see all.

    A rejection is put right when its council states a later return about the same workstream and scope, over HTTP or on
    its topic, or when the same event comes again and is accepted.
    """
    page = _read_page(Asked(request.query_params.multi_items(), _PARAMETERS))
    found, there_are_more = await finding.page_of(page, caller)
    following = request.url.include_query_params(before=found[-1].id) if there_are_more else None
    return JSONResponse(
        {
            "rejections": [_summary_of(one) for one in found],
            "next": f"{following.path}?{following.query}" if following is not None else None,
        }
    )


@router.get(
    "/{rejection_id}",
    response_model=WholeRejectionOut,
    responses=problem_responses(Unauthenticated, Forbidden, NotFound, Refused, TooMany),
    dependencies=NO_PARAMETERS,
    summary="A rejection with all of its errors and what was posted",
)
@permits(*EVERYONE)
async def rejection(rejection_id: str, caller: Caller, finding: RejectionsOf) -> Response:
    """What was posted is there whole, unless it was larger than a council's topic takes."""
    found = await finding.find(rejection_id, caller)
    original, encoding = original_of(found.original)
    problem = json.loads(found.problem)
    whole = {**_summary_of(found), "problem": problem, "original": original, "original_encoding": encoding}
    return JSONResponse(whole)


def _read_page(asked: Asked) -> RejectionPage:
    """Raises: Refused, with everything that is wrong with the address."""
    page = RejectionPage(
        limit=read_limit(asked),
        before=read_before(asked),
        council=asked.text("council"),
        event_id=asked.text("event_id"),
        is_open=asked.flag("open") if asked.text("open") else True,
    )
    asked.require_no_fault()
    return page


def _summary_of(found: Found) -> dict[str, Any]:
    problem = json.loads(found.problem)
    if "errors" in problem:
        problem["errors"] = problem["errors"][:ERRORS_LISTED]
    return {
        "id": found.id,
        "council": found.council,
        "topic": found.topic,
        "partition": found.partition,
        "offset": found.offset,
        "event": None if found.event_id is None else {"source": found.event_source, "id": found.event_id},
        "workstream": found.workstream,
        "scope": found.scope,
        "received_at": moment_text(found.received_at),
        "problem": problem,
        "original_bytes": found.original_bytes,
        "put_right_by": found.put_right_by,
    }
