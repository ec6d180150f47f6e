"""What the tracker answers. Amounts are decimal strings of pounds; moments are RFC 3339 in UTC."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from shared.best import BasisChoice, FlowChoice
from shared.events import LineAccepted
from shared.figures import Basis, Benefit, Confidence, Flow, Recurrence, Status
from shared.money import LIMIT_PENCE

LINES_LIMIT: Final = 500


class CouncilOut(BaseModel):
    gss: str
    name: str


class YearOut(BaseModel):
    """A workstream in a year. The last five stand in the cumulative ledger alone."""

    year: str
    status: Status | None = Field(description="Whether there is a figure, or what stands in its place.")
    in_year: str
    cumulative: str
    shares: str | None = Field(None, description="The sum of all councils' shares of the year.")
    shares_cumulative: str | None = None
    unapportioned: str | None = Field(None, description="The partnership's figure minus all shares.")
    unapportioned_cumulative: str | None = None
    over_claimed: bool | None = Field(None, description="Whether the shares are above the partnership's figure.")


class WorkstreamOut(BaseModel):
    workstream: str
    name: str
    years: list[YearOut]
    total: str
    shares_total: str | None = None
    unapportioned_total: str | None = None
    over_claimed: bool | None = None


class TotalsOut(BaseModel):
    years: list[YearOut]
    total: str
    shares_total: str | None = None
    unapportioned_total: str | None = None
    over_claimed: bool | None = None


class LedgerOut(BaseModel):
    """A ledger by workstream and year, and how it was asked for."""

    partnership: str
    council: CouncilOut | None = Field(description="Whose shares these are; none for the cumulative ledger.")
    as_at: date | None
    known_at: datetime | None
    basis: BasisChoice
    benefit: Benefit | None
    recurrence: Recurrence | None
    flow: FlowChoice
    workstream: str | None
    workstreams: list[WorkstreamOut]
    totals: TotalsOut
    account_count: int = Field(description="Accounts whose figures are counted in this answer.")
    entry_count: int = Field(description="Entries of this ledger, at all times.")
    digest: str = Field(description="SHA-256 over the heads of the ledger's chains: it changes when an entry is added.")


class AccountOut(BaseModel):
    scope: str
    workstream: str
    initiative: str | None
    year: str
    basis: Basis
    benefit: Benefit
    recurrence: Recurrence
    flow: Flow


class StatedByOut(BaseModel):
    name: str
    role: str
    council: str


class SourceOut(BaseModel):
    system: str | None
    reference: str | None
    file: str | None
    cell: str | None


class EntryOut(BaseModel):
    """One posting to an account, with the return that it came from."""

    number: int = Field(description="Its place in the chain of its workstream and scope, from 1.")
    account: AccountOut
    status: Status
    amount: str | None
    movement: str
    balance: str = Field(description="Of the account, after this entry.")
    confidence: Confidence
    as_at: date = Field(description="When it was true.")
    recorded_at: datetime = Field(description="When we knew it.")
    version: int = Field(description="The place of its return among those of the workstream and scope.")
    submission_id: str
    submission: str = Field(description="Where the return is.")
    line: int
    stated_by: StatedByOut
    source: SourceOut
    reason: str | None
    note: str | None
    previous_hash: str
    hash: str


class EntriesOut(BaseModel):
    entries: list[EntryOut]
    next: str | None = Field(description="The address of the next page; none on the last.")


class FailureOut(BaseModel):
    """What does not agree, with both sides."""

    subject: str
    one_side: str
    other_side: str


class CheckOut(BaseModel):
    check: str
    holds: bool
    examined: int
    failures: list[FailureOut]


class ParkedOut(BaseModel):
    """An event that could not be posted: where it stands on the bus, and why it was set aside."""

    topic: str
    partition: int
    offset: int
    key: str | None
    reason: str
    parked_at: datetime


class ChecksOut(BaseModel):
    """Whether the ledgers add up, and what waits or was set aside."""

    holds: bool = Field(description="Whether every check does.")
    checks: list[CheckOut]
    parked_events: int = Field(description="Events that could not be posted.")
    parked: list[ParkedOut] = Field(description="The latest of them.")
    outbox_waiting: int
    outbox_parked: int
    lag_messages: int = Field(description="Returns that wait to be posted.")


class PreviewIn(BaseModel):
    """The lines of a return that may stand, as intake read them."""

    model_config = ConfigDict(extra="forbid")

    workstream: str
    scope: str
    as_at: date
    lines: list[PreviewLineIn] = Field(max_length=LINES_LIMIT)


class PreviewLineIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    initiative: str = ""
    year: str
    basis: Basis
    benefit: Benefit
    recurrence: Recurrence
    flow: Flow
    confidence: Confidence
    status: Status
    amount_pence: int | None = Field(None, gt=-LIMIT_PENCE, lt=LIMIT_PENCE)

    def as_line(self, place: int) -> LineAccepted:
        return LineAccepted(line=place, **self.model_dump())


#: Of a batch, which may have as many returns.
PreviewsIn = Annotated[list[PreviewIn], Field(min_length=1, max_length=500)]


class ChangeOut(BaseModel):
    before: str
    after: str


class YearChangeOut(ChangeOut):
    year: str


class PreviewOut(BaseModel):
    """What the totals would become, under the best basis of each figure, for savings."""

    scope_totals: list[YearChangeOut] = Field(description="The scope's cumulative of the workstream, by year.")
    workstream_total: ChangeOut
    ledger_total: ChangeOut
    unapportioned: ChangeOut = Field(description="Of the workstream: the partnership's figure minus all shares.")
