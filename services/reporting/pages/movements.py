"""What changed, as a page: from an edition to another or to the draft, by row, by why, and proved to add up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request, Response

from services.reporting.answers import Answering, Answers
from services.reporting.changes import KINDS
from services.reporting.drawing import page_of
from services.reporting.edition import Edition
from services.reporting.edition_query import DRAFT, LATEST, MOVEMENT_PARAMETERS, read_edition
from services.reporting.movement import Movements, movements_between
from services.reporting.pages.choices import edition_items, form_of
from services.reporting.pages.problems import offer_editions
from services.reporting.places import Places, selection_values
from services.reporting.query import NO_COUNCIL, Asked, read_question
from services.reporting.table import Question
from shared.errors import Fault, NotFound, Refused
from shared.principal import Principal
from shared.web import EVERYONE, Caller, page, permits

router = APIRouter(include_in_schema=False)


@router.get("/movements")
@permits(*EVERYONE)
@page
async def movements(request: Request, caller: Caller, answers: Answering) -> Response:
    """A mistake in the form is shown beside the form; before the first edition there is nothing to compare."""
    editions = await answers.editions.all()
    given = {name: request.query_params.get(name, "") for name in MOVEMENT_PARAMETERS}
    form = _form(answers, caller, given)
    form["choices"] |= {"from": edition_items(editions, with_draft=False), "to": edition_items(editions)}
    if not editions:
        return page_of(request, "movements.jinja", section="/movements", form=form, since=None, editions=editions)
    try:
        question, start, end = await _read(request, caller, answers)
    except Refused as refused:
        drawn = _form(answers, caller, given, refused)
        drawn["choices"] = form["choices"]
        return page_of(
            request,
            "movements.jinja",
            status=refused.status,
            section="/movements",
            form=drawn,
            since=None,
            editions=editions,
        )
    form["values"] = {
        "from": str(start.number),
        "to": str(end.number) if end else DRAFT,
        "council": question.home or NO_COUNCIL,
        **selection_values(question.selection),
    }
    return page_of(
        request,
        "movements.jinja",
        section="/movements",
        form=form,
        editions=editions,
        since=await _between(answers, start, end, question),
        start=start,
        end=end,
        question=question,
        kinds=KINDS,
        old_places=Places.of(question, start.number),
        places=Places.of(question, end.number if end else None),
    )


async def _read(request: Request, caller: Principal, answers: Answers) -> tuple[Question, Edition, Edition | None]:
    asked = Asked(request.query_params.multi_items(), MOVEMENT_PARAMETERS)
    try:
        start = await read_edition(asked, "from", answers.editions, otherwise=LATEST)
        end = await read_edition(asked, "to", answers.editions, otherwise=DRAFT)
    except NotFound:
        offer_editions(request, await answers.editions.all())
        raise
    question = read_question(asked, caller, answers.partnership)
    if start is None:
        detail = "A movement starts from an edition: the draft is where it may lead to."
        raise Refused(detail, [Fault("/query/from", "not-an-edition", detail, "Choose an edition.", DRAFT)])
    return question, start, end


async def _between(answers: Answers, start: Edition, end: Edition | None, question: Question) -> Movements:
    before = await answers.editions.state(start, question.home, question.selection)
    after = await answers.editions.state(end, question.home, question.selection)
    return await asyncio.to_thread(movements_between, before, after)


def _form(
    answers: Answers, caller: Principal, values: Mapping[str, str], refused: Refused | None = None
) -> dict[str, Any]:
    return dict(form_of(answers.partnership, caller, (), values, refused.faults if refused else ()))
