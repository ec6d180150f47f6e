"""A workstream as a page: what it is for, what it comes to by year, basis and initiative, and its returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request, Response

from services.reporting import history_store
from services.reporting.answers import Answering
from services.reporting.charts import Chart, figures_by_basis, savings_by_basis
from services.reporting.drawing import page_of
from services.reporting.exports.pictures import draw_chart
from services.reporting.pages.problems import workstream_of
from services.reporting.pages.viewing import View, asked_of, viewing
from services.reporting.rows import Row
from shared.errors import NotFound
from shared.figures import PARTNERSHIP, Stream, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.money import Pence
from shared.partnership import Workstream
from shared.web import EVERYONE, Caller, page, permits

router = APIRouter(include_in_schema=False)

#: The returns shown of a workstream, or of a council; the API has all of them.
RETURNS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class InitiativeRow:
    """What an initiative adds to the workstream's figure in each year; ``None`` where nothing that counts is stated.

    Without a name: what is stated of the workstream as a whole.
    """

    name: str
    years: tuple[Pence | None, ...]

    @property
    def total_pence(self) -> Pence | None:
        stated = [pence for pence in self.years if pence is not None]
        return Pence(sum(stated)) if stated else None


@router.get("/workstreams")
@permits(*EVERYONE)
@page
async def workstreams(request: Request, caller: Caller, answers: Answering) -> Response:
    async with viewing(request, caller, answers, asked_of(request)) as (view, _):
        pass
    return page_of(request, "workstreams.jinja", section="/workstreams", view=view, places=view.places)


@router.get("/workstreams/{code}")
@permits(*EVERYONE)
@page
async def workstream(code: str, request: Request, caller: Caller, answers: Answering) -> Response:
    found = workstream_of(request, answers.partnership, code)
    async with viewing(request, caller, answers, asked_of(request)) as (view, connection):
        home = view.table.home
        scopes = [PARTNERSHIP, *([home.scope] if home else [])]
        streams = [Stream(WorkstreamCode(code), scope) for scope in scopes]
        told, return_count = await history_store.returns_of(connection, streams, view.until, RETURNS_SHOWN)
    rows = [row for row in view.table.rows if row.workstream.code == code]
    return page_of(
        request,
        "workstream.jinja",
        section="/workstreams",
        view=view,
        places=view.places,
        workstream=found,
        rows=rows,
        part=next(each for each in view.table.proof.apportionments if each.workstream and each.workstream.code == code),
        told=next((each for each in view.table.narratives if each.workstream.code == code), None),
        initiatives=initiative_rows(found, rows[0], view) if rows else [],
        chart=_chart(view, found),
        address_of_picture=lambda _: view.places.at(f"/workstreams/{code}/chart.svg"),
        returns=told,
        return_count=return_count,
    )


@router.get("/workstreams/{code}/chart.svg")
@permits(*EVERYONE)
@page
async def chart(code: str, request: Request, caller: Caller, answers: Answering) -> Response:
    found = workstream_of(request, answers.partnership, code)
    async with viewing(request, caller, answers, asked_of(request)) as (view, _):
        drawn = _chart(view, found)
    if drawn is None:
        raise NotFound(f"No figure of {found.name} has been stated that a chart could show.", "See its page instead.")
    svg = await answers.aside(lambda: draw_chart(drawn).svg)
    return Response(svg, media_type="image/svg+xml", headers={"Cache-Control": "private, no-cache"})


def initiative_rows(workstream: Workstream, row: Row, view: View) -> Sequence[InitiativeRow]:
    """The row's figures by initiative: the whole first, then as the partnership's file names them, then any others."""
    by_name: dict[str, dict[FinancialYear, Pence]] = {}
    for cell in row.cells:
        for each in cell.behind:
            of_name = by_name.setdefault(each.account.initiative, {})
            if each.figure.is_stated:
                counted = view.question.selection.counted_pence(each)
                of_name[cell.year] = Pence(of_name.get(cell.year, 0) + counted)
    names = dict.fromkeys(["", *workstream.initiatives, *sorted(by_name)])
    return [
        InitiativeRow(name, tuple(by_name.get(name, {}).get(cell.year) for cell in row.cells))
        for name in names
        if name or name in by_name
    ]


def _chart(view: View, workstream: Workstream) -> Chart | None:
    mine = [each for each in view.state.posted if each.account.workstream == workstream.code]
    return savings_by_basis(view.table, figures_by_basis(view.table, mine, PARTNERSHIP), workstream.name)
