"""The tracker over HTTP: the ledgers, the entries behind them, the checks, and what a return would change."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, TypeAdapter, ValidationError

from services.tracker.answering import Answers, stream_of
from services.tracker.proving import Proving
from services.tracker.query import (
    CHECKS_PARAMETERS,
    ENTRIES_PARAMETERS,
    LEDGER_PARAMETERS,
    council_scope,
    read_entries_question,
    read_ledger_question,
)
from services.tracker.reading import Place
from services.tracker.schemas import ChecksOut, EntriesOut, LedgerOut, PreviewIn, PreviewOut, PreviewsIn
from shared.asked import Asked, described
from shared.errors import Fault, Forbidden, NotFound, Refused, TooLarge, TooMany, Unauthenticated
from shared.figures import PARTNERSHIP, Scope
from shared.principal import Role
from shared.web import (
    EVERYONE,
    READERS_OF_ALL,
    Caller,
    conditional_headers,
    etag_of,
    not_modified,
    permits,
    problem_responses,
    read_body,
)

PREVIEW_LIMIT_BYTES: Final = 1_000_000

_NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "The caller has this version: its entity tag was in If-None-Match."}
}
_READING: Final = problem_responses(Unauthenticated, Forbidden, Refused, TooMany) | _NOT_MODIFIED
_READING_ONE: Final = _READING | problem_responses(NotFound)

_PREVIEWS: Final[TypeAdapter[list[PreviewIn]]] = TypeAdapter(PreviewsIn)
_PREVIEWS_OUT: Final = TypeAdapter(list[PreviewOut])

router = APIRouter(prefix="/v1", tags=["ledgers"])


# What a route needs of the service. Plain functions would each be run in a thread of their own.
async def _answers(request: Request) -> Answers:
    answers: Answers = request.app.state.tracker.answers
    return answers


async def _proving(request: Request) -> Proving:
    proving: Proving = request.app.state.tracker.proving
    return proving


Answering = Annotated[Answers, Depends(_answers)]
Proofs = Annotated[Proving, Depends(_proving)]


@router.get(
    "/ledgers/cumulative",
    response_model=LedgerOut,
    responses=_READING,
    openapi_extra=described(LEDGER_PARAMETERS),
    summary="The cumulative ledger: the whole partnership, over the years",
)
@permits(*EVERYONE)
async def cumulative(request: Request, answers: Answering) -> Response:
    """By workstream and year, with the sum of all shares and what is unapportioned.

    Carries a strong entity tag; ask again with If-None-Match.
    """
    return await _ledger(request, answers, PARTNERSHIP)


@router.get(
    "/ledgers/councils/{gss}",
    response_model=LedgerOut,
    responses=_READING_ONE,
    openapi_extra=described(LEDGER_PARAMETERS),
    summary="A council's ledger: its shares, over all workstreams",
)
@permits(*EVERYONE)
async def council(gss: str, request: Request, caller: Caller, answers: Answering) -> Response:
    """Seen by that council, the programme office and auditors. Carries a strong entity tag."""
    return await _ledger(request, answers, council_scope(gss, caller, answers.partnership))


@router.get(
    "/ledgers/cumulative/entries",
    response_model=EntriesOut,
    responses=_READING,
    openapi_extra=described(ENTRIES_PARAMETERS),
    summary="The entries of the partnership's figures",
)
@permits(*EVERYONE)
async def cumulative_entries(request: Request, answers: Answering) -> Response:
    """Account by account, each in the order of posting; every entry with the return that it came from."""
    return await _entries(request, answers, PARTNERSHIP)


@router.get(
    "/ledgers/councils/{gss}/entries",
    response_model=EntriesOut,
    responses=_READING_ONE,
    openapi_extra=described(ENTRIES_PARAMETERS),
    summary="The entries of a council's shares",
)
@permits(*EVERYONE)
async def council_entries(gss: str, request: Request, caller: Caller, answers: Answering) -> Response:
    """Account by account, each in the order of posting; every entry with the return that it came from."""
    return await _entries(request, answers, council_scope(gss, caller, answers.partnership))


@router.get(
    "/checks",
    response_model=ChecksOut,
    responses=problem_responses(Unauthenticated, Forbidden, Refused, TooMany),
    openapi_extra=described(CHECKS_PARAMETERS),
    summary="Whether the ledgers add up",
)
@permits(*READERS_OF_ALL)
async def checks(request: Request, proving: Proofs) -> Response:
    """Each sum is made in two ways, and both sides are told where they differ."""
    asked = Asked(request.query_params.multi_items(), CHECKS_PARAMETERS)
    is_full = asked.flag("full")
    asked.require_no_fault()
    return _answer(await proving.prove(full=is_full))


@router.post(
    "/ledgers/preview",
    response_model=PreviewOut | list[PreviewOut],
    responses=problem_responses(Unauthenticated, Forbidden, TooLarge, Refused, TooMany),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": TypeAdapter(PreviewIn | PreviewsIn).json_schema()}},
        }
    },
    summary="What the totals would become",
)
@permits(Role.LEAD, Role.FINANCE)
async def preview(request: Request, caller: Caller, answers: Answering) -> Response:
    """Asked by intake in a dry run, with the lines of a return that may stand. Nothing is kept.

    A list of returns is answered with a list: what each of them would do if it alone were kept.
    """
    body = await read_body(request, PREVIEW_LIMIT_BYTES)
    is_list = body.lstrip().startswith(b"[")
    try:
        asked = _PREVIEWS.validate_json(body) if is_list else [PreviewIn.model_validate_json(body)]
    except ValidationError as error:
        raise Refused("The lines cannot be read.", _faults(error)) from error
    questions = [(one, stream_of(one, answers.partnership)) for one in asked]
    for _, stream in questions:
        caller.require_sight_of(stream.scope, answers.partnership)
    async with answers.at_one_state() as connection:
        told = await answers.previews(connection, questions)
    return Response(_PREVIEWS_OUT.dump_json(told), media_type="application/json") if is_list else _answer(told[0])


async def _ledger(request: Request, answers: Answers, scope: Scope) -> Response:
    asked = Asked(request.query_params.multi_items(), LEDGER_PARAMETERS)
    question = read_ledger_question(asked, scope, answers.partnership)
    async with answers.at_one_state() as connection:
        tag = etag_of(await answers.state_of(connection, scope), question)
        if (unchanged := not_modified(request, tag)) is not None:
            return unchanged
        ledger = await answers.ledger(connection, question)
    return _answer(ledger, conditional_headers(tag))


async def _entries(request: Request, answers: Answers, scope: Scope) -> Response:
    asked = Asked(request.query_params.multi_items(), ENTRIES_PARAMETERS)
    question = read_entries_question(asked, scope, answers.partnership)
    async with answers.at_one_state() as connection:
        tag = etag_of(await answers.state_of(connection, scope), question)
        if (unchanged := not_modified(request, tag)) is not None:
            return unchanged
        entries, following = await answers.entries(connection, question)
    return _answer(EntriesOut(entries=entries, next=_next_page(request, following)), conditional_headers(tag))


def _next_page(request: Request, following: Place | None) -> str | None:
    if following is None:
        return None
    url = request.url.include_query_params(after=f"{following.account_id}.{following.number}")
    return f"{url.path}?{url.query}"


def _faults(error: ValidationError) -> list[Fault]:
    fix = "Correct it; the OpenAPI document says what may stand there."
    return [
        Fault("".join(f"/{part}" for part in one["loc"]), one["type"].replace("_", "-"), f"{one['msg']}.", fix)
        for one in error.errors()
    ]


def _answer(body: BaseModel, headers: dict[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(), media_type="application/json", headers=headers)
