"""What intake takes and answers over HTTP: the form of a return, and the shapes of the answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, TypeAdapter, model_validator

from services.intake.vocabulary import (
    Amount,
    Day,
    Initiative,
    Label,
    Note,
    Reason,
    ScopeName,
    Update,
    WorkstreamName,
    Year,
    not_taken,
)
from shared.clock import moment_text
from shared.figures import Account, Basis, Benefit, Confidence, Figure, Flow, Recurrence, Status
from shared.money import pounds
from shared.principal import Principal, Role
from shared.web import ProblemOut

LINES_LIMIT: Final = 500
ITEMS_LIMIT: Final = 500
KEY_PATTERN: Final = r"^[\x20-\x7E]{1,200}$"


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SourceIn(_Form):
    """Where the figures came from, so that they can be found there again."""

    system: Label | None = Field(None, description="the system they came from")
    reference: Label | None = Field(None, description="where in that system")
    file: Label | None = Field(None, description="the name of the file")


class LineIn(_Form):
    """One figure: the new saving that starts in that year, and what kind of figure it is."""

    year: Year = Field(description="the financial year, like 2011/12")
    amount: Amount | None = Field(None, description="pounds, as text: the new saving that starts in that year")
    cumulative: Amount | None = Field(None, description="pounds, as text: the running sum of the years up to this one")
    basis: Basis = Field(description="how sure it is: estimate, forecast or actual")
    benefit: Benefit = Field(Benefit.CASH_RELEASING, description="what kind of gain it is")
    recurrence: Recurrence = Field(Recurrence.RECURRING, description="whether it comes every year or once")
    flow: Flow = Field(Flow.SAVING, description="a saving, or the cost of getting it")
    confidence: Confidence = Field(Confidence.INDICATIVE, description="how firm the figure is")
    status: Status = Field(Status.QUANTIFIED, description="whether there is an amount")
    initiative: Initiative | None = Field(None, description="the project inside the workstream")
    note: Note | None = Field(None, description="a remark on this line")
    reason: Reason | None = Field(None, description="why this figure changes; the return's reason if left out")
    cell: Label | None = Field(None, description="where the figure stood in a spreadsheet")

    @model_validator(mode="after")
    def _amount_as_its_status_has_it(self) -> Self:
        match self.status:
            case Status.QUANTIFIED if self.amount is None:
                raise not_taken(
                    "amount-missing",
                    "The line is quantified and has no amount.",
                    "State the amount, or give the line the status to_be_confirmed, see_narrative or nil.",
                    field="amount",
                )
            case Status.TO_BE_CONFIRMED | Status.SEE_NARRATIVE if (self.amount, self.cumulative) != (None, None):
                raise not_taken(
                    "amount-not-taken",
                    f"A line with the status {self.status} takes no amount and no cumulative.",
                    "Leave them out, or give the line the status quantified.",
                    field="cumulative" if self.amount is None else "amount",
                )
            case Status.NIL if self.amount:
                raise not_taken(
                    "amount-not-taken",
                    "A line with the status nil says that there is no saving; it takes no amount but 0.",
                    "Leave the amount out, or give the line the status quantified.",
                    ["0.00"],
                    "amount",
                )
            case Status.NIL:
                # Nil with a zero and nil without one say the same, and are kept the same.
                self.amount = None
            case _:
                pass
        return self


class ReturnIn(_Form):
    """A return: what one council states about one workstream and scope, as at a date."""

    workstream: WorkstreamName = Field(description="the code of the workstream")
    scope: ScopeName = Field(description="'partnership', or the GSS code of the council whose share it is")
    as_at: Day = Field(description="the date at which the figures were true, like 2011-12-07")
    source: SourceIn | None = Field(None, description="where the figures came from")
    reason: Reason | None = Field(None, description="why figures already stated change")
    update: Update | None = Field(None, description="the written update of the workstream")
    lines: list[LineIn] = Field(description="the figures", min_length=1, max_length=LINES_LIMIT)


class BatchItemIn(ReturnIn):
    """A return in a batch."""

    idempotency_key: str | None = Field(None, pattern=KEY_PATTERN, description="the key of this return")


class BatchIn(_Form):
    """Returns sent together."""

    submissions: list[BatchItemIn] = Field(min_length=1, max_length=ITEMS_LIMIT)


Pounds = Annotated[int, PlainSerializer(pounds, return_type=str)]
Moment = Annotated[datetime, PlainSerializer(moment_text, return_type=str)]


class AnswerModel(BaseModel):
    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


# The answer to a return is ours from end to end, and made for every line of it: dataclasses, which pydantic writes and
# describes and does not check.
@dataclass(slots=True)
class StatedByOut:
    """Who stated the return: the name of the credential, its role, its council."""

    name: str
    role: Role
    council: str | None

    @classmethod
    def of(cls, principal: Principal) -> Self:
        return cls(name=principal.name, role=principal.role, council=principal.council)


@dataclass(slots=True)
class AccountOut:
    """The account that a line is about. ``initiative`` is null for the workstream as a whole."""

    scope: str
    workstream: str
    initiative: str | None
    year: str
    basis: Basis
    benefit: Benefit
    recurrence: Recurrence
    flow: Flow

    @classmethod
    def of(cls, account: Account) -> Self:
        return cls(
            scope=account.scope,
            workstream=account.workstream,
            initiative=account.initiative or None,
            year=str(account.year),
            basis=account.basis,
            benefit=account.benefit,
            recurrence=account.recurrence,
            flow=account.flow,
        )


@dataclass(slots=True)
class FigureOut:
    """What was stated of an account; the amount, in pounds, is there exactly when the status is ``quantified``."""

    status: Status
    amount: Pounds | None

    @classmethod
    def of(cls, figure: Figure) -> Self:
        return cls(status=figure.status, amount=figure.amount_pence)


@dataclass(slots=True)
class LineOut:
    """What a line did: the figure it stated, the one that stood there as at the same date, and the movement.

    ``stands`` is false where a figure as at a later date has been stated before: then the line is kept in the history
    and moves nothing now.
    """

    line: Annotated[int, Field(description="the place of the line in the return, from 0")]
    account: AccountOut
    status: Status
    amount: Pounds | None
    previous: FigureOut | None
    movement: Pounds
    stands: bool


@dataclass(slots=True)
class AnswerOut:
    """The answer to a return that was accepted."""

    id: str
    workstream: str
    scope: str
    version: Annotated[
        int, Field(description="the place of the return among those of its workstream and scope, from 1")
    ]
    as_at: date
    recorded_at: Moment
    stated_by: StatedByOut
    lines: list[LineOut]


ANSWER: Final = TypeAdapter(AnswerOut)


class DryRunOut(AnswerModel):
    """What would come of a return. Nothing of it was kept."""

    kept: Literal[False] = False
    would_be: Literal["accepted", "replayed"]
    detail: str
    workstream: str
    scope: str
    as_at: date
    lines: list[LineOut]
    effect: Any = Field(
        None, description="what the totals would become, as the tracker says; null where it does not answer"
    )


class ItemOut(AnswerModel):
    """What came of one return of a batch: the status and body it would have had alone."""

    item: int = Field(description="the place of the return in the batch, from 0")
    status: int
    replayed: bool
    body: AnswerOut | DryRunOut | ProblemOut


class BatchOut(AnswerModel):
    accepted: int
    replayed: int
    refused: int
    results: list[ItemOut]


class SubmissionSummaryOut(AnswerModel):
    """A return in a list."""

    id: str
    workstream: str
    scope: str
    version: int
    as_at: date
    recorded_at: Moment
    stated_by: StatedByOut
    source: SourceIn | None
    reason: str | None


class EventAnswerOut(AnswerModel):
    """What came of the event that was asked about: whether intake got it, and whether what it stated is counted."""

    received: bool
    counted: bool
    detail: str
    entries: list[str] = Field(description="where the ledgers have what it stated")
    rejections: list[str] = Field(description="where it is told why it was refused, the newest first")


class SubmissionsOut(AnswerModel):
    """Returns, the newest first. ``next`` is the address of those before, null at the end.

    ``event`` is there where an event was asked about, else null.
    """

    submissions: list[SubmissionSummaryOut]
    next: str | None
    event: EventAnswerOut | None


class SubmissionOut(AnswerModel):
    """A return as it was stated, its place in its stream, and the answer that was given."""

    id: str
    version: int
    recorded_at: Moment
    request_id: str = Field(description="that of the request it came in; by it the logs tell its whole way")
    stated_by: StatedByOut
    stated: ReturnIn
    answer: AnswerOut


def published(form: type[BaseModel]) -> dict[str, Any]:
    """The request body of a route that reads its form itself, as it stands in the OpenAPI document."""
    schema = form.model_json_schema()
    definitions = schema.pop("$defs", {})

    def whole(part: Any) -> Any:
        """The part with every reference replaced by what it refers to; a document has no place for our definitions."""
        match part:
            case {"$ref": str(reference), **others}:
                return whole({**definitions[reference.rsplit("/", 1)[-1]], **others})
            case dict():
                return {name: whole(value) for name, value in part.items()}
            case list():
                return [whole(value) for value in part]
            case _:
                return part

    return {"requestBody": {"required": True, "content": {"application/json": {"schema": whole(schema)}}}}
