"""Rounds over HTTP: making one, and what has come in it. Who has reported is told to all; amounts are not in it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.reporting.answers import Answering
from services.reporting.bodies import read_model, schema_of
from services.reporting.making_rounds import Proposal
from services.reporting.rounds import Presence, Round, RoundCoverage, StreamCoverage
from shared.clock import moment_text
from shared.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unreadable,
    WrongType,
)
from shared.figures import Scope, Stream, WorkstreamCode
from shared.plain_words import ONE_LINE
from shared.principal import Role
from shared.web import EVERYONE, NO_PARAMETERS, Caller, permits, problem_responses

router = APIRouter(prefix="/v1", tags=["rounds"])

_READING: Final = problem_responses(Unauthenticated, Forbidden, NotFound, Refused, TooMany)
_MAKING: Final = problem_responses(
    Unreadable, Unauthenticated, Forbidden, Conflict, TooLarge, WrongType, Refused, TooMany
)

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=ONE_LINE)]


class StreamIn(BaseModel):
    """A workstream in one scope: ``partnership``, or a council's GSS code."""

    model_config = ConfigDict(extra="forbid")

    workstream: str
    scope: str


class RoundIn(BaseModel):
    """A reporting period; its days are all included.

    Where ``expected`` is left out, every workstream's partnership figure is expected and every council's share of each.
    """

    model_config = ConfigDict(extra="forbid")

    name: Name
    opens: date
    due: date
    closes: date
    expected: list[StreamIn] | None = Field(default=None, min_length=1, max_length=10_000)


class RoundOut(BaseModel):
    number: int
    name: str
    opens: date
    due: date
    closes: date
    made_at: str
    expected: int

    @classmethod
    def of(cls, round_: Round) -> RoundOut:
        return cls(
            number=round_.number,
            name=round_.name,
            opens=round_.opens,
            due=round_.due,
            closes=round_.closes,
            made_at=moment_text(round_.made_at),
            expected=len(round_.expected),
        )


class RoundsOut(BaseModel):
    rounds: list[RoundOut]


class StreamCoverageOut(BaseModel):
    """What has come of a return that is expected; ``received_on`` is the day of the first."""

    workstream: str
    scope: str
    presence: Presence
    received_on: date | None

    @classmethod
    def of(cls, each: StreamCoverage) -> StreamCoverageOut:
        return cls(
            workstream=each.stream.workstream,
            scope=each.stream.scope,
            presence=each.presence,
            received_on=each.received_on,
        )


class CountsOut(BaseModel):
    expected: int
    received: int
    on_time: int
    late: int
    carried_forward: int
    missing: int


class RoundCoverageOut(BaseModel):
    """A round's coverage, in the order of the table."""

    round: RoundOut
    text: str
    counts: CountsOut
    streams: list[StreamCoverageOut]

    @classmethod
    def of(cls, coverage: RoundCoverage) -> RoundCoverageOut:
        counts = {presence.value: count for presence, count in coverage.counts.items()}
        text = coverage.text
        return cls(
            round=RoundOut.of(coverage.round),
            text=f"{text[0].upper()}{text[1:]}.",
            counts=CountsOut(expected=len(coverage.streams), received=coverage.received, **counts),
            streams=[StreamCoverageOut.of(each) for each in coverage.streams],
        )


@router.get(
    "/rounds",
    response_model=RoundsOut,
    responses=_READING,
    summary="The rounds made so far",
    dependencies=NO_PARAMETERS,
)
@permits(*EVERYONE)
async def rounds(answers: Answering) -> RoundsOut:
    return RoundsOut(rounds=[RoundOut.of(round_) for round_ in await answers.rounds.all()])


@router.post(
    "/rounds",
    status_code=201,
    response_model=RoundOut,
    responses=_MAKING,
    openapi_extra=schema_of(RoundIn),
    summary="Make a reporting round",
    dependencies=NO_PARAMETERS,
)
@permits(Role.OFFICE)
async def make(request: Request, response: Response, caller: Caller, answers: Answering) -> RoundOut:
    """A round never changes; where one was made wrongly, make another: of those that overlap the last made counts."""
    given = await read_model(request, RoundIn)
    streams = [Stream(WorkstreamCode(each.workstream), Scope(each.scope)) for each in given.expected or ()]
    proposal = Proposal(given.name, given.opens, given.due, given.closes, tuple(streams) or None)
    made = await answers.rounds.make(proposal, caller)
    response.headers["Location"] = f"/v1/rounds/{made.number}/coverage"
    return RoundOut.of(made)


@router.get(
    "/rounds/{number}/coverage",
    response_model=RoundCoverageOut,
    responses=_READING,
    summary="What has come in a round, what is late or missing, and what is carried forward",
    dependencies=NO_PARAMETERS,
)
@permits(*EVERYONE)
async def coverage(number: int, answers: Answering) -> RoundCoverageOut:
    return RoundCoverageOut.of(await answers.rounds.coverage(number))
