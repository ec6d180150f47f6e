"""Whether the ledgers add up: each sum made twice, by ways that have nothing in common, and both sides shown.

They cost what the accounts cost, not the history. To re-read the history itself: :mod:`services.tracker.verifying`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker.reading import When, standing
from services.tracker.store import accounts, entries, postings, streams
from services.tracker.totals import Filters, Ledger, ledger_of
from shared.best import BasisChoice
from shared.figures import PARTNERSHIP, Flow, WorkstreamCode
from shared.money import pounds
from shared.partnership import Partnership


@dataclass(frozen=True, slots=True)
class Failure:
    """What does not agree, with both sides."""

    subject: str
    one_side: str
    other_side: str


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of check: how many sums were examined, and those that do not hold."""

    name: str
    examined: int
    failures: tuple[Failure, ...]

    @property
    def holds(self) -> bool:
        return not self.failures


@dataclass(frozen=True, slots=True)
class _Compared:
    """A sum, made in two ways."""

    subject: str
    one_side: object
    other_side: object


async def check_all(connection: AsyncConnection, partnership: Partnership) -> Sequence[Check]:
    """Every check, at one state of the ledgers."""
    ledgers = await _ledgers(connection, partnership)
    return [
        _check("balances equal the sum of movements", await _balances(connection)),
        _check("the chain's head is its last entry", await _heads(connection)),
        _check("the ledger's figures are its accounts' balances", await _cells(connection, ledgers)),
        _check("shares + unapportioned = partnership", list(_unapportioned(ledgers))),
        _check("sum of workstreams = total", list(_totals(ledgers))),
    ]


def _check(name: str, compared: Sequence[_Compared]) -> Check:
    failures = (
        Failure(one.subject, str(one.one_side), str(one.other_side))
        for one in compared
        if one.one_side != one.other_side
    )
    return Check(name, len(compared), tuple(failures))


async def _balances(connection: AsyncConnection) -> Sequence[_Compared]:
    """Of each stream: what its accounts hold, against the running sum of what its entries moved."""
    held = (
        select(accounts.c.stream_id, func.sum(accounts.c.balance_pence).label("pence"))
        .group_by(accounts.c.stream_id)
        .subquery()
    )
    query = (
        select(streams.c.name, streams.c.movements_pence, func.coalesce(held.c.pence, 0))
        .join_from(streams, held, held.c.stream_id == streams.c.id, isouter=True)
        .order_by(streams.c.name)
    )
    return [
        _Compared(name, pounds(int(balances_pence)), pounds(int(movements_pence)))
        for name, movements_pence, balances_pence in await connection.execute(query)
    ]


async def _heads(connection: AsyncConnection) -> Sequence[_Compared]:
    """Of each stream: the number and hash of its last entry and the number of its last return, against its head."""
    last_entry = select(func.max(entries.c.number)).where(entries.c.stream_id == streams.c.id).scalar_subquery()
    last_posting = select(func.max(postings.c.number)).where(postings.c.stream_id == streams.c.id).scalar_subquery()
    query = (
        select(
            streams.c.name,
            streams.c.posting_count,
            streams.c.entry_count,
            streams.c.hash,
            last_posting,
            last_entry,
            entries.c.hash,
        )
        .join_from(
            streams,
            entries,
            and_(entries.c.stream_id == streams.c.id, entries.c.number == streams.c.entry_count),
            isouter=True,
        )
        .order_by(streams.c.name)
    )
    compared: list[_Compared] = []
    for name, posting_count, entry_count, head, posting_number, entry_number, last in await connection.execute(query):
        compared.append(_Compared(f"{name}, returns", posting_number, posting_count))
        compared.append(_Compared(f"{name}, entries", entry_number, entry_count))
        compared.append(_Compared(f"{name}, hash", last.hex() if last else None, head.hex()))
    return compared


_Ledgers = dict[BasisChoice, Ledger]


async def _ledgers(connection: AsyncConnection, partnership: Partnership) -> _Ledgers:
    """The cumulative ledger of each basis, as it is answered."""
    figures = {account: held.figure for account, held in (await standing(connection, When())).items()}
    codes = [WorkstreamCode(workstream.code) for workstream in partnership.workstreams]
    return {
        basis: ledger_of(PARTNERSHIP, figures, Filters(basis=basis), codes, partnership.years) for basis in BasisChoice
    }


async def _cells(connection: AsyncConnection, ledgers: _Ledgers) -> Sequence[_Compared]:
    """Of each workstream, year and basis: what the database adds up, against what the ledger answers."""
    of_partnership = case((streams.c.scope == PARTNERSHIP, accounts.c.balance_pence), else_=0)
    query = (
        select(
            streams.c.workstream,
            accounts.c.year,
            accounts.c.basis,
            func.sum(of_partnership),
            func.sum(accounts.c.balance_pence) - func.sum(of_partnership),
        )
        .join_from(accounts, streams)
        .where(accounts.c.flow == Flow.SAVING)
        .group_by(streams.c.workstream, accounts.c.year, accounts.c.basis)
        .order_by(streams.c.workstream, accounts.c.year, accounts.c.basis)
    )
    compared: list[_Compared] = []
    for workstream, year, basis, own_pence, shares_pence in await connection.execute(query):
        row = ledgers[BasisChoice(basis)].row_of(workstream)
        cell = next(one for one in row.years if str(one.year) == year)
        subject = f"{workstream}, {year}, {basis}"
        compared.append(_Compared(subject, pounds(int(own_pence)), pounds(cell.own.in_year_pence)))
        compared.append(_Compared(f"{subject}, shares", pounds(int(shares_pence)), pounds(cell.shares.in_year_pence)))
    return compared


def _unapportioned(ledgers: _Ledgers) -> Iterator[_Compared]:
    for basis, ledger in ledgers.items():
        for row in (*ledger.rows, ledger.totals):
            for year in row.years:
                whole = year.shares.cumulative_pence + year.unapportioned.cumulative_pence
                subject = f"{row.workstream or 'all workstreams'}, to {year.year}, {basis}"
                yield _Compared(subject, pounds(whole), pounds(year.own.cumulative_pence))


def _totals(ledgers: _Ledgers) -> Iterator[_Compared]:
    for basis, ledger in ledgers.items():
        one_by_one = sum(row.total_pence for row in ledger.rows)
        yield _Compared(f"partnership, {basis}", pounds(one_by_one), pounds(ledger.totals.total_pence))
        shares = sum(row.shares_total_pence for row in ledger.rows)
        yield _Compared(f"shares, {basis}", pounds(shares), pounds(ledger.totals.shares_total_pence))
