"""Rounds as pages: who was to report by when, and who has. Told to all; there are no amounts in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response

from services.reporting.answers import Answering
from services.reporting.drawing import page_of
from services.reporting.pages.problems import Link, offer
from services.reporting.rounds import Presence, RoundCoverage, StreamCoverage, open_round
from shared.errors import NotFound
from shared.figures import PARTNERSHIP, Scope
from shared.web import EVERYONE, page, permits

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
async def rounds(request: Request, answers: Answering) -> Response:
    found = await answers.rounds.all()
    coverages = [await answers.rounds.coverage(each.number) for each in reversed(found)]
    return page_of(
        request,
        "rounds.jinja",
        section="/rounds",
        coverages=coverages,
        current=open_round(found, answers.now()),
        presences=PRESENCES,
    )


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
    )


def _cells(coverage: RoundCoverage) -> Mapping[tuple[Scope, str], StreamCoverage]:
    return {(each.stream.scope, str(each.stream.workstream)): each for each in coverage.streams}
