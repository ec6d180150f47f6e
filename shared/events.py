"""The contracts between the services: what travels on each topic. Additive changes only within a version.

A consumer ignores fields it does not know, and every version ever sent is replayed for ever, so a field may be added
with a default and is never renamed, retyped or removed. These models are not the API's models and not the tables.
"""

from __future__ import annotations

from datetime import date, datetime
from functools import cached_property
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from shared.figures import (
    Account,
    Basis,
    Benefit,
    Confidence,
    Figure,
    Flow,
    Recurrence,
    Scope,
    Status,
    Stream,
    WorkstreamCode,
)
from shared.financial_year import FinancialYear
from shared.money import Pence
from shared.principal import Role

SUBMISSIONS_TOPIC: Final = "savings.submissions.v1"
ENTRIES_TOPIC: Final = "savings.entries.v1"
REJECTIONS_TOPIC: Final = "savings.rejections.v1"

RETURN_ACCEPTED: Final = "uk.savings.return.accepted.v1"
ENTRIES_POSTED: Final = "uk.savings.entries.posted.v1"
#: What a finance system posts on its council's topic: the data is a return, as it is sent over HTTP.
RETURN_POSTED: Final = "uk.savings.return.v1"
RETURN_REJECTED: Final = "uk.savings.return.rejected.v1"

INTAKE_SOURCE: Final = "/savings/intake"
TRACKER_SOURCE: Final = "/savings/tracker"


class _Contract(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StatedBy(_Contract):
    """Who stated the return: the name of the credential, its role and its council."""

    name: str
    role: Role
    council: str


class Source(_Contract):
    """Where the figures came from, as the sender says: a system, its reference, a file, a cell."""

    system: str | None = None
    reference: str | None = None
    file: str | None = None


class _AboutAnAccount(_Contract):
    """The part of an account that a line carries; scope and workstream stand once, on the return."""

    initiative: str = ""
    year: str
    basis: Basis
    benefit: Benefit
    recurrence: Recurrence
    flow: Flow

    def account_in(self, stream: Stream) -> Account:
        return Account(
            scope=stream.scope,
            workstream=stream.workstream,
            initiative=self.initiative,
            year=FinancialYear.parse(self.year),
            basis=self.basis,
            benefit=self.benefit,
            recurrence=self.recurrence,
            flow=self.flow,
        )


class LineAccepted(_AboutAnAccount):
    """One figure of a return. ``line`` is its place in the return, from 0; ``cell`` where it stood in a spreadsheet.

    ``reason`` is the line's own; where it has none, the return's reason is the line's too.
    """

    line: int
    confidence: Confidence
    status: Status
    amount_pence: int | None = None
    reason: str | None = None
    note: str | None = None
    cell: str | None = None

    @property
    def figure(self) -> Figure:
        amount = None if self.amount_pence is None else Pence(self.amount_pence)
        return Figure(self.status, amount, self.confidence)


class _AboutAReturn(_Contract):
    """What intake recorded of a return; ``version`` is its place in its stream, from 1, without a gap."""

    submission_id: str
    partnership: str
    workstream: str
    scope: str
    version: int
    as_at: date
    recorded_at: datetime
    stated_by: StatedBy
    source: Source
    reason: str | None = None
    update: str | None = None

    @cached_property
    def stream(self) -> Stream:
        return Stream(WorkstreamCode(self.workstream), Scope(self.scope))


class ReturnAccepted(_AboutAReturn):
    """Intake accepted a return; the tracker posts it. Type ``uk.savings.return.accepted.v1``."""

    kind: Literal["return.accepted"] = "return.accepted"
    lines: tuple[LineAccepted, ...]

    @cached_property
    def accounts(self) -> tuple[str, ...]:
        """The text of each line's account, in their order.

        The same as ``str(line.account_in(stream))``, without making an account of every line of every return.
        """
        prefix = f"{self.workstream}|{self.scope}"
        return tuple(
            "|".join((prefix, line.year, line.basis, line.benefit, line.recurrence, line.flow, line.initiative))
            for line in self.lines
        )


class EntryPosted(_AboutAnAccount):
    """One entry of a ledger, as posted: what was stated, and what it did to the account's balance."""

    number: int
    line: int
    confidence: Confidence
    status: Status
    amount_pence: int | None = None
    movement_pence: int
    balance_pence: int
    reason: str | None = None
    note: str | None = None
    cell: str | None = None
    hash: str

    @property
    def figure(self) -> Figure:
        amount = None if self.amount_pence is None else Pence(self.amount_pence)
        return Figure(self.status, amount, self.confidence)


class EntriesPosted(_AboutAReturn):
    """The tracker posted a return's entries; reporting folds them. Type ``uk.savings.entries.posted.v1``."""

    kind: Literal["entries.posted"] = "entries.posted"
    entries: tuple[EntryPosted, ...]


class FaultTold(_Contract):
    """One thing wrong with what was posted: where, what was given, what is allowed, and how to mend it."""

    pointer: str
    code: str
    detail: str
    fix: str
    given: JsonValue = None
    allowed: JsonValue = None


class ReturnRejected(_Contract):
    """Intake refused what was posted on a council's topic. Type ``uk.savings.return.rejected.v1``.

    ``original`` is what was posted: text, or base64 where ``original_encoding`` says so; its first part where it is
    shorter than ``original_bytes``. ``errors_left_out`` are in the rejection over HTTP, and found no room here.
    """

    kind: Literal["return.rejected"] = "return.rejected"
    rejection_id: str
    partnership: str
    council: str
    topic: str
    partition: int
    offset: int
    event_source: str | None = None
    event_id: str | None = None
    received_at: datetime
    code: str
    title: str
    detail: str
    fix: str | None = None
    errors: tuple[FaultTold, ...] = ()
    errors_left_out: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    original: str
    original_encoding: Literal["utf-8", "base64"]
    original_bytes: int
