"""Reading the ledgers: what stands, now or as at a day and as known at a moment, and the entries behind it.

What stands now is on the accounts. What stood is one look into an index for each account. Neither grows with history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, and_, func, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker.chain import Hash
from services.tracker.ledger import Held
from services.tracker.store import STANDING, accounts, entries, held_from, postings, streams
from shared.figures import Account, Basis, Benefit, Flow, Recurrence, Scope, Stream, WorkstreamCode
from shared.financial_year import FinancialYear


@dataclass(frozen=True, slots=True)
class When:
    """As at which day (when it was true) and as known at which moment (when we knew); both open: now."""

    as_at: date | None = None
    known_at: datetime | None = None

    @property
    def is_now(self) -> bool:
        return self.as_at is None and self.known_at is None

    def covers(self) -> ColumnElement[bool]:
        """Which entries count at that time."""
        conditions: list[ColumnElement[bool]] = [true()]
        if self.as_at is not None:
            conditions.append(entries.c.as_at <= self.as_at)
        if self.known_at is not None:
            conditions.append(entries.c.recorded_at <= self.known_at)
        return and_(*conditions)


class StreamHead(NamedTuple):
    """Where the chain of a stream stands."""

    stream: Stream
    entry_count: int
    hash: Hash


_ACCOUNT = (
    streams.c.scope,
    streams.c.workstream,
    accounts.c.initiative,
    accounts.c.year,
    accounts.c.basis,
    accounts.c.benefit,
    accounts.c.recurrence,
    accounts.c.flow,
)


async def standing(
    connection: AsyncConnection, when: When, scope: Scope | None = None, stream: Stream | None = None
) -> Mapping[Account, Held]:
    """The figures that stand at a time; of one scope, of one stream, or of all."""
    query = _standing_now() if when.is_now else _standing_at(when)
    if scope is not None:
        query = query.where(streams.c.scope == scope)
    if stream is not None:
        query = query.where(streams.c.name == str(stream))
    found: dict[Account, Held] = {}
    for row in await connection.execute(query.order_by(accounts.c.key)):
        found[_account(row[: len(_ACCOUNT)])] = held_from(row[len(_ACCOUNT) :])
    return found


def _standing_now() -> Select[Any]:
    return select(*_ACCOUNT, *STANDING).join_from(accounts, streams)


def _standing_at(when: When) -> Select[Any]:
    # The highest rank among the entries that count: one seek in the index entries_by_rank for each account.
    number = (
        select(entries.c.number)
        .where(entries.c.account_id == accounts.c.id, when.covers())
        .order_by(entries.c.as_at.desc(), entries.c.version.desc())
        .limit(1)
        .scalar_subquery()
        .correlate(accounts)
    )
    stood = (
        entries.c.status,
        entries.c.amount_pence,
        entries.c.confidence,
        entries.c.as_at,
        entries.c.version,
        entries.c.number,
        func.coalesce(entries.c.amount_pence, 0),
    )
    is_the_one = and_(entries.c.stream_id == accounts.c.stream_id, entries.c.number == number)
    return select(*_ACCOUNT, *stood).join_from(accounts, streams).join(entries, is_the_one)


async def heads(connection: AsyncConnection, scope: Scope | None = None) -> Sequence[StreamHead]:
    """The chain heads of a ledger, or of all, in the order of their streams."""
    query = select(streams.c.workstream, streams.c.scope, streams.c.entry_count, streams.c.hash)
    if scope is not None:
        query = query.where(streams.c.scope == scope)
    return sorted(
        StreamHead(Stream(WorkstreamCode(workstream), Scope(of)), count, Hash(head))
        for workstream, of, count, head in await connection.execute(query)
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries of a ledger are wanted; ``None`` leaves a dimension open."""

    scope: Scope
    workstream: str | None = None
    year: str | None = None
    initiative: str | None = None
    basis: Basis | None = None
    benefit: Benefit | None = None
    recurrence: Recurrence | None = None
    flow: Flow | None = None


class Place(NamedTuple):
    """Where an entry stands among all: its stream's id, and its number there. It never changes."""

    stream_id: int
    number: int


async def page_of_entries(
    connection: AsyncConnection, wanted: Wanted, when: When, after: Place | None, limit: int
) -> Sequence[Row[Any]]:
    """The next entries of a ledger: stream by stream, in each in the order of posting.

    New entries come last in their stream, so a reader who goes from page to page meets none twice and misses none that
    was there at the start.
    """
    query = (
        select(
            entries,
            *_ACCOUNT,
            *(column.label(f"posting_{column.name}") for column in postings.columns),
        )
        .join_from(entries, accounts, entries.c.account_id == accounts.c.id)
        .join(streams, streams.c.id == entries.c.stream_id)
        .join(
            postings,
            and_(postings.c.stream_id == entries.c.stream_id, postings.c.number == entries.c.posting_number),
        )
        .where(streams.c.scope == wanted.scope, when.covers())
        .order_by(entries.c.stream_id, entries.c.number)
        .limit(limit)
    )
    for column, value in (
        (streams.c.workstream, wanted.workstream),
        (accounts.c.year, wanted.year),
        (accounts.c.initiative, wanted.initiative),
        (accounts.c.basis, wanted.basis),
        (accounts.c.benefit, wanted.benefit),
        (accounts.c.recurrence, wanted.recurrence),
        (accounts.c.flow, wanted.flow),
    ):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(tuple_(entries.c.stream_id, entries.c.number) > tuple_(after.stream_id, after.number))
    return (await connection.execute(query)).all()


def _account(row: Sequence[Any]) -> Account:
    scope, workstream, initiative, year, basis, benefit, recurrence, flow = row
    return Account(
        Scope(scope),
        WorkstreamCode(workstream),
        initiative,
        FinancialYear.parse(year),
        Basis(basis),
        Benefit(benefit),
        Recurrence(recurrence),
        Flow(flow),
    )
