"""The tracker table over HTTP, for machines and for whoever takes it away."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from services.reporting.answers import answers_of
from services.reporting.edition_query import DRAFT, EDITION_PARAMETERS, question_to, read_edition, refuse_clocks
from services.reporting.exports.csvw import MEDIA_TYPE as CSVW
from services.reporting.exports.csvw import csvw_metadata
from services.reporting.files import EXCEL, FRAGMENT, PDF, WORD
from services.reporting.forms import JSON, PRINTED_CSV, TIDY_CSV, Form
from services.reporting.negotiation import SIDECAR, no_such_form, preferred
from services.reporting.query import Asked, read_question
from services.reporting.schemas import TableOut
from shared.asked import described
from shared.direct import direct
from shared.errors import Forbidden, NotAcceptable, NotFound, Refused, TooMany, Unauthenticated, Unavailable
from shared.web import EVERYONE, caller_of, permits, problem_responses

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


@router.head("/tracker", include_in_schema=False)
@router.get(
    "/tracker",
    response_model=TableOut,
    responses=_PROBLEMS | problem_responses(NotAcceptable) | _NOT_MODIFIED,
    openapi_extra=described(EDITION_PARAMETERS),
    summary="The tracker table",
)
@permits(*EVERYONE)
@direct
async def tracker(request: Request) -> Response:
    """Numbers, the printed text of each cell and the entries behind it, notes, coverage and the arithmetic proof.

    Carries a strong entity tag; ask again with If-None-Match.
    """
    return await _answer(request, preferred(request.headers.get("accept", "")))


@router.head("/tracker.csv", include_in_schema=False)
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
    if layout is Layout.PRINTED:
        return await _answer(request, PRINTED_CSV, asked)
    # How a reader of CSV finds out what it means (W3C, Model for Tabular Data and Metadata on the Web, 5.2).
    link = f'<tracker.{SIDECAR}{_query_of(request)}>; rel="describedby"; type="{CSVW}"'
    return await _answer(request, replace(TIDY_CSV, headers={"Link": link}), asked)


@router.head(f"/tracker.{SIDECAR}", include_in_schema=False)
@router.get(
    f"/tracker.{SIDECAR}",
    response_class=Response,
    responses={**_PROBLEMS, **_NOT_MODIFIED, 200: {"description": "CSV on the Web (W3C).", "content": {CSVW: {}}}},
    openapi_extra=described(_CSV_PARAMETERS),
    summary="What the columns of the tidy CSV mean, for machines",
)
@permits(*EVERYONE)
async def tracker_csv_metadata(request: Request) -> Response:
    """The sidecar of ``/v1/tracker.csv`` with the same parameters."""
    asked = Asked(request.query_params.multi_items(), _CSV_PARAMETERS)
    if asked.one_of("layout", Layout) is Layout.PRINTED:
        asked.fault(
            "layout",
            "not-described",
            "The printed layout is for people, and no sidecar describes it.",
            Layout.PRINTED,
            [Layout.TIDY],
            "Leave the layout out.",
        )
    query = _query_of(request)
    sidecar = Form(
        f"csvw for {query}",
        CSVW,
        lambda report: csvw_metadata(report.table, "tracker.csv", report.imprint, query.removeprefix("?")),
    )
    return await _answer(request, sidecar, asked)


def _add_file(form: Form, suffix: str, summary: str) -> None:
    """An address of its own for a form of the table that is taken away."""

    @router.head(f"/tracker.{suffix}", include_in_schema=False)
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


@router.head("/tracker.{suffix}", include_in_schema=False)
@router.get("/tracker.{suffix}", include_in_schema=False)
@permits(*EVERYONE)
async def other_ends(suffix: str) -> Response:
    """An address that ends like none of those above."""
    raise no_such_form(suffix)


def _query_of(request: Request) -> str:
    """The query of this very request, with its question mark: a sidecar names the file as it was asked for."""
    query = urlencode(request.query_params.multi_items())
    return f"?{query}" if query else ""


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
