"""Returns found again, over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from services.intake.answers import event_answer, summary_of, whole_of
from services.intake.listing import ID_PATTERN, LIMIT, Listing, Page
from services.intake.rejections import RejectionPage, Rejections
from services.intake.schemas import SubmissionOut, SubmissionsOut
from shared.errors import Forbidden, NotFound, Refused, TooMany, Unauthenticated
from shared.web import EVERYONE, Caller, permits, problem_responses

router = APIRouter(prefix="/v1", tags=["submissions"])


# What a route needs of the service. Plain functions would each be run in a thread of their own.
async def _listing(request: Request) -> Listing:
    listing: Listing = request.app.state.intake.listing
    return listing


async def _rejections(request: Request) -> Rejections:
    rejections: Rejections = request.app.state.intake.rejections
    return rejections


ListingOf = Annotated[Listing, Depends(_listing)]
RejectionsOf = Annotated[Rejections, Depends(_rejections)]


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
