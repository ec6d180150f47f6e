"""The tracker over HTTP: the ledgers, the entries behind them, the checks, and what a return would change."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ValidationError

from services.tracker import answering, checking
from services.tracker.reading import Place
from services.tracker.schemas import (
    CheckOut,
    ChecksOut,
    EntriesOut,
    FailureOut,
    LedgerOut,
    PreviewIn,
    PreviewOut,
)
from services.tracker.verifying import verify
from shared.asked import Asked
from shared.errors import Conflict, Fault, Forbidden, NotFound, Refused, TooLarge, TooMany, Unauthenticated
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

_READING: Final = problem_responses(Unauthenticated, Forbidden, NotFound, Refused, TooMany)

router = APIRouter(prefix="/v1", tags=["ledgers"])


async def _tracker(request: Request) -> Any:
    return request.app.state.tracker


#: The service that is installed; its type is in ``main``, which imports this module.
TrackerHere = Annotated[Any, Depends(_tracker)]


def _described(*names: str) -> dict[str, Any]:
    told = {
        "as_at": "What was true by that day.",
        "known_at": "What was recorded by that moment, or by the end of that day.",
        "basis": "best (the actual if there is one, else the forecast, else the estimate) or one basis alone.",
        "benefit": "cash_releasing, non_cash_releasing or avoided_cost.",
        "recurrence": "recurring or one_off.",
        "flow": "saving (if left out), cost, or net: saving minus cost.",
        "workstream": "The code of one workstream.",
        "year": "One financial year, like 2011/12.",
        "initiative": "One initiative, by its name.",
        "limit": f"How many entries a page has: {answering.PAGE} if left out, at most {answering.PAGE_LIMIT}.",
        "after": "What 'next' of the page before says.",
        "full": "true: re-read every entry as well, which takes as long as there are entries.",
    }
    return {
        "parameters": [
            {"name": name, "in": "query", "description": told[name], "schema": {"type": "string"}} for name in names
        ]
    }


@router.get(
    "/ledgers/cumulative",
    response_model=LedgerOut,
    responses=_READING,
    openapi_extra=_described(*answering.LEDGER_PARAMETERS),
    summary="The cumulative ledger: the whole partnership, over the years",
)
@permits(*EVERYONE)
async def cumulative(request: Request, tracker: TrackerHere) -> Response:
    """By workstream and year, with the sum of all shares and what is unapportioned."""
    return await _ledger(request, tracker, PARTNERSHIP)


@router.get(
    "/ledgers/councils/{gss}",
    response_model=LedgerOut,
    responses=_READING,
    openapi_extra=_described(*answering.LEDGER_PARAMETERS),
    summary="A council's ledger: its shares, over all workstreams",
)
@permits(*EVERYONE)
async def council(gss: str, request: Request, caller: Caller, tracker: TrackerHere) -> Response:
    """Seen by that council, the programme office and auditors."""
    return await _ledger(request, tracker, answering.ledger_scope(gss, caller, tracker.partnership))


@router.get(
    "/ledgers/cumulative/entries",
    response_model=EntriesOut,
    responses=_READING,
    openapi_extra=_described(*answering.ENTRIES_PARAMETERS),
    summary="The entries of the cumulative ledger",
)
@permits(*EVERYONE)
async def cumulative_entries(request: Request, tracker: TrackerHere) -> Response:
    """Workstream by workstream, in the order of posting; each with the return that it came from."""
    return await _entries(request, tracker, PARTNERSHIP)


@router.get(
    "/ledgers/councils/{gss}/entries",
    response_model=EntriesOut,
    responses=_READING,
    openapi_extra=_described(*answering.ENTRIES_PARAMETERS),
    summary="The entries of a council's ledger",
)
@permits(*EVERYONE)
async def council_entries(gss: str, request: Request, caller: Caller, tracker: TrackerHere) -> Response:
    """Workstream by workstream, in the order of posting; each with the return that it came from."""
    return await _entries(request, tracker, answering.ledger_scope(gss, caller, tracker.partnership))


@router.get(
    "/checks",
    response_model=ChecksOut,
    responses=problem_responses(Unauthenticated, Forbidden, Conflict, Refused, TooMany),
    openapi_extra=_described("full"),
    summary="Whether the ledgers add up",
)
@permits(*READERS_OF_ALL)
async def checks(request: Request, tracker: TrackerHere) -> Response:
    """Each sum is made in two ways, and both sides are told where they differ."""
    asked = Asked(request.query_params.multi_items(), ("full",))
    is_full = asked.flag("full")
    asked.require_no_fault()
    async with tracker.database.read() as connection:
        found = list(await checking.check_all(connection, tracker.partnership))
        parked = await tracker.consumed.parked_count(connection)
        waiting = await tracker.outbox.waiting_count(connection)
        outbox_parked = await tracker.outbox.parked_count(connection)
    if is_full:
        found.append(await _re_read(tracker))
    return _answer(
        ChecksOut(
            holds=all(check.holds for check in found),
            checks=[
                CheckOut(
                    check=check.name,
                    holds=check.holds,
                    examined=check.examined,
                    failures=[
                        FailureOut(subject=one.subject, one_side=one.one_side, other_side=one.other_side)
                        for one in check.failures
                    ],
                )
                for check in found
            ],
            parked_events=parked,
            outbox_waiting=waiting,
            outbox_parked=outbox_parked,
            lag_messages=await tracker.consuming.lag_messages(),
        )
    )


@router.post(
    "/ledgers/preview",
    response_model=PreviewOut,
    responses=problem_responses(Unauthenticated, Forbidden, TooLarge, Refused, TooMany),
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": PreviewIn.model_json_schema()}}}
    },
    summary="What the totals would become",
)
@permits(Role.LEAD, Role.FINANCE)
async def preview(request: Request, caller: Caller, tracker: TrackerHere) -> Response:
    """Asked by intake in a dry run, with the lines of a return that may stand."""
    try:
        asked = PreviewIn.model_validate_json(await read_body(request, PREVIEW_LIMIT_BYTES))
    except ValidationError as error:
        faults = [
            Fault("".join(f"/{part}" for part in one["loc"]), one["type"], one["msg"], "Correct it.")
            for one in error.errors()
        ]
        raise Refused("The lines cannot be read.", faults) from error
    stream = answering.require_previewable(asked, tracker.partnership)
    caller.require_sight_of(Scope(asked.scope), tracker.partnership)
    async with tracker.database.read() as connection:
        return _answer(await answering.answer_preview(connection, asked, stream, tracker.partnership))


async def _ledger(request: Request, tracker: Any, scope: Scope) -> Response:
    asked = Asked(request.query_params.multi_items(), answering.LEDGER_PARAMETERS)
    question = answering.read_ledger_question(asked, scope, tracker.partnership)
    async with tracker.database.read() as connection:
        tag = etag_of(await answering.heads_digest(connection, scope), question, tracker.partnership.code)
        if (unchanged := not_modified(request, tag)) is not None:
            return unchanged
        answer = await answering.answer_ledger(connection, question, tracker.partnership)
    return _answer(answer, conditional_headers(tag))


async def _entries(request: Request, tracker: Any, scope: Scope) -> Response:
    asked = Asked(request.query_params.multi_items(), answering.ENTRIES_PARAMETERS)
    question = answering.read_entries_question(asked, scope, tracker.partnership)
    async with tracker.database.read() as connection:
        entries, following = await answering.answer_entries(connection, question)
    return _answer(EntriesOut(entries=list(entries), next=_next_page(request, following)))


def _next_page(request: Request, following: Place | None) -> str | None:
    if following is None:
        return None
    url = request.url.include_query_params(after=f"{following.account_id}.{following.number}")
    return f"{url.path}?{url.query}"


async def _re_read(tracker: Any) -> checking.Check:
    """Re-read every entry, one reader at a time: it is long work."""
    lock: asyncio.Lock = tracker.re_reading
    if lock.locked():
        raise Conflict("The entries are being re-read already.", "Ask again when that has been answered.")
    async with lock:
        verdict = await verify(tracker.database)
    failures = () if verdict.fault is None else (checking.Failure(verdict.fault, "what is kept", "what it says"),)
    return checking.Check("every entry is what was posted", verdict.entries, failures)


def _answer(body: BaseModel, headers: dict[str, str] | None = None) -> Response:
    return Response(body.model_dump_json(), media_type="application/json", headers=headers)
