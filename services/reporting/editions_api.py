"""Editions over HTTP: publishing, finding and proving them; what moved since; what was corrected behind them."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Header, Request, Response

from services.reporting.answers import Answering
from services.reporting.bodies import read_model, schema_of
from services.reporting.edition_query import (
    DRAFT,
    LATEST,
    MOVEMENT_PARAMETERS,
    homes_meant,
    read_edition,
)
from services.reporting.edition_schemas import (
    AllCorrectionsOut,
    CorrectionsOut,
    EditionOut,
    EditionsOut,
    MovementsOut,
    PublicationIn,
    RebuiltOut,
)
from services.reporting.editions import Publication
from services.reporting.movement import movements_between
from services.reporting.query import PARAMETERS, Asked, read_question
from shared.asked import Parameters, described
from shared.errors import (
    Conflict,
    Fault,
    Forbidden,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unreadable,
    WrongType,
)
from shared.partnership import Partnership
from shared.principal import Role
from shared.web import EVERYONE, NO_PARAMETERS, Caller, permits, problem_responses

router = APIRouter(prefix="/v1", tags=["editions"])

_READING: Final = problem_responses(Unauthenticated, Forbidden, NotFound, Refused, TooMany)
_PUBLISHING: Final = problem_responses(
    Unreadable, Unauthenticated, Forbidden, Conflict, TooLarge, WrongType, Refused, TooMany
)
_COUNCIL: Final[Parameters] = {
    "council": {
        **PARAMETERS["council"],
        "description": "GSS code of a home council. All that you may see if left out; 'none': the partnership alone.",
    }
}

KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        description="Sent again with the same key and content, the edition is answered as it was the first time.",
    ),
]


@router.get(
    "/editions",
    response_model=EditionsOut,
    responses=_READING,
    summary="The editions published so far",
    dependencies=NO_PARAMETERS,
)
@permits(*EVERYONE)
async def editions(answers: Answering) -> EditionsOut:
    return EditionsOut(editions=[EditionOut.of(edition) for edition in await answers.editions.all()])


@router.post(
    "/editions",
    status_code=201,
    response_model=EditionOut,
    responses=_PUBLISHING,
    openapi_extra=schema_of(PublicationIn),
    summary="Publish the draft as an edition",
    dependencies=NO_PARAMETERS,
)
@permits(Role.OFFICE, Role.AUTHOR)
async def publish(
    request: Request, response: Response, caller: Caller, answers: Answering, key: KeyHeader = None
) -> EditionOut:
    """Freezes the figures, the tables, the notes and where the ledger stands, under a number and a hash, for ever.

    An author publishes for its own council, which is meant where none is named; the programme office for any. Refused
    where a sum does not hold, naming it. Repeated with the same ``Idempotency-Key`` it answers as the first
    time, with ``Idempotent-Replayed: true``.
    """
    asked = _publication(await read_model(request, PublicationIn), answers.partnership)
    edition, replayed = await answers.editions.publish(asked, caller, key)
    response.headers["Location"] = f"/v1/editions/{edition.number}"
    if replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return EditionOut.of(edition)


@router.get(
    "/editions/{number}",
    response_model=EditionOut,
    responses=_READING,
    summary="An edition",
    dependencies=NO_PARAMETERS,
)
@permits(*EVERYONE)
async def edition(number: int, answers: Answering) -> EditionOut:
    return EditionOut.of(await answers.editions.get(number))


@router.get(
    "/editions/{number}/manifest",
    response_class=Response,
    responses={**_READING, 200: {"description": "Canonical JSON", "content": {"application/json": {}}}},
    summary="What an edition's hash is taken of",
    dependencies=NO_PARAMETERS,
)
@permits(*EVERYONE)
async def manifest(number: int, answers: Answering) -> Response:
    """Where each stream of the ledger stood, the partnership's file, the code, and the SHA-256 of each table.

    The SHA-256 of these bytes is the edition's digest; that of ``/v1/tracker?edition=…&council=…`` is in them.
    """
    found = await answers.editions.get(number)
    return Response(found.manifest, media_type="application/json")


@router.get(
    "/editions/{number}/proof",
    response_model=RebuiltOut,
    responses=_READING,
    summary="Rebuild an edition",
    dependencies=NO_PARAMETERS,
)
@permits(*EVERYONE)
async def proof(number: int, answers: Answering) -> RebuiltOut:
    """Builds the edition again from the ledger's history, and tells whether that gives the same bytes."""
    found = await answers.editions.get(number)
    return RebuiltOut.of(found, await answers.editions.rebuilt(found))


