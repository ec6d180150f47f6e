"""What reporting keeps: each account's entries and the one that stands, the returns they came from, a version.

Its own read model, folded from the tracker's events and from nothing else. Reading the table as it stands costs one
look-up for each account, however long the history; as at a date, or as known at a moment, one index seek for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, Row, Table, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.rows import EntryBehind, Posted
from services.reporting.table import Update
from services.reporting.tables import (
    accounts,
    consumed,
    edition_positions,
    editions,
    entries,
    ledger,
    metadata,
    returns,
    rounds,
    streams,
)
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

__all__ = [
    "LedgerVersion",
    "accounts",
    "consumed",
    "entries",
    "latest_updates",
    "ledger",
    "ledger_version",
    "metadata",
    "returns",
    "standing",
    "streams",
]


@dataclass(frozen=True, slots=True)
class LedgerVersion:
    """What there is, in the life of this database: the numbers of returns folded, rounds made, editions published."""

    epoch: str
    number: int
    rounds: int
    editions: int


async def ledger_version(connection: AsyncConnection) -> LedgerVersion:
    """The one tiny query on which a conditional request is answered."""
    row = (await connection.execute(_LEDGER_VERSION)).one()
    return LedgerVersion(row.epoch, row.version, row.rounds or 0, row.editions or 0)


async def standing(
    connection: AsyncConnection,
    as_at: date | None = None,
    known_at: datetime | None = None,
    edition: int | None = None,
) -> Sequence[Posted]:
    """The figure that stands for each account, of what was true by ``as_at`` and recorded by ``known_at``.

    With an ``edition``, of what had been folded when it was published.
    """
    found_in: FromClause = accounts
    stands = entries.c.version == accounts.c.version
    if as_at is not None or known_at is not None or edition is not None:
        candidate = entries.alias("candidate")
        conditions: list[ColumnElement[bool]] = [candidate.c.account_id == accounts.c.id]
        if as_at is not None:
            conditions.append(candidate.c.as_at <= as_at)
        if known_at is not None:
            conditions.append(candidate.c.recorded_at <= known_at)
        if edition is not None:
            found_in = accounts.join(edition_positions, _at_edition(accounts, edition))
            conditions.append(candidate.c.version <= edition_positions.c.version)
        stands = entries.c.version == (
            select(candidate.c.version)
            .where(*conditions)
            .order_by(candidate.c.as_at.desc(), candidate.c.version.desc())
            .limit(1)
            .scalar_subquery()
        )
    # Outer joins, because their order is fixed: from the accounts, which are few, to one entry of each. Left to itself
    # SQLite begins with the entries, all of them. An account of which nothing was known yet comes without an entry.
    query = _POSTED.select_from(
        found_in.outerjoin(entries, and_(entries.c.account_id == accounts.c.id, stands)).outerjoin(
            returns, returns.c.submission_id == entries.c.submission_id
        )
    )
    return [_posted(row) for row in await connection.execute(query) if row.status is not None]


async def latest_updates(
    connection: AsyncConnection,
    scopes: Sequence[Scope],
    as_at: date | None = None,
    known_at: datetime | None = None,
    edition: int | None = None,
) -> Sequence[Update]:
    """What was last written in each stream of these scopes, by the same two clocks, or as an edition had it."""
    found_in: FromClause = streams
    candidate = returns.alias("candidate")
    conditions: list[ColumnElement[bool]] = [
        candidate.c.workstream == streams.c.workstream,
        candidate.c.scope == streams.c.scope,
        candidate.c.written_update.is_not(None),
    ]
    if as_at is not None:
        conditions.append(candidate.c.as_at <= as_at)
    if known_at is not None:
        conditions.append(candidate.c.recorded_at <= known_at)
    if edition is not None:
        found_in = streams.join(edition_positions, _at_edition(streams, edition))
        conditions.append(candidate.c.version <= edition_positions.c.version)
    latest = (
        select(candidate.c.submission_id)
        .where(*conditions)
        .order_by(candidate.c.as_at.desc(), candidate.c.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(returns)
        .select_from(found_in.join(returns, returns.c.submission_id == latest))
        .where(streams.c.scope.in_(sorted(scopes)))
    )
    return [
        Update(
            stream=Stream(WorkstreamCode(row.workstream), Scope(row.scope)),
            text=row.written_update,
            as_at=row.as_at,
            recorded_at=row.recorded_at,
            stated_by=row.stated_by,
            submission_id=row.submission_id,
        )
        for row in await connection.execute(query)
    ]


def _at_edition(table: Table, edition: int) -> ColumnElement[bool]:
    """Joins the streams of a table to where an edition stood in them."""
    return and_(
        edition_positions.c.edition == edition,
        edition_positions.c.workstream == table.c.workstream,
        edition_positions.c.scope == table.c.scope,
    )


_LEDGER_VERSION: Final = select(
    ledger.c.epoch,
    ledger.c.version,
    select(func.max(rounds.c.number)).scalar_subquery().label("rounds"),
    select(func.max(editions.c.number)).scalar_subquery().label("editions"),
)

_POSTED: Final = select(
    accounts.c.scope,
    accounts.c.workstream,
    accounts.c.initiative,
    accounts.c.year,
    accounts.c.basis,
    accounts.c.benefit,
    accounts.c.recurrence,
    accounts.c.flow,
    entries.c.status,
    entries.c.amount_pence,
    entries.c.confidence,
    entries.c.submission_id,
    entries.c.number,
    entries.c.line,
    entries.c.note,
    entries.c.as_at,
    entries.c.recorded_at,
    returns.c.stated_by,
    returns.c.stated_by_council,
    # A line's own reason comes before the one given for the whole return.
    func.coalesce(entries.c.reason, returns.c.reason).label("reason"),
)


def _posted(row: Row[*tuple[Any, ...]]) -> Posted:
    account = Account(
        scope=Scope(row.scope),
        workstream=WorkstreamCode(row.workstream),
        initiative=row.initiative,
        year=FinancialYear(row.year),
        basis=Basis(row.basis),
        benefit=Benefit(row.benefit),
        recurrence=Recurrence(row.recurrence),
        flow=Flow(row.flow),
    )
    amount = None if row.amount_pence is None else Pence(row.amount_pence)
    entry = EntryBehind(
        submission_id=row.submission_id,
        number=row.number,
        line=row.line,
        as_at=row.as_at,
        recorded_at=row.recorded_at,
        stated_by=row.stated_by,
        stated_by_council=row.stated_by_council,
        reason=row.reason,
        note=row.note,
    )
    return Posted(account, Figure(Status(row.status), amount, Confidence(row.confidence)), entry)
