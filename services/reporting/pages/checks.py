"""Whether everything holds, as a page for those who answer for it: where it does not, and what was set aside."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from services.reporting.answers import Answering
from services.reporting.checking import check_all, latest_parked
from services.reporting.drawing import page_of
from shared.consuming import Consuming
from shared.web import READERS_OF_ALL, page, permits

router = APIRouter(include_in_schema=False)


@router.get("/checks")
@permits(*READERS_OF_ALL)
@page
async def checks(request: Request, answers: Answering) -> Response:
    consuming: Consuming = request.app.state.reporting.consuming
    editions = await answers.editions.all()
    async with answers.at_one_state() as connection:
        found = await check_all(connection, answers.partnership, editions)
        parked, parked_count = await latest_parked(connection)
    return page_of(
        request,
        "checks.jinja",
        section="/checks",
        checks=found,
        holds=all(check.holds for check in found),
        parked=parked,
        parked_count=parked_count,
        lag=await consuming.lag_messages(),
        editions=editions,
    )