@router.get(
    "/editions/{number}/corrections",
    response_model=CorrectionsOut,
    responses=_READING,
    openapi_extra=described(_COUNCIL),
    summary="What was corrected behind an edition",
)
@permits(*EVERYONE)
async def corrections(number: int, request: Request, caller: Caller, answers: Answering) -> CorrectionsOut:
    """Figures stated since about the days before it, that change what it printed; and the footnote to print.

    Without ``council``, in the partnership's table and in those of all the councils that you may see.
    """
    asked = Asked(request.query_params.multi_items(), _COUNCIL)
    question = read_question(asked, caller, answers.partnership)
    found = await answers.editions.get(number)
    return CorrectionsOut.of(await answers.editions.corrections(found, homes_meant(found, asked, caller, question)))


@router.get(
    "/corrections",
    response_model=AllCorrectionsOut,
    responses=_READING,
    openapi_extra=described(_COUNCIL),
    summary="The editions that later returns reach behind",
)
@permits(*EVERYONE)
async def all_corrections(request: Request, caller: Caller, answers: Answering) -> AllCorrectionsOut:
    """Without ``council``, in the partnership's table and in those of all the councils that you may see."""
    asked = Asked(request.query_params.multi_items(), _COUNCIL)
    question = read_question(asked, caller, answers.partnership)
    found = [
        await answers.editions.corrections(each, homes_meant(each, asked, caller, question))
        for each in await answers.editions.all()
    ]
    return AllCorrectionsOut(editions=[CorrectionsOut.of(each) for each in found if each.cells])


@router.get(
    "/movements",
    response_model=MovementsOut,
    responses=_READING,
    openapi_extra=described(MOVEMENT_PARAMETERS),
    summary="What moved since an edition",
)
@permits(*EVERYONE)
async def movements(request: Request, caller: Caller, answers: Answering) -> MovementsOut:
    """From one edition to another, or to the draft: by row and in total, split by why, with both sides of the sums."""
    asked = Asked(request.query_params.multi_items(), MOVEMENT_PARAMETERS)
    question = read_question(asked, caller, answers.partnership)
    start = await read_edition(asked, "from", answers.editions, otherwise=LATEST)
    end = await read_edition(asked, "to", answers.editions, otherwise=DRAFT)
    if start is None:
        raise _from_the_draft()
    before = await answers.editions.state(start, question.home, question.selection)
    after = await answers.editions.state(end, question.home, question.selection)
    return MovementsOut.of(movements_between(before, after), start, end)


def _from_the_draft() -> Refused:
    detail = "A movement starts from an edition: the draft is where it may lead to."
    return Refused(detail, [Fault("/query/from", "not-an-edition", detail, "Give the number of an edition.", DRAFT)])


def _publication(given: PublicationIn, partnership: Partnership) -> Publication:
    unknown = [each for each in given.councils or () if each not in partnership.council_by_gss]
    if unknown:
        allowed = [f"{council.gss} ({council.name})" for council in partnership.councils]
        raise Refused(
            f"{partnership.name} has no council {unknown[0]}.",
            [
                Fault(
                    f"/councils/{(given.councils or []).index(each)}",
                    "unknown-council",
                    f"{partnership.name} has no council {each}.",
                    "Give the GSS codes of its councils.",
                    each,
                    allowed,
                )
                for each in unknown
            ],
        )
    return Publication(
        title=given.title,
        meeting_date=given.meeting_date,
        councils=tuple(sorted(set(given.councils))) if given.councils is not None else None,
        as_at=given.as_at,
        notes=tuple(given.notes),
    )
