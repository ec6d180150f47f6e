"""Editions as pages: those published, one of them with all that vouches for it, and publishing the next."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.reporting.answers import Answering, Answers
from services.reporting.drawing import page_of
from services.reporting.edition_query import homes_meant, question_to
from services.reporting.footnotes import footnote
from services.reporting.pages.choices import council_items
from services.reporting.pages.problems import Link, offer
from services.reporting.pages.publication_form import Entered, all_chosen, entered, problems_of, read_publication
from services.reporting.places import Places
from services.reporting.query import PARAMETERS, Asked, read_question
from services.reporting.sent_forms import read_form, token_for
from services.reporting.signing_in import Door, TheDoor
from services.reporting.table import Question
from shared.errors import Conflict, NotFound, Refused
from shared.principal import Principal, Role
from shared.web import EVERYONE, Caller, page, permits

router = APIRouter(include_in_schema=False)

_ONE: Final = {"council": PARAMETERS["council"], "prove": {}, "published": {}}
_LARGEST: Final = 10**9
_PUBLISHERS: Final = (Role.OFFICE, Role.AUTHOR)


@router.get("/editions")
@permits(*EVERYONE)
@page
async def editions(request: Request, caller: Caller, answers: Answering) -> Response:
    found = await answers.editions.all()
    return page_of(
        request,
        "editions.jinja",
        section="/editions",
        editions=list(reversed(found)),
        may_publish=caller.role in _PUBLISHERS,
    )


@router.get("/editions/new")
@permits(*_PUBLISHERS)
@page
async def new(request: Request, caller: Caller, answers: Answering, door: TheDoor) -> Response:
    return await _form(request, caller, answers, door, all_chosen(answers.partnership))


@router.post("/editions/new")
@permits(*_PUBLISHERS)
@page
async def publish(request: Request, caller: Caller, answers: Answering, door: TheDoor) -> Response:
    """Publish, and lead to the edition; or show the form again with all that stands in the way.

    A form sent twice, as an impatient finger does, publishes once.
    """
    form = await read_form(request, door.require_signer(), caller)
    asked = read_publication(form, answers.partnership)
    if not isinstance(asked, list):
        try:
            edition, _ = await answers.editions.publish(asked, caller, f"form {form.key}")
        except (Refused, Conflict) as error:
            drawn = entered(form, problems_of(error))
            return await _form(request, caller, answers, door, drawn, status=error.status)
        return RedirectResponse(f"/editions/{edition.number}?published=true", status_code=303)
    return await _form(request, caller, answers, door, entered(form, asked), status=422)


@router.get("/editions/{number}")
@permits(*EVERYONE)
@page
async def edition(number: str, request: Request, caller: Caller, answers: Answering) -> Response:
    """One edition; with ``prove`` it is built again from the history, which takes a moment."""
    there = await answers.editions.all()
    offer(request, "What there is", [Link(each.name, f"/editions/{each.number}") for each in there])
    if not (number.isascii() and number.isdecimal() and int(number[:12]) < _LARGEST):
        raise NotFound(f"There is no edition {number[:40]}.", "Editions are numbered from 1.")
    found = await answers.editions.get(int(number))
    asked = Asked(request.query_params.multi_items(), _ONE)
    is_proved, is_new = asked.flag("prove"), asked.flag("published")
    question = question_to(found, asked, read_question(asked, caller, found.partnership))
    corrections = await answers.editions.corrections(found, homes_meant(found, asked, caller, question))
    visible = council_items(found.partnership, caller)
    return page_of(
        request,
        "edition.jinja",
        section="/editions",
        edition=found,
        before=next((each for each in reversed(there) if each.number < found.number), None),
        home=found.partnership.council_by_gss[question.home] if question.home else None,
        homes=[item for item in visible if item["value"] in (*found.councils, "none")],
        places=Places.of(question, found.number),
        corrections=corrections.cells,
        footnote=footnote(found.title, corrections.cells),
        rebuilt=await answers.editions.rebuilt(found) if is_proved else None,
        is_new=is_new,
    )


async def _form(
    request: Request, caller: Principal, answers: Answers, door: Door, form: Entered, status: int = 200
) -> Response:
    figures = await answers.figures(Question())
    # An author publishes for its own council alone, so there is nothing to choose.
    only_for = answers.partnership.council_by_gss.get(caller.council or "") if caller.role is Role.AUTHOR else None
    return page_of(
        request,
        "publish.jinja",
        status=status,
        section="/editions",
        form=form,
        only_for=only_for,
        token=token_for(door.require_signer(), caller),
        table=await asyncio.to_thread(figures.table, Question()),
        return_count=figures.version.number,
    )
