"""Reading what was stated over time from the read model, by the same clocks, or as an edition had it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.history import EntryTold, ReturnSummary, ReturnTold
from services.reporting.tables import accounts, edition_positions, entries, returns
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

_RETURN: Final = (
    returns.c.submission_id,
    returns.c.workstream,
    returns.c.scope,
    returns.c.version,
    returns.c.as_at,
    returns.c.recorded_at,
    returns.c.stated_by,
    returns.c.stated_by_council,
    returns.c.source_system,
    returns.c.source_reference,
    returns.c.source_file,
    returns.c.reason.label("return_reason"),
    returns.c.written_update,
)


@dataclass(frozen=True, slots=True)
class Until:
    """How far a history goes: to a day it was true by, to a moment it was known by, to where an edition stood."""

    as_at: date | None = None
    known_at: datetime | None = None
    edition: int | None = None

    def conditions(self) -> Iterable[ColumnElement[bool]]:
        if self.as_at is not None:
            yield returns.c.as_at <= self.as_at
        if self.edition is not None:
            yield (
                select(edition_positions.c.version)
                .where(
                    edition_positions.c.edition == self.edition,
                    edition_positions.c.workstream == returns.c.workstream,
                    edition_positions.c.scope == returns.c.scope,
                )
                .scalar_subquery()
                >= returns.c.version
            )
        elif self.known_at is not None:
            yield returns.c.recorded_at <= self.known_at


async def entries_of(
    connection: AsyncConnection, stream: Stream, year: FinancialYear, until: Until, limit: int
) -> tuple[Sequence[EntryTold], int]:
    """The last entries of a workstream, scope and year, in the order of recording; and how many there are in all."""
    found_in = accounts.join(entries, entries.c.account_id == accounts.c.id).join(
        returns, returns.c.submission_id == entries.c.submission_id
    )
    conditions = [
        accounts.c.workstream == stream.workstream,
        accounts.c.scope == stream.scope,
        accounts.c.year == year.starts_in,
        *until.conditions(),
    ]
    in_all = (await connection.execute(select(func.count()).select_from(found_in).where(*conditions))).scalar_one()
    query = (
        select(
            *(column.label(f"account_{column.name}") for column in accounts.c if column.name not in ("id", "key")),
            *(column.label(f"entry_{column.name}") for column in entries.c),
            *_RETURN,
        )
        .select_from(found_in)
        .where(*conditions)
        .order_by(entries.c.number.desc())
        .limit(limit)
    )
    return [_entry(row) for row in reversed((await connection.execute(query)).all())], int(in_all)


async def returns_of(
    connection: AsyncConnection, streams: Sequence[Stream], until: Until, limit: int
) -> tuple[Sequence[ReturnSummary], int]:
    """The last returns of some streams, the newest first; and how many there are in all."""
    mine = or_(
        *(and_(returns.c.workstream == stream.workstream, returns.c.scope == stream.scope) for stream in streams)
    )
    conditions = [mine, *until.conditions()]
    in_all = (await connection.execute(select(func.count()).select_from(returns).where(*conditions))).scalar_one()
    query = (
        select(*_RETURN)
        .where(*conditions)
        .order_by(returns.c.recorded_at.desc(), returns.c.workstream, returns.c.scope, returns.c.version.desc())
        .limit(limit)
    )
    told = [_return(row) for row in await connection.execute(query)]
    moved = (
        select(
            entries.c.submission_id,
            accounts.c.basis,
            accounts.c.flow,
            func.count().label("figures"),
            func.sum(entries.c.movement_pence).label("pence"),
        )
        .select_from(entries.join(accounts, accounts.c.id == entries.c.account_id))
        .where(entries.c.submission_id.in_([each.submission_id for each in told]))
        .group_by(entries.c.submission_id, accounts.c.basis, accounts.c.flow)
    )
    figures: dict[str, int] = {}
    moved_by: dict[str, dict[tuple[Basis, Flow], Pence]] = {}
    for row in await connection.execute(moved):
        figures[row.submission_id] = figures.get(row.submission_id, 0) + int(row.figures)
        moved_by.setdefault(row.submission_id, {})[Basis(row.basis), Flow(row.flow)] = Pence(int(row.pence))
    summaries = [
        ReturnSummary(each, figures.get(each.submission_id, 0), moved_by.get(each.submission_id, {})) for each in told
    ]
    return summaries, int(in_all)


def _return(row: Row[*tuple[Any, ...]]) -> ReturnTold:
    return ReturnTold(
        submission_id=row.submission_id,
        stream=Stream(WorkstreamCode(row.workstream), Scope(row.scope)),
        version=row.version,
        as_at=row.as_at,
        recorded_at=row.recorded_at,
        stated_by=row.stated_by,
        council=row.stated_by_council,
        source_system=row.source_system,
        source_reference=row.source_reference,
        source_file=row.source_file,
        reason=row.return_reason,
        update=row.written_update,
    )


def _entry(row: Row[*tuple[Any, ...]]) -> EntryTold:
    amount = None if row.entry_amount_pence is None else Pence(row.entry_amount_pence)
    return EntryTold(
        account=Account(
            scope=Scope(row.account_scope),
            workstream=WorkstreamCode(row.account_workstream),
            initiative=row.account_initiative,
            year=FinancialYear(row.account_year),
            basis=Basis(row.account_basis),
            benefit=Benefit(row.account_benefit),
            recurrence=Recurrence(row.account_recurrence),
            flow=Flow(row.account_flow),
        ),
        figure=Figure(Status(row.entry_status), amount, Confidence(row.entry_confidence)),
        movement_pence=Pence(row.entry_movement_pence),
        balance_pence=Pence(row.entry_balance_pence),
        number=row.entry_number,
        line=row.entry_line,
        cell=row.entry_cell,
        note=row.entry_note,
        own_reason=row.entry_reason,
        hash=row.entry_hash,
        stated=_return(row),
    )
