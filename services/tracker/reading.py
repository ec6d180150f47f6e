"""Reading the ledgers: what stands, now or as at a day and as known at a moment, and the entries behind it.

What stands now is on the accounts. What stood is one look into an index for each account. A page of entries costs as
much as it has entries. None of these grows with the history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Row, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker.chain import Hash
from services.tracker.ledger import Held
from services.tracker.store import STANDING, accounts, entries, held_from, postings, streams
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


@dataclass(frozen=True, slots=True)
class When:
    """As at which day (when it was true) and as known at which moment (when we knew); both open: now."""

    as_at: date | None = None
    known_at: datetime | None = None

    @property
    def is_now(self) -> bool:
        return self.as_at is None and self.known_at is None

    def covers(self, entry: FromClause) -> list[ColumnElement[bool]]:
        """Which entries count at that time."""
        conditions: list[ColumnElement[bool]] = []
        if self.as_at is not None:
            conditions.append(entry.c.as_at <= self.as_at)
        if self.known_at is not None:
            conditions.append(entry.c.recorded_at <= self.known_at)
        return conditions


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
    connection: AsyncConnection, scope: Scope | None = None, stream: Stream | None = None
) -> Mapping[Account, Held]:
    """What stands now on the accounts of a scope, of a stream, or on all."""
    found = await connection.execute(_accounts_of(select(*_ACCOUNT, *STANDING), scope, stream))
    return {_account(row[: len(_ACCOUNT)]): held_from(row[len(_ACCOUNT) :]) for row in found}


async def figures(connection: AsyncConnection, when: When, scope: Scope | None = None) -> Mapping[Account, Figure]:
    """The figures that stand at a time, in a scope or in all."""
    if when.is_now:
        return {account: held.figure for account, held in (await standing(connection, scope)).items()}
    # The highest rank among the entries that count: one seek in the index entries_by_rank for each account.
    candidate = entries.alias("candidate")
    number = (
        select(candidate.c.number)
        .where(candidate.c.account_id == accounts.c.id, *when.covers(candidate))
        .order_by(candidate.c.as_at.desc(), candidate.c.version.desc(), candidate.c.number.desc())
        .limit(1)
        .correlate(accounts)
        .scalar_subquery()
    )
    is_the_one = and_(entries.c.stream_id == accounts.c.stream_id, entries.c.number == number)
    stood = select(*_ACCOUNT, entries.c.status, entries.c.amount_pence, entries.c.confidence).join_from(
        accounts, entries, is_the_one
    )
    return {
        _account(about): Figure(Status(status), amount_pence, Confidence(confidence))
        for *about, status, amount_pence, confidence in await connection.execute(_accounts_of(stood, scope))
    }


def _accounts_of(query: Select[Any], scope: Scope | None, stream: Stream | None = None) -> Select[Any]:
    query = query.join(streams, streams.c.id == accounts.c.stream_id).order_by(accounts.c.id)
    if scope is not None:
        query = query.where(streams.c.scope == scope)
    if stream is not None:
        query = query.where(streams.c.name == str(stream))
    return query


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
    year: FinancialYear | None = None
    initiative: str | None = None
    basis: Basis | None = None
    benefit: Benefit | None = None
    recurrence: Recurrence | None = None
    flow: Flow | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Which accounts these entries are on."""
        yield streams.c.scope == self.scope
        for column, value in (
            (streams.c.workstream, self.workstream),
            (accounts.c.year, None if self.year is None else str(self.year)),
            (accounts.c.initiative, self.initiative),
            (accounts.c.basis, self.basis),
            (accounts.c.benefit, self.benefit),
            (accounts.c.recurrence, self.recurrence),
            (accounts.c.flow, self.flow),
        ):
            if value is not None:
                yield column == value


class Place(NamedTuple):
    """Where an entry stands among all: its account's id, and its number in its stream. It never changes."""

    account_id: int
    number: int


class Kept(NamedTuple):
    """An entry as it is kept: its account, and its row with that of its return."""

    account: Account
    row: Row[Any]

    @property
    def place(self) -> Place:
        return Place(self.row.account_id, self.row.number)


async def page_of_entries(
    connection: AsyncConnection, wanted: Wanted, when: When, after: Place, limit: int
) -> tuple[Sequence[Kept], bool]:
    """The next entries of a ledger, and whether there are more: account by account, each in the order of posting.

    New entries come last on their account, and new accounts after all others, so a reader who goes from page to page
    meets none twice and misses none that was there at the start.
    """
    query = (
        select(accounts.c.id, accounts.c.entry_count, *_ACCOUNT)
        .join_from(accounts, streams)
        .where(accounts.c.id >= after.account_id, *wanted.conditions())
        .order_by(accounts.c.id)
    )
    found = (await connection.execute(query)).all()
    account_of = {row.id: _account(row[2:]) for row in found}
    kept: list[Kept] = []
    for some in _together([(row.id, row.entry_count) for row in found], limit + 1):
        rows = await connection.execute(_entries_on(some, when, after).limit(limit + 1 - len(kept)))
        kept.extend(Kept(account_of[row.account_id], row) for row in rows)
        if len(kept) > limit:
            return kept[:limit], True
    return kept, False


def _together(sizes: Sequence[tuple[int, int]], enough: int) -> Iterator[Sequence[int]]:
    """Accounts (id, number of entries) in groups that have no more entries together than are enough for a page.

    The entries of a group have to be sorted before the first can be given. An account that has more by itself stands
    alone: its entries are read in order off the index, and no more of them than are wanted.
    """
    group: list[int] = []
    total = 0
    for account_id, size in sizes:
        if group and total + size > enough:
            yield group
            group, total = [], 0
        group.append(account_id)
        total += size
    if group:
        yield group


_OF_THE_RETURN: Final = tuple(
    postings.c[name]
    for name in (
        "submission_id",
        "stated_by_name",
        "stated_by_role",
        "stated_by_council",
        "source_system",
        "source_reference",
        "source_file",
    )
)


def _entries_on(account_ids: Sequence[int], when: When, after: Place) -> Select[Any]:
    is_one = len(account_ids) == 1
    query = (
        select(entries, *_OF_THE_RETURN, postings.c.reason.label("reason_of_the_return"))
        .join_from(
            entries,
            postings,
            and_(postings.c.stream_id == entries.c.stream_id, postings.c.number == entries.c.posting_number),
        )
        .where(entries.c.account_id == account_ids[0] if is_one else entries.c.account_id.in_(account_ids))
        .where(*when.covers(entries))
        .order_by(entries.c.account_id, entries.c.number)
    )
    if after.account_id in account_ids:
        query = query.where(or_(entries.c.account_id > after.account_id, entries.c.number > after.number))
    return query


def _account(row: Sequence[Any]) -> Account:
    scope, workstream, initiative, year, basis, benefit, recurrence, flow = row
    return Account(
        Scope(scope),
        WorkstreamCode(workstream),
        initiative,
        _year(year),
        Basis(basis),
        Benefit(benefit),
        Recurrence(recurrence),
        Flow(flow),
    )


_year = lru_cache(maxsize=512)(FinancialYear.parse)
