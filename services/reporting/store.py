"""What reporting keeps: each account's entries and the one that stands, the returns they came from, a version.

Its own read model, folded from the tracker's events and from nothing else. Reading the table as it stands costs one
look-up for each account, however long the history; as at a date, or as known at a moment, one index seek for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    and_,
    func,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.rows import EntryBehind, Posted
from services.reporting.table import Update
from shared.database import Identity, Moment
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
from shared.positions import Consumed

metadata = MetaData()
consumed: Final = Consumed.define(metadata)

#: One row. ``version`` counts the returns folded, so that it is the same in a read model built again; ``epoch`` is made
#: when the database is, so that a caller's copy from before a rebuild is never taken for the newest.
ledger: Final = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", String(32), nullable=False),
    Column("version", BigInteger, nullable=False),
)

streams: Final = Table(
    "streams",
    metadata,
    Column("workstream", String(40), primary_key=True),
    Column("scope", String(11), primary_key=True),
)

returns: Final = Table(
    "returns",
    metadata,
    Column("submission_id", String(64), primary_key=True),
    Column("workstream", String(40), nullable=False),
    Column("scope", String(11), nullable=False),
    Column("version", Integer, nullable=False),
    Column("as_at", Date, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("stated_by", String(100), nullable=False),
    Column("stated_by_role", String(20), nullable=False),
    Column("stated_by_council", String(9), nullable=False),
    Column("source_system", Text),
    Column("source_reference", Text),
    Column("source_file", Text),
    Column("reason", Text),
    Column("written_update", Text),
    UniqueConstraint("workstream", "scope", "version"),
)
_HAS_UPDATE: Final = returns.c.written_update.is_not(None)
Index(
    "returns_with_update",
    returns.c.workstream,
    returns.c.scope,
    returns.c.as_at,
    returns.c.version,
    sqlite_where=_HAS_UPDATE,
    postgresql_where=_HAS_UPDATE,
)

#: ``as_at`` and ``version`` are the rank of the figure that stands; ``version`` leads to its entry.
accounts: Final = Table(
    "accounts",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("workstream", String(40), nullable=False),
    Column("scope", String(11), nullable=False),
    Column("initiative", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("basis", String(20), nullable=False),
    Column("benefit", String(20), nullable=False),
    Column("recurrence", String(20), nullable=False),
    Column("flow", String(20), nullable=False),
    Column("as_at", Date, nullable=False),
    Column("version", Integer, nullable=False),
)

entries: Final = Table(
    "entries",
    metadata,
    Column("account_id", Identity, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("as_at", Date, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("submission_id", String(64), ForeignKey("returns.submission_id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("status", String(20), nullable=False),
    Column("amount_pence", BigInteger),
    Column("confidence", String(20), nullable=False),
    Column("movement_pence", BigInteger, nullable=False),
    Column("balance_pence", BigInteger, nullable=False),
    Column("reason", Text),
    Column("note", Text),
    Column("cell", Text),
    Column("hash", String(64), nullable=False),
    # The seek of "as at": the last of an account's entries up to a date. Recorded times stand in it to be looked at.
    Index("entries_by_date", "account_id", "as_at", "version", "recorded_at"),
    sqlite_with_rowid=False,
)


@dataclass(frozen=True, slots=True)
class LedgerVersion:
    """What the read model has folded: the number of returns, in the life of this database."""

    epoch: str
    number: int


async def ledger_version(connection: AsyncConnection) -> LedgerVersion:
    """The one tiny query on which a conditional request is answered."""
    row = (await connection.execute(_LEDGER_VERSION)).one()
    return LedgerVersion(row.epoch, row.version)


async def standing(
    connection: AsyncConnection, as_at: date | None = None, known_at: datetime | None = None
) -> Sequence[Posted]:
    """The figure that stands for each account, of what was true by ``as_at`` and recorded by ``known_at``."""
    stands = entries.c.version == accounts.c.version
    if as_at is not None or known_at is not None:
        candidate = entries.alias("candidate")
        conditions: list[ColumnElement[bool]] = [candidate.c.account_id == accounts.c.id]
        if as_at is not None:
            conditions.append(candidate.c.as_at <= as_at)
        if known_at is not None:
            conditions.append(candidate.c.recorded_at <= known_at)
        stands = entries.c.version == (
            select(candidate.c.version)
            .where(*conditions)
            .order_by(candidate.c.as_at.desc(), candidate.c.version.desc())
            .limit(1)
            .scalar_subquery()
        )
    query = _POSTED.select_from(
        accounts.join(entries, and_(entries.c.account_id == accounts.c.id, stands)).join(returns)
    )
    return [_posted(row) for row in await connection.execute(query)]


async def latest_updates(
    connection: AsyncConnection, scopes: Sequence[Scope], as_at: date | None = None, known_at: datetime | None = None
) -> Sequence[Update]:
    """What was last written in each stream of these scopes, by the same two clocks."""
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
    latest = (
        select(candidate.c.submission_id)
        .where(*conditions)
        .order_by(candidate.c.as_at.desc(), candidate.c.version.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(returns)
        .select_from(streams.join(returns, returns.c.submission_id == latest))
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


_LEDGER_VERSION: Final = select(ledger.c.epoch, ledger.c.version)

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
