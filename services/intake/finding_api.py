"""Returns found again, over HTTP."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from services.intake.answers import event_answer, summary_of, whole_of
from services.intake.listing import LIMIT, Listing, Page
from services.intake.paging import PAGING, read_before, read_limit
from services.intake.rejections import RejectionPage, Rejections
from services.intake.schemas import SubmissionOut, SubmissionsOut
from shared.asked import Asked, Parameters, described
from shared.errors import Forbidden, NotFound, Refused, TooMany, Unauthenticated
from shared.web import EVERYONE, NO_PARAMETERS, Caller, permits, problem_responses

router = APIRouter(prefix="/v1", tags=["submissions"])

_PARAMETERS: Final[Parameters] = {
    **PAGING,
    "workstream": {"schema": {"type": "string"}},
    "scope": {"description": "'partnership', or the GSS code of a council.", "schema": {"type": "string"}},
    "council": {"description": "The GSS code of the council that stated it.", "schema": {"type": "string"}},
    "as_at_from": {"schema": {"type": "string", "format": "date"}},
    "as_at_to": {"schema": {"type": "string", "format": "date"}},
    "event_id": {"description": "The id of an event posted on a council's topic.", "schema": {"type": "string"}},
}


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
    openapi_extra=described(_PARAMETERS),
    summary="Returns, the newest first",
)
@permits(*EVERYONE)
async def submissions(
    request: Request,
    caller: Caller,
    listing: ListingOf,
    rejections: RejectionsOf,
) -> Response:
    """Those that you may see: the partnership's, your council's share, or all of them.

    With ``event_id`` it answers besides whether that event was received, and whether it is counted.
    """
    page = _read_page(Asked(request.query_params.multi_items(), _PARAMETERS))
    found, there_are_more = await listing.page_of(page, caller)
    event = None
    if page.event_id is not None:
        refused, _ = await rejections.page_of(RejectionPage(limit=LIMIT, is_open=False, event_id=page.event_id), caller)
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
    responses=problem_responses(Unauthenticated, Forbidden, NotFound, Refused, TooMany),
    summary="A return as it was stated",
    dependencies=NO_PARAMETERS,
)
@permits(*EVERYONE)
async def submission(submission_id: str, caller: Caller, listing: ListingOf) -> Response:
    """With who stated it, its place in its stream, and the answer that was given."""
    return JSONResponse(whole_of(await listing.find(submission_id, caller)))


def _read_page(asked: Asked) -> Page:
    """Raises: Refused, with everything that is wrong with the address."""
    page = Page(
        limit=read_limit(asked),
        before=read_before(asked),
        workstream=asked.text("workstream"),
        scope=asked.text("scope"),
        council=asked.text("council"),
        as_at_from=asked.day("as_at_from"),
        as_at_to=asked.day("as_at_to"),
        event_id=asked.text("event_id"),
    )
    asked.require_no_fault()
    return page
