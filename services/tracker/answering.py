"""Answering for the ledgers: what stands is looked up, added up, and put in the answer's words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker import reading
from services.tracker.chain import digest
from services.tracker.previewing import Previews
from services.tracker.query import EntriesQuestion, LedgerQuestion
from services.tracker.reading import Kept, Place
from services.tracker.schemas import (
    AccountOut,
    ChangeOut,
    CouncilOut,
    EntriesOut,
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
from services.tracker.totals import Row, Sum, Year, ledger_of
from shared.database import Database
from shared.errors import Fault, Refused
from shared.figures import PARTNERSHIP, Scope, Stream, WorkstreamCode
from shared.money import pounds
from shared.partnership import Partnership
from shared.web import etag_of


class Answers:
    """Answers questions about the ledgers, on a connection of :meth:`at_one_state`."""

    def __init__(self, database: Database, partnership: Partnership) -> None:
        self.partnership = partnership
        self._database = database
        forms = (LedgerOut.model_json_schema(), EntriesOut.model_json_schema())
        # What an answer says depends on these as well as on the ledgers.
        self._form = etag_of(partnership.model_dump_json(), *forms)

    def at_one_state(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """All that is read in the block is of one state of the ledgers."""
        return self._database.read()

    async def state_of(self, connection: AsyncConnection, scope: Scope) -> str:
        """All that an answer about a ledger depends on, in a word; the cumulative ledger depends on every stream."""
        return etag_of(self._form, digest(await reading.heads(connection, None if scope == PARTNERSHIP else scope)))

    async def ledger(self, connection: AsyncConnection, question: LedgerQuestion) -> LedgerOut:
        """A ledger, by workstream and year."""
        is_cumulative = question.scope == PARTNERSHIP
        # The cumulative ledger shows the sum of all shares beside the partnership's figures.
        figures = await reading.figures(connection, question.when, None if is_cumulative else question.scope)
        heads = await reading.heads(connection, question.scope)
        partnership, filters = self.partnership, question.filters
        ledger = ledger_of(question.scope, figures, filters, _codes(partnership), partnership.years)
        council = partnership.council_by_gss.get(question.scope)
        return LedgerOut(
            partnership=partnership.code,
            council=None if council is None else CouncilOut(gss=council.gss, name=council.name),
            as_at=question.when.as_at,
            known_at=question.when.known_at,
            basis=filters.basis,
            benefit=filters.benefit,
            recurrence=filters.recurrence,
            flow=filters.flow,
            workstream=filters.workstream,
            workstreams=[
                WorkstreamOut(
                    workstream=row.workstream or "", name=_name(row, partnership), **_row_out(row, is_cumulative)
                )
                for row in ledger.rows
            ],
            totals=TotalsOut(**_row_out(ledger.totals, is_cumulative)),
            account_count=ledger.account_count,
            entry_count=sum(head.entry_count for head in heads),
            digest=digest(heads),
        )

    async def entries(
        self, connection: AsyncConnection, question: EntriesQuestion
    ) -> tuple[list[EntryOut], Place | None]:
        """A page of entries, and the place from which the next page goes on."""
        page, there_are_more = await reading.page_of_entries(
            connection, question.wanted, question.when, question.after, question.limit
        )
        return [_entry_out(kept) for kept in page], page[-1].place if there_are_more else None

    async def previews(
        self, connection: AsyncConnection, asked: Sequence[tuple[PreviewIn, Stream]]
    ) -> list[PreviewOut]:
        """What the totals would become, were these lines posted next: of each return, as if it alone were."""
        held = await reading.standing(connection)
        previews = Previews(held, _codes(self.partnership), self.partnership.years)
        # The sums of a whole batch take a while; others are answered meanwhile.
        return await asyncio.to_thread(lambda: [_preview_out(previews, one, stream) for one, stream in asked])


def _preview_out(previews: Previews, asked: PreviewIn, stream: Stream) -> PreviewOut:
    lines = [line.as_line(place) for place, line in enumerate(asked.lines)]
    own, whole, ledger_pence = previews.of(stream, asked.as_at, lines)
    return PreviewOut(
        scope_totals=[
            YearChangeOut(
                year=str(one.year), before=pounds(one.own.cumulative_pence), after=pounds(other.own.cumulative_pence)
            )
            for one, other in zip(own.before.years, own.after.years, strict=True)
        ],
        workstream_total=_change(own.before.total_pence, own.after.total_pence),
        ledger_total=_change(ledger_pence, ledger_pence + own.after.total_pence - own.before.total_pence),
        unapportioned=_change(whole.before.unapportioned_total_pence, whole.after.unapportioned_total_pence),
    )


def _codes(partnership: Partnership) -> Sequence[WorkstreamCode]:
    return [WorkstreamCode(workstream.code) for workstream in partnership.workstreams]


def _name(row: Row, partnership: Partnership) -> str:
    known = partnership.workstream_by_code.get(row.workstream or "")
    return known.name if known is not None else str(row.workstream)


def _row_out(row: Row, is_cumulative: bool) -> dict[str, Any]:
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
        told.shares, told.shares_cumulative = _both(year.shares)
        told.unapportioned, told.unapportioned_cumulative = _both(year.unapportioned)
        told.over_claimed = year.is_over_claimed
    return told


def _both(amounts: Sum) -> tuple[str, str]:
    return pounds(amounts.in_year_pence), pounds(amounts.cumulative_pence)


def _entry_out(kept: Kept) -> EntryOut:
    account, row = kept
    return EntryOut(
        number=row.number,
        account=AccountOut(
            scope=account.scope,
            workstream=account.workstream,
            initiative=account.initiative or None,
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
        version=row.version,
        submission_id=row.submission_id,
        submission=f"/v1/submissions/{row.submission_id}",
        line=row.line,
        stated_by=StatedByOut(name=row.stated_by_name, role=row.stated_by_role, council=row.stated_by_council),
        source=SourceOut(system=row.source_system, reference=row.source_reference, file=row.source_file, cell=row.cell),
        # A line's own reason comes before the one given for the whole return.
        reason=row.reason or row.reason_of_the_return,
        note=row.note,
        previous_hash=row.previous_hash.hex(),
        hash=row.hash.hex(),
    )


def stream_of(asked: PreviewIn, partnership: Partnership) -> Stream:
    """The stream of a preview.

    Raises:
        Refused: naming a workstream, scope or year that there is not.
    """
    faults: list[Fault] = []
    workstreams, scopes = list(partnership.workstream_by_code), [PARTNERSHIP, *partnership.council_by_gss]
    years = [str(year) for year in partnership.years]
    for what, pointer, given, known in (
        ("workstream", "/workstream", asked.workstream, workstreams),
        ("scope", "/scope", asked.scope, scopes),
        *(("year", f"/lines/{place}/year", line.year, years) for place, line in enumerate(asked.lines)),
    ):
        if given not in known:
            detail = f"{partnership.name} has no {what} {given}."
            faults.append(Fault(pointer, f"unknown-{what}", detail, f"Name one of its {what}s.", given, known))
    if faults:
        raise Refused("What the totals would become cannot be worked out for these lines.", faults)
    return Stream(WorkstreamCode(asked.workstream), Scope(asked.scope))


def _change(before_pence: int, after_pence: int) -> ChangeOut:
    return ChangeOut(before=pounds(before_pence), after=pounds(after_pence))
