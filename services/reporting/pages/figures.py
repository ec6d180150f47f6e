"""A figure as a page: what it is added up from, and every entry behind it, each with the return that stated it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request, Response

from services.reporting import history_store
from services.reporting.answers import Answering
from services.reporting.drawing import page_of
from services.reporting.history import histories
from services.reporting.pages.problems import Link, offer, offer_councils, workstream_of
from services.reporting.pages.viewing import View, asked_of, viewing
from services.reporting.query import Asked
from services.reporting.rows import Posted, Row
from shared.errors import NotFound
from shared.figures import PARTNERSHIP, Scope, Stream, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.money import Pence
from shared.partnership import Partnership, Workstream
from shared.web import EVERYONE, Caller, page, permits

router = APIRouter(include_in_schema=False)

#: The entries shown of one figure; a longer history is in the API, page by page.
ENTRIES_SHOWN: Final = 200

_OWN: Final = ("scope", "workstream", "year")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a figure is about; all workstreams, or all years, where there is none."""

    scope: Scope
    workstream: Workstream | None
    year: FinancialYear | None

    def includes(self, row: Row) -> bool:
        return row.scope == self.scope and self.workstream in (None, row.workstream)


@router.get("/figures")
@permits(*EVERYONE)
@page
async def figure(request: Request, caller: Caller, answers: Answering) -> Response:
    """A cell, a row or a total of the tracker, down to the returns."""
    asked = asked_of(request, _OWN)
    subject = _subject(request, asked, answers.partnership)
    if subject.scope != PARTNERSHIP:
        offer_councils(request, answers.partnership, caller)
    async with viewing(request, caller, answers, asked, subject.scope) as (view, connection):
        entries, entry_count = [], 0
        if subject.workstream is not None and subject.year is not None:
            stream = Stream(WorkstreamCode(subject.workstream.code), subject.scope)
            found, entry_count = await history_store.entries_of(
                connection, stream, subject.year, view.until, ENTRIES_SHOWN
            )
            entries = list(found)
    counting = _counting(view, subject)
    return page_of(
        request,
        "figure.jinja",
        section="/tracker",
        view=view,
        places=view.places,
        subject=subject,
        cell=_cell(view, subject),
        counting=counting,
        counted=view.question.selection.counted_pence,
        sum_pence=Pence(sum(view.question.selection.counted_pence(each) for each in counting)),
        in_the_table=_in_the_table(view, subject),
        histories=histories(entries, counting),
        entry_count=entry_count,
        shown=ENTRIES_SHOWN,
    )


def _subject(request: Request, asked: Asked, partnership: Partnership) -> Subject:
    scope = Scope(asked.text("scope") or PARTNERSHIP)
    offer(request, "What there is", [Link("The tracker, where every figure leads here", "/tracker")])
    if scope != PARTNERSHIP and scope not in partnership.council_by_gss:
        raise NotFound(f"{partnership.name} has no council {scope}.", "Choose a figure of the tracker.")
    code, written = asked.text("workstream"), asked.text("year")
    workstream = workstream_of(request, partnership, code) if code else None
    if not written:
        return Subject(scope, workstream, None)
    years = {str(year): year for year in partnership.years}
    if written not in years:
        links = [
            Link(name, f"/figures?scope={scope}&year={name}" + (f"&workstream={code}" if code else ""))
            for name in years
        ]
        offer(request, "What there is", links)
        raise NotFound(f"{written} is not a year of the table.", f"There are: {', '.join(years)}.")
    return Subject(scope, workstream, years[written])


def _cell(view: View, subject: Subject) -> object:
    """The cell of the table, where the subject is one."""
    if subject.workstream is None or subject.year is None:
        return None
    cells = (cell for row in view.table.rows if subject.includes(row) for cell in row.cells)
    return next((cell for cell in cells if cell.year == subject.year), None)


def _counting(view: View, subject: Subject) -> list[Posted]:
    return [
        each
        for row in view.table.rows
        if subject.includes(row)
        for cell in row.cells
        if subject.year in (None, cell.year)
        for each in cell.behind
    ]


def _in_the_table(view: View, subject: Subject) -> Pence:
    """The same sum as the table itself gives it: of a cell, of a row, or of the last rows."""
    if subject.workstream is not None:
        row = next(row for row in view.table.rows if subject.includes(row))
        if subject.year is None:
            return row.total.pence or Pence(0)
        return next(cell for cell in row.cells if cell.year == subject.year).in_year_pence or Pence(0)
    total = next(total for total in view.table.totals if total.scope == subject.scope)
    if subject.year is None:
        return total.total.pence or Pence(0)
    return next(year for year in total.years if year.year == subject.year).in_year_pence
