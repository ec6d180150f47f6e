"""The tracker table over HTTP, for machines and for whoever takes it away."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from services.reporting.answers import answers_of
from services.reporting.edition_query import DRAFT, EDITION_PARAMETERS, question_to, read_edition, refuse_clocks
from services.reporting.files import EXCEL, FRAGMENT, PDF, WORD
from services.reporting.forms import JSON, PRINTED_CSV, TIDY_CSV, Form
from services.reporting.query import Asked, read_question
from services.reporting.schemas import TableOut
from shared.asked import described
from shared.direct import direct
from shared.errors import Forbidden, NotFound, Refused, TooMany, Unauthenticated, Unavailable
from shared.web import EVERYONE, caller_of, permits, problem_responses

#: So many preferences of callers are remembered; there are few, and browsers' are long.
_REMEMBERED: Final = 200

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
@direct
async def tracker(request: Request) -> Response:
    """Numbers, the printed text of each cell and the entries behind it, notes, coverage and the arithmetic proof.

    Carries a strong entity tag; ask again with If-None-Match.
    """
    return await _answer(request, _preferred(request.headers.get("accept", "")))


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
async def tracker_csv(request: Request) -> Response:
    """Tidy (a row for each workstream, scope and year) or with the columns and text of the printed table."""
    asked = Asked(request.query_params.multi_items(), _CSV_PARAMETERS)
    layout = asked.one_of("layout", Layout) or Layout.TIDY
    return await _answer(request, PRINTED_CSV if layout is Layout.PRINTED else TIDY_CSV, asked)


def _add_file(form: Form, suffix: str, summary: str) -> None:
    """An address of its own for a form of the table that is taken away."""

    @router.get(
        f"/tracker.{suffix}",
        response_class=Response,
        name=f"tracker_{suffix}",
        operation_id=f"tracker_{suffix}",
        responses={
            **_PROBLEMS,
            **_NOT_MODIFIED,
            200: {"description": summary, "content": {form.media_type.split(";")[0]: {}}},
        },
        openapi_extra=described(EDITION_PARAMETERS),
        summary=summary,
    )
    @permits(*EVERYONE)
    async def take(request: Request) -> Response:
        """Drawn from the same table as every other form; of an edition, from what was published."""
        return await _answer(request, form)


_add_file(JSON, "json", "The tracker table as JSON")
_add_file(WORD, "docx", "The tracker table as a Word document: Appendices 1 and 2")
_add_file(EXCEL, "xlsx", "The tracker table as an Excel workbook with live sums")
_add_file(PDF, "pdf", "The tracker table as an accessible PDF (PDF/UA-1)")
_add_file(FRAGMENT, "html", "The tracker table as a piece of HTML to copy")

#: What /v1/tracker answers in, as its caller prefers; JSON where nothing is said.
_BY_MEDIA_TYPE: Final = {form.media_type.split(";")[0]: form for form in (JSON, TIDY_CSV, WORD, EXCEL, PDF)}


@lru_cache(_REMEMBERED)
def _preferred(accepted: str) -> Form:
    best = parse_accept_header(accepted, MIMEAccept).best_match(list(_BY_MEDIA_TYPE), default="application/json")
    return _BY_MEDIA_TYPE[best or "application/json"]


async def _answer(request: Request, form: Form, asked: Asked | None = None) -> Response:
    """The draft's table, or that of the edition asked for."""
    answers, caller = answers_of(request), caller_of(request)
    if asked is None:
        question = answers.question(request.scope["query_string"].decode("latin-1"), caller)
        if question is not None:
            return await answers.answer(request, question, form)
        asked = Asked(request.query_params.multi_items(), EDITION_PARAMETERS)
    edition = await read_edition(asked, "edition", answers.editions, otherwise=DRAFT)
    if edition is None:
        return await answers.answer(request, read_question(asked, caller, answers.partnership), form)
    refuse_clocks(asked)
    question = question_to(edition, asked, read_question(asked, caller, edition.partnership))
    return await answers.answer_edition(request, edition, question, form)
