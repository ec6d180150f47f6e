"""A council as a page: its ledger, its share of each workstream, and what it has stated. For those who may see it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from services.reporting import history_store
from services.reporting.answers import Answering
from services.reporting.charts import council_shares
from services.reporting.drawing import page_of
from services.reporting.pages.problems import offer_councils
from services.reporting.pages.viewing import View, asked_of, viewing
from services.reporting.pages.workstreams import RETURNS_SHOWN
from services.reporting.proof import Apportionment
from services.reporting.rows import Row
from shared.errors import NotFound
from shared.figures import Scope, Stream, WorkstreamCode
from shared.partnership import Council
from shared.web import EVERYONE, Caller, page, permits

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Share:
    """A council's share of a workstream beside the whole of it, and what of that no council, or too many, claim."""

    row: Row
    whole: Row
    part: Apportionment


@router.get("/councils")
@permits(*EVERYONE)
@page
async def councils(request: Request, caller: Caller, answers: Answering) -> Response:
    async with viewing(request, caller, answers, asked_of(request)) as (view, _):
        pass
    return page_of(
        request,
        "councils.jinja",
        section="/councils",
        view=view,
        places=view.places,
        sharing={council.gss for council in view.table.coverage.councils_with_shares},
        visible={council.gss for council in view.partnership.councils if caller.may_see(council.scope)},
    )


@router.get("/councils/{gss}")
@permits(*EVERYONE)
@page
async def council(gss: str, request: Request, caller: Caller, answers: Answering) -> Response:
    offer_councils(request, answers.partnership, caller)
    found = answers.partnership.council_by_gss.get(gss)
    if found is None:
        raise NotFound(f"{answers.partnership.name} has no council {gss}.", "Choose one of those below.")
    async with viewing(request, caller, answers, asked_of(request), found.scope) as (view, connection):
        streams = [Stream(WorkstreamCode(each.code), found.scope) for each in view.partnership.workstreams]
        told, return_count = await history_store.returns_of(connection, streams, view.until, RETURNS_SHOWN)
    return page_of(
        request,
        "council.jinja",
        section="/councils",
        view=view,
        places=view.places,
        council=found,
        leads=[view.partnership.workstream_by_code[code] for code in view.partnership.led_by(gss)],
        shares=_shares(view, found),
        all_parts=next(part for part in view.table.proof.apportionments if part.workstream is None),
        total=next(total for total in view.table.totals if total.scope == found.scope),
        whole=view.table.totals[0],
        chart=council_shares(view.table),
        address_of_picture=lambda picture: view.places.at(f"/tracker/charts/{picture.name}", council=gss),
        returns=told,
        return_count=return_count,
    )


def _shares(view: View, council: Council) -> list[Share]:
    parts = {part.workstream.code: part for part in view.table.proof.apportionments if part.workstream is not None}
    rows = {(row.workstream.code, row.scope): row for row in view.table.rows}
    return [
        Share(rows[code, Scope(council.gss)], next(row for row in view.table.rows_of(workstream)), parts[code])
        for workstream in view.partnership.workstreams
        for code in [workstream.code]
    ]
