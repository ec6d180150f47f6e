"""The tracker as a page: the table as it is printed, its charts, its words, and what stands under it."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.reporting.answers import Answering, Answers
from services.reporting.drawing import MEDIA_TYPE, PAGE_HEADERS, draw, page_of
from services.reporting.edition import Edition
from services.reporting.edition_query import EDITION_PARAMETERS
from services.reporting.exports.pictures import draw_chart
from services.reporting.forms import Form
from services.reporting.notes import written_day
from services.reporting.pages.choices import form_of
from services.reporting.pages.problems import Link, offer
from services.reporting.pages.viewing import asked_of, read_view
from services.reporting.places import Places
from services.reporting.report import Report
from services.reporting.signing_in import HOME
from services.reporting.table import Question
from shared.clock import end_of_local_day, local_day, local_time
from shared.errors import NotFound, Refused
from shared.web import EVERYONE, Caller, page, permits, public

router = APIRouter(include_in_schema=False)

_CHARTS: Final = ("cumulative-by-workstream", "council-shares", "by-basis")


@router.get("/")
@public
@page
async def home() -> Response:
    return RedirectResponse(HOME, status_code=303)


@router.get("/tracker")
@permits(*EVERYONE)
@page
async def tracker(request: Request, caller: Caller, answers: Answering) -> Response:
    """The draft or an edition; a mistake in the form is shown beside the form."""
    asked = asked_of(request)
    editions = await answers.editions.all()
    try:
        question, edition = await read_view(request, asked, caller, answers)
    except Refused as refused:
        values = {name: request.query_params.get(name, "") for name in EDITION_PARAMETERS}
        form = form_of(answers.partnership, caller, editions, values, refused.faults)
        return page_of(request, "tracker.jinja", status=refused.status, section="/tracker", table=None, form=form)

    before = await answers.editions.last_before(edition.number if edition else len(editions) + 1, question)
    places = Places.of(question, edition.number if edition else None, before.number if before else None)
    values = {"edition": "draft", **places.values}
    partnership = edition.partnership if edition is not None else answers.partnership

    def write(report: Report) -> bytes:
        return draw(
            "tracker.jinja",
            partnership=partnership,
            principal=caller,
            section="/tracker",
            table=report.table,
            version=report.ledger_version,
            edition=edition,
            when=when_of(question) if edition is None else f"as at {written_day(edition.as_at)}",
            form=form_of(partnership, caller, editions, values),
            places=places,
            charts=report.charts,
            address_of_picture=lambda picture: places.chart(picture.name),
            narrative=report.narrative,
        )

    # The page names its reader and offers the councils that the reader may see: it is that reader's own.
    name = f"page for {caller.name}, {caller.role}, {caller.council}, {len(editions)} editions"
    drawn = Form(name, MEDIA_TYPE, write, headers=PAGE_HEADERS, tells_what_moved=True)
    return await _answer(request, answers, question, edition, drawn)


@router.get("/tracker/charts/{name}")
@permits(*EVERYONE)
@page
async def chart(name: str, request: Request, caller: Caller, answers: Answering) -> Response:
    """A chart of the table that the same query asks for."""
    offer(request, "What there is", [Link("The tracker, with its charts", "/tracker")])
    if name not in _CHARTS:
        raise NotFound(f"There is no chart {name}.", f"There are: {', '.join(_CHARTS)}.")
    asked = asked_of(request)
    question, edition = await read_view(request, asked, caller, answers)

    def write(report: Report) -> bytes:
        for each in report.charts:
            if each.name == name:
                return draw_chart(each).svg
        raise NotFound(f"Nothing has been stated that the chart {name} could show.", "See the table instead.")

    return await _answer(request, answers, question, edition, Form(name, "image/svg+xml", write, is_drawn_aside=True))


async def _answer(
    request: Request, answers: Answers, question: Question, edition: Edition | None, form: Form
) -> Response:
    if edition is None:
        return await answers.answer(request, question, form)
    return await answers.answer_edition(request, edition, question, form)


def when_of(question: Question) -> str:
    """By which clocks the table stands: ``as at 7 December 2011, as known at the end of 26 January 2012``."""
    parts = []
    if question.as_at is not None:
        parts.append(f"as at {written_day(question.as_at)}")
    if question.known_at is not None:
        day = local_day(question.known_at)
        if question.known_at == end_of_local_day(day):
            parts.append(f"as known at the end of {written_day(day)}")
        else:
            parts.append(f"as known at {local_time(question.known_at):%H:%M:%S} on {written_day(day)}")
    return ", ".join(parts)
