"""Answering for the ledgers: what is asked for is read, what stands is looked up, and put in the answer's words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker import reading
from services.tracker.chain import digest
from services.tracker.reading import Kept, Place, StreamHead, Wanted, When
from services.tracker.schemas import (
    AccountOut,
    ChangeOut,
    CouncilOut,
    EntryOut,
    LedgerOut,
    PreviewIn,
    PreviewOut,
    SourceOut,
    StatedByOut,
    TotalsOut,
    WorkstreamOut,
    YearChangeOut,
    YearOut,
)
from services.tracker.totals import Filters, Ledger, Sum, Year, after, ledger_of
from services.tracker.totals import Row as LedgerRow
from shared.asked import Asked
from shared.best import BasisChoice, FlowChoice
from shared.errors import Fault, NotFound, Refused
from shared.figures import PARTNERSHIP, Basis, Benefit, Flow, Recurrence, Scope, Stream, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.money import pounds
from shared.partnership import Partnership
from shared.principal import Principal

PAGE: Final = 100
PAGE_LIMIT: Final = 500

_TIMES: Final = ("as_at", "known_at")
LEDGER_PARAMETERS: Final = (*_TIMES, "basis", "benefit", "recurrence", "flow", "workstream")
ENTRIES_PARAMETERS: Final = (*LEDGER_PARAMETERS, "year", "initiative", "limit", "after")


@dataclass(frozen=True, slots=True)
class LedgerQuestion:
    """Which ledger, at which time, counting which figures."""

    scope: Scope
    when: When
    filters: Filters


def ledger_scope(gss: str, caller: Principal, partnership: Partnership) -> Scope:
    """The scope of a council's ledger.

    Raises:
        NotFound: there is no such council; the answer names those there are.
        Forbidden: its shares are not the caller's to see.
    """
    if gss not in partnership.council_by_gss:
        known = ", ".join(f"{council.gss} ({council.name})" for council in partnership.councils)
        raise NotFound(f"{partnership.name} has no council {gss}.", f"There are {known}.")
    caller.require_sight_of(Scope(gss), partnership)
    return Scope(gss)


def read_ledger_question(asked: Asked, scope: Scope, partnership: Partnership) -> LedgerQuestion:
    """Raises: Refused, naming everything wrong in the address."""
    question = LedgerQuestion(
        scope=scope,
        when=_when(asked),
        filters=Filters(
            basis=asked.one_of("basis", BasisChoice) or BasisChoice.BEST,
            benefit=asked.one_of("benefit", Benefit),
            recurrence=asked.one_of("recurrence", Recurrence),
            flow=asked.one_of("flow", FlowChoice) or FlowChoice.SAVING,
            workstream=_workstream(asked, partnership),
        ),
    )
    asked.require_no_fault()
    return question


@dataclass(frozen=True, slots=True)
class EntriesQuestion:
    """Which entries of a ledger, from which place on."""

    wanted: Wanted
    when: When
    after: Place
    limit: int


def read_entries_question(asked: Asked, scope: Scope, partnership: Partnership) -> EntriesQuestion:
    """Raises: Refused, naming everything wrong in the address."""
    cursor = _matching(asked, "after", r"\d{1,18}\.\d{1,18}", "what 'next' of the page before says")
    question = EntriesQuestion(
        wanted=Wanted(
            scope=scope,
            workstream=_workstream(asked, partnership),
            year=_matching(asked, "year", r"\d{4}/\d{2}", "a financial year, like 2011/12"),
            initiative=asked.text("initiative"),
            basis=asked.one_of("basis", Basis),
            benefit=asked.one_of("benefit", Benefit),
            recurrence=asked.one_of("recurrence", Recurrence),
            flow=asked.one_of("flow", Flow),
        ),
        when=_when(asked),
        after=Place(*map(int, cursor.split("."))) if cursor else Place(0, 0),
        limit=asked.whole_number("limit", 1, PAGE_LIMIT) or PAGE,
    )
    asked.require_no_fault()
    return question


def _when(asked: Asked) -> When:
    return When(asked.day("as_at"), asked.moment("known_at"))


def _workstream(asked: Asked, partnership: Partnership) -> WorkstreamCode | None:
    given = asked.text("workstream")
    if not given:
        return None
    known = partnership.workstream_by_code
    if given not in known:
        fix = f"There are {', '.join(known)}."
        asked.fault("workstream", "unknown-workstream", f"There is no workstream {given}.", given, [*known], fix)
    return WorkstreamCode(given)


def _matching(asked: Asked, name: str, form: str, allowed: str) -> str | None:
    """A text of a certain form; ``allowed`` is that form in words."""
    given = asked.text(name)
    if given and re.fullmatch(form, given, re.ASCII) is None:
        asked.fault(name, "wrong-form", f"{given} is not {allowed}.", given, allowed, f"Give {allowed}.")
        return None
    return given or None


async def answer_ledger(connection: AsyncConnection, question: LedgerQuestion, partnership: Partnership) -> LedgerOut:
    """A ledger, by workstream and year."""
    is_cumulative = question.scope == PARTNERSHIP
    # The cumulative ledger shows the sum of all shares beside the partnership's figures.
    figures = await reading.figures(connection, question.when, None if is_cumulative else question.scope)
    heads = await reading.heads(connection, None if is_cumulative else question.scope)
    ledger = ledger_of(question.scope, figures, question.filters, _codes(partnership), partnership.years)
    council = partnership.council_by_gss.get(question.scope)
    filters = question.filters
    return LedgerOut(
        partnership=partnership.code,
        council=None if council is None else CouncilOut(gss=council.gss, name=council.name),
        as_at=question.when.as_at,
        known_at=question.when.known_at,
        basis=filters.basis,
        benefit=filters.benefit,
        recurrence=filters.recurrence,
        flow=filters.flow,
        workstreams=[
            WorkstreamOut(
                workstream=row.workstream or "",
                name=_name(row, partnership),
                **_row_out(row, is_cumulative),
            )
            for row in ledger.rows
        ],
        totals=TotalsOut(**_row_out(ledger.totals, is_cumulative)),
        entry_count=sum(head.entry_count for head in heads),
        digest=digest(heads),
    )


async def heads_digest(connection: AsyncConnection, scope: Scope | None) -> str:
    """What an answer about a ledger depends on, in a word; the cumulative ledger depends on every stream."""
    heads: Sequence[StreamHead] = await reading.heads(connection, None if scope == PARTNERSHIP else scope)
    return digest(heads)


def _codes(partnership: Partnership) -> Sequence[WorkstreamCode]:
    return [WorkstreamCode(workstream.code) for workstream in partnership.workstreams]


def _name(row: LedgerRow, partnership: Partnership) -> str:
    known = partnership.workstream_by_code.get(row.workstream or "")
    return known.name if known is not None else str(row.workstream)


def _row_out(row: LedgerRow, is_cumulative: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "years": [_year_out(year, is_cumulative) for year in row.years],
        "total": pounds(row.total_pence),
    }
    if is_cumulative:
        told |= {
            "shares_total": pounds(row.shares_total_pence),
            "unapportioned_total": pounds(row.unapportioned_total_pence),
            "over_claimed": row.is_over_claimed,
        }
    return told


def _year_out(year: Year, is_cumulative: bool) -> YearOut:
    told = YearOut(
        year=str(year.year),
        status=year.status,
        in_year=pounds(year.own.in_year_pence),
        cumulative=pounds(year.own.cumulative_pence),
    )
    if is_cumulative:
        shares, rest = _both(year.shares), _both(year.unapportioned)
        told.shares, told.shares_cumulative = shares
        told.unapportioned, told.unapportioned_cumulative = rest
        told.over_claimed = year.is_over_claimed
    return told


def _both(amounts: Sum) -> tuple[str, str]:
    return pounds(amounts.in_year_pence), pounds(amounts.cumulative_pence)


async def answer_entries(
    connection: AsyncConnection, question: EntriesQuestion
) -> tuple[Sequence[EntryOut], Place | None]:
    """A page of entries, and the place from which the next page goes on."""
    page, there_are_more = await reading.page_of_entries(
        connection, question.wanted, question.when, question.after, question.limit
    )
    return [_entry_out(kept) for kept in page], page[-1].place if there_are_more else None


def _entry_out(kept: Kept) -> EntryOut:
    account, row = kept
    return EntryOut(
        number=row.number,
        account=AccountOut(
            scope=account.scope,
            workstream=account.workstream,
            initiative=account.initiative,
            year=str(account.year),
            basis=account.basis,
            benefit=account.benefit,
            recurrence=account.recurrence,
            flow=account.flow,
        ),
        status=row.status,
        amount=None if row.amount_pence is None else pounds(row.amount_pence),
        movement=pounds(row.movement_pence),
        balance=pounds(row.balance_pence),
        confidence=row.confidence,
        as_at=row.as_at,
        recorded_at=row.recorded_at,
        submission_id=row.submission_id,
        submission=f"/v1/submissions/{row.submission_id}",
        line=row.line,
        stated_by=StatedByOut(
            name=row.stated_by_name,
            role=row.stated_by_role,
            council=row.stated_by_council,
        ),
        source=SourceOut(
            system=row.source_system,
            reference=row.source_reference,
            file=row.source_file,
            cell=row.cell,
        ),
        # A line's own reason comes before the one given for the whole return.
        reason=row.reason or row.reason_of_the_return,
        note=row.note,
        previous_hash=row.previous_hash.hex(),
        hash=row.hash.hex(),
    )


def require_previewable(asked: PreviewIn, partnership: Partnership) -> Stream:
    """The stream of a preview.

    Raises:
        Refused: naming a workstream, scope or year that there is not.
    """
    faults: list[Fault] = []
    for pointer, given, known in (
        ("/workstream", asked.workstream, list(partnership.workstream_by_code)),
        ("/scope", asked.scope, [PARTNERSHIP, *partnership.council_by_gss]),
        *(
            (f"/lines/{place}/year", line.year, [str(year) for year in partnership.years])
            for place, line in enumerate(asked.lines)
        ),
    ):
        if given not in known:
            faults.append(Fault(pointer, "unknown-value", f"There is no {given} here.", "Correct it.", given, known))
    if faults:
        raise Refused("The totals cannot be worked out for these lines.", faults)
    return Stream(WorkstreamCode(asked.workstream), Scope(asked.scope))


async def answer_preview(
    connection: AsyncConnection, asked: PreviewIn, stream: Stream, partnership: Partnership
) -> PreviewOut:
    """What the totals would become, were these lines posted next."""
    held = await reading.standing(connection)
    before = {account: one.figure for account, one in held.items()}
    lines = [line.as_line(place) for place, line in enumerate(asked.lines)]
    then = after(held, stream, asked.as_at, lines)
    codes, years = _codes(partnership), partnership.years
    of_scope = [ledger_of(stream.scope, figures, Filters(), codes, years) for figures in (before, then)]
    of_all = [ledger_of(PARTNERSHIP, figures, Filters(), codes, years) for figures in (before, then)]
    rows, whole = [_row(ledger, stream) for ledger in of_scope], [_row(ledger, stream) for ledger in of_all]
    return PreviewOut(
        scope_totals=[
            YearChangeOut(
                year=str(year),
                before=pounds(_cumulative(rows[0], year)),
                after=pounds(_cumulative(rows[1], year)),
            )
            for year in years
        ],
        workstream_total=_change(*(row.total_pence for row in rows)),
        ledger_total=_change(*(ledger.totals.total_pence for ledger in of_scope)),
        unapportioned=_change(*(row.unapportioned_total_pence for row in whole)),
    )


def _row(ledger: Ledger, stream: Stream) -> LedgerRow:
    return ledger.row_of(stream.workstream)


def _cumulative(row: LedgerRow, year: FinancialYear) -> int:
    return next(one.own.cumulative_pence for one in row.years if one.year == year)


def _change(before_pence: int, after_pence: int) -> ChangeOut:
    return ChangeOut(before=pounds(before_pence), after=pounds(after_pence))
