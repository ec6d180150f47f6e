"""The tracker table over HTTP, for machines and for whoever takes it away."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from services.reporting.answers import Answering, Answers
from services.reporting.edition_query import DRAFT, EDITION_PARAMETERS, question_to, read_edition, refuse_clocks
from services.reporting.forms import JSON, PRINTED_CSV, TIDY_CSV, Form
from services.reporting.query import Asked, read_question
from services.reporting.schemas import TableOut
from shared.asked import described
from shared.errors import Forbidden, NotFound, Refused, TooMany, Unauthenticated, Unavailable
from shared.principal import Principal
from shared.web import EVERYONE, Caller, permits, problem_responses

router = APIRouter(prefix="/v1", tags=["tracker"])


class Layout(StrEnum):
    TIDY = "tidy"
    PRINTED = "printed"


_CSV_PARAMETERS: Final = {
    **EDITION_PARAMETERS,
    "layout": {
        "description": "'tidy': a row for each workstream, scope and year. 'printed': as in the Cabinet report.",
        "schema": {"type": "string", "enum": [*Layout], "default": Layout.TIDY},
    },
}
_NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "The caller has this version: its entity tag was in If-None-Match."}
}
_PROBLEMS: Final = problem_responses(Unauthenticated, Forbidden, NotFound, Refused, TooMany, Unavailable)


@router.get(
    "/tracker",
    response_model=TableOut,
    responses=_PROBLEMS | _NOT_MODIFIED,
    openapi_extra=described(EDITION_PARAMETERS),
    summary="The tracker table",
)
@permits(*EVERYONE)
async def tracker(request: Request, caller: Caller, answers: Answering) -> Response:
    """Numbers, the printed text of each cell and the entries behind it, notes, coverage and the arithmetic proof.

    Carries a strong entity tag; ask again with If-None-Match.
    """
    asked = Asked(request.query_params.multi_items(), EDITION_PARAMETERS)
    return await _answer(request, asked, caller, answers, JSON)


@router.get(
    "/tracker.csv",
    response_class=Response,
    responses={
        **_PROBLEMS,
        **_NOT_MODIFIED,
        200: {"description": "UTF-8, lines ending in LF.", "content": {"text/csv": {"schema": {"type": "string"}}}},
    },
    openapi_extra=described(_CSV_PARAMETERS),
    summary="The tracker table as CSV",
)
@permits(*EVERYONE)
async def tracker_csv(request: Request, caller: Caller, answers: Answering) -> Response:
    """Tidy (a row for each workstream, scope and year) or with the columns and text of the printed table."""
    asked = Asked(request.query_params.multi_items(), _CSV_PARAMETERS)
    layout = asked.one_of("layout", Layout) or Layout.TIDY
    return await _answer(request, asked, caller, answers, PRINTED_CSV if layout is Layout.PRINTED else TIDY_CSV)


async def _answer(request: Request, asked: Asked, caller: Principal, answers: Answers, form: Form) -> Response:
    """The draft's table, or that of the edition asked for."""
    edition = await read_edition(asked, "edition", answers.editions, otherwise=DRAFT)
    if edition is None:
        return await answers.answer(request, read_question(asked, caller, answers.partnership), form)
    refuse_clocks(asked)
    question = question_to(edition, asked, read_question(asked, caller, edition.partnership))
    return await answers.answer_edition(request, edition, question, form)
