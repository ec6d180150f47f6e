"""The tracker as a page, and what a reader sees where a page cannot be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from services.reporting.answers import Answering
from services.reporting.drawing import MEDIA_TYPE, PAGE_HEADERS, draw, page_of
from services.reporting.forms import Form
from services.reporting.notes import written_day
from services.reporting.query import NO_COUNCIL, PARAMETERS, Asked, read_question
from services.reporting.report import Report
from services.reporting.signing_in import HOME
from services.reporting.table import Question
from shared.best import BasisChoice, FlowChoice
from shared.clock import end_of_local_day, local_day, local_time, moment_text
from shared.errors import Fault, Refused
from shared.figures import Benefit, Recurrence
from shared.partnership import Council, Partnership
from shared.principal import Principal
from shared.web import EVERYONE, Caller, page, permits, public

router = APIRouter(include_in_schema=False)

#: What may be chosen in the form, in words; the first of each is what stands where nothing is asked for.
CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "basis": {
        BasisChoice.BEST: "Best: actual, else forecast, else estimate",
        BasisChoice.ACTUAL: "Actuals only",
        BasisChoice.FORECAST: "Forecasts only",
        BasisChoice.ESTIMATE: "Estimates only",
    },
    "benefit": {
        "": "Every kind",
        Benefit.CASH_RELEASING: "Cash-releasing",
        Benefit.NON_CASH_RELEASING: "Non-cash-releasing",
        Benefit.AVOIDED_COST: "Avoided cost",
    },
    "recurrence": {"": "Both", Recurrence.RECURRING: "Recurring", Recurrence.ONE_OFF: "One-off"},
    "flow": {
        FlowChoice.SAVING: "Savings",
        FlowChoice.COST: "Costs of getting them",
        FlowChoice.NET: "Net: savings minus costs",
    },
}


@router.get("/")
@public
@page
async def home() -> Response:
    return RedirectResponse(HOME, status_code=303)


@router.get("/tracker")
@permits(*EVERYONE)
@page
async def tracker(request: Request, caller: Caller, answers: Answering) -> Response:
    """The table as it is printed, with what stands under it; a mistake in the form is shown beside the form."""
    asked = Asked(request.query_params.multi_items(), PARAMETERS)
    try:
        question = read_question(asked, caller, answers.partnership)
    except Refused as refused:
        values = {name: request.query_params.get(name, "") for name in PARAMETERS}
        form = _form(answers.partnership, caller, values, refused.faults)
        return page_of(request, "tracker.jinja", status=refused.status, table=None, form=form)

    def write(report: Report) -> bytes:
        values = values_of(question)
        return draw(
            "tracker.jinja",
            partnership=answers.partnership,
            principal=caller,
            table=report.table,
            version=report.ledger_version,
            when=when_of(question),
            form=_form(answers.partnership, caller, values, ()),
            query=urlencode({name: value for name, value in values.items() if value}),
        )

    # The page names its reader and offers the councils that the reader may see: it is that reader's own.
    name = f"page for {caller.name}, {caller.role}, {caller.council}"
    return await answers.answer(request, question, Form(name, MEDIA_TYPE, write, headers=PAGE_HEADERS))


def draw_problem(request: Request, problem: Mapping[str, Any], answer: JSONResponse) -> Response:
    """A problem as a page. Without a session it leads to the sign-in page, and back here afterwards."""
    if problem["status"] == 401:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(here, safe='')}", status_code=303)
    drawn = page_of(
        request,
        "problem.jinja",
        status=answer.status_code,
        problem=problem,
        request_id=getattr(request.state, "request_id", ""),
    )
    if "retry-after" in answer.headers:
        drawn.headers["Retry-After"] = answer.headers["retry-after"]
    return drawn


def values_of(question: Question) -> Mapping[str, str]:
    """A question as the parameters of an address."""
    selection, known_at = question.selection, question.known_at
    known = ""
    if known_at is not None:
        day = local_day(known_at)
        known = day.isoformat() if known_at == end_of_local_day(day) else moment_text(known_at)
    return {
        "council": question.home or NO_COUNCIL,
        "as_at": question.as_at.isoformat() if question.as_at else "",
        "known_at": known,
        "basis": selection.basis,
        "benefit": selection.benefit or "",
        "recurrence": selection.recurrence or "",
        "flow": selection.flow,
    }


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


def _form(
    partnership: Partnership, caller: Principal, values: Mapping[str, str], faults: Sequence[Fault]
) -> Mapping[str, Any]:
    councils: Sequence[Council] = [each for each in partnership.councils if caller.may_see(each.scope)]
    return {
        "values": values,
        "councils": [{"value": NO_COUNCIL, "text": f"None: {partnership.name} alone"}]
        + [{"value": each.gss, "text": each.name} for each in councils],
        "choices": {
            name: [{"value": str(value), "text": words} for value, words in choices.items()]
            for name, choices in CHOICES.items()
        },
        "errors": {fault.pointer.rpartition("/")[2]: _in_words(fault) for fault in faults},
        "narrowed": any(
            values[name] not in ("", next(iter(CHOICES[name]))) for name in ("benefit", "recurrence", "flow")
        ),
    }


def _in_words(fault: Fault) -> str:
    return f"{fault.detail} {fault.fix}"
