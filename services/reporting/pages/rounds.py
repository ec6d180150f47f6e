"""Rounds as pages: who was to report by when, and who has; and opening the next. There are no amounts in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.reporting.answers import Answering, Answers
from services.reporting.drawing import page_of
from services.reporting.making_rounds import Proposal
from services.reporting.pages.problems import Link, offer
from services.reporting.pages.round_form import Entered, entered, problem_of, proposed, read_proposal
from services.reporting.rounds import Presence, Round, RoundCoverage, StreamCoverage, open_round
from services.reporting.sent_forms import read_form, token_for
from services.reporting.signing_in import Door, TheDoor
from shared.clock import local_day
from shared.errors import Conflict, NotFound
from shared.figures import PARTNERSHIP, Scope
from shared.principal import Principal, Role
from shared.web import EVERYONE, Caller, page, permits

router = APIRouter(include_in_schema=False)

#: What each presence is called, and the colour of its tag; the word says it all.
PRESENCES: Final[Mapping[Presence, tuple[str, str]]] = {
    Presence.ON_TIME: ("Received", "green"),
    Presence.LATE: ("Late", "yellow"),
    Presence.CARRIED_FORWARD: ("Carried forward", "blue"),
    Presence.MISSING: ("Missing", "red"),
}
_LARGEST: Final = 10**9


@router.get("/rounds")
@permits(*EVERYONE)
@page
async def rounds(request: Request, caller: Caller, answers: Answering) -> Response:
    found = await answers.rounds.all()
    coverages = [await answers.rounds.coverage(each.number) for each in reversed(found)]
    return page_of(
        request,
        "rounds.jinja",
        section="/rounds",
        coverages=coverages,
        current=open_round(found, answers.now()),
        presences=PRESENCES,
        may_open=caller.role is Role.OFFICE,
    )


@router.get("/rounds/new")
@permits(Role.OFFICE)
@page
async def new(request: Request, caller: Caller, answers: Answering, door: TheDoor) -> Response:
    return _form(request, caller, answers, door, proposed(answers.partnership, local_day(answers.now())))


@router.post("/rounds/new")
@permits(Role.OFFICE)
@page
async def make(request: Request, caller: Caller, answers: Answering, door: TheDoor) -> Response:
    """Open a round, and lead to it; or show the form again with all that stands in the way.

    A form sent twice, as an impatient finger does, opens one round.
    """
    form = await read_form(request, door.require_signer(), caller)
    asked = read_proposal(form, answers.partnership)
    if isinstance(asked, list):
        return _form(request, caller, answers, door, entered(form, asked), status=422)
    try:
        made = await answers.rounds.make(asked, caller)
    except Conflict as error:
        there = next(each for each in await answers.rounds.all() if each.name == asked.name)
        if not _is_the_same(asked, there):
            return _form(request, caller, answers, door, entered(form, [problem_of(error)]), status=error.status)
        made = there
    return RedirectResponse(f"/rounds/{made.number}?opened=true", status_code=303)


@router.get("/rounds/{number}")
@permits(*EVERYONE)
@page
async def round_(number: str, request: Request, answers: Answering) -> Response:
    found = await answers.rounds.all()
    offer(request, "What there is", [Link(each.name, f"/rounds/{each.number}") for each in found])
    if not (number.isascii() and number.isdecimal() and int(number[:12]) < _LARGEST):
        raise NotFound(f"There is no round {number[:40]}.", "Rounds are numbered from 1.")
    coverage = await answers.rounds.coverage(int(number))
    return page_of(
        request,
        "round.jinja",
        section="/rounds",
        coverage=coverage,
        cells=_cells(coverage),
        scopes=[PARTNERSHIP, *(council.scope for council in answers.partnership.councils)],
        presences=PRESENCES,
        is_new=request.query_params.get("opened") == "true",
    )


def _form(
    request: Request, caller: Principal, answers: Answers, door: Door, form: Entered, status: int = 200
) -> Response:
    return page_of(
        request,
        "open_round.jinja",
        status=status,
        section="/rounds",
        form=form,
        token=token_for(door.require_signer(), caller),
    )


def _is_the_same(asked: Proposal, there: Round) -> bool:
    days = (there.opens, there.due, there.closes)
    return (asked.opens, asked.due, asked.closes) == days and set(asked.expected or ()) == set(there.expected)


def _cells(coverage: RoundCoverage) -> Mapping[tuple[Scope, str], StreamCoverage]:
    return {(each.stream.scope, str(each.stream.workstream)): each for each in coverage.streams}
