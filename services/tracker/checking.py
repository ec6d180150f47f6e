"""Whether the ledgers add up: each sum made twice, by ways that have nothing in common, and both sides shown.

They cost what the accounts cost, not the history. To re-read the history itself: :mod:`services.tracker.verifying`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker.reading import standing
from services.tracker.store import accounts, entries, postings, streams
from services.tracker.totals import Filters, Ledger, Sum, ledger_of
from shared.best import BasisChoice, FlowChoice
from shared.figures import PARTNERSHIP, Account, Figure, Flow, Scope, WorkstreamCode
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


#: What the ledgers are added up for: the savings of each choice of basis, and the costs.
_ADDED_UP: Final = (*(Filters(basis=basis) for basis in BasisChoice), Filters(flow=FlowChoice.COST))


async def check_all(connection: AsyncConnection, partnership: Partnership) -> Sequence[Check]:
    """Every check, at one state of the ledgers."""
    figures = {account: held.figure for account, held in (await standing(connection)).items()}
    ledgers = [_Ledgers.of(figures, filters, partnership) for filters in _ADDED_UP]
    return [
        _check("balances equal the sum of movements", await _balances(connection)),
        _check("what stands on an account is what its entry states", await _accounts(connection)),
        _check("the chain's head is its last link", await _heads(connection)),
        _check("every version of a stream has come, and come once", await _versions(connection)),
        _check("the ledger's figures are its accounts' balances", await _cells(connection, ledgers)),
        _check("shares + unapportioned = partnership", [one for each in ledgers for one in each.unapportioned()]),
        _check("sum of workstreams = total", [one for each in ledgers for one in each.totals()]),
    ]


def _check(name: str, compared: Sequence[_Compared]) -> Check:
    failures = (
        Failure(one.subject, str(one.one_side), str(one.other_side))
        for one in compared
        if one.one_side != one.other_side
    )
    return Check(name, len(compared), tuple(failures))


async def _balances(connection: AsyncConnection) -> Sequence[_Compared]:
    """Of each stream: what its accounts hold, against the running sum of what its entries moved; and how many."""
    sums = (
        select(
            accounts.c.stream_id,
            func.sum(accounts.c.balance_pence).label("pence"),
            func.sum(accounts.c.entry_count).label("entry_count"),
        )
        .group_by(accounts.c.stream_id)
        .subquery()
    )
    query = (
        select(streams, func.coalesce(sums.c.pence, 0), func.coalesce(sums.c.entry_count, 0))
        .join_from(streams, sums, sums.c.stream_id == streams.c.id, isouter=True)
        .order_by(streams.c.name)
    )
    compared: list[_Compared] = []
    for row in await connection.execute(query):
        *_, balances_pence, entry_count = row
        compared.append(_Compared(row.name, pounds(int(balances_pence)), pounds(row.movements_pence)))
        compared.append(_Compared(f"{row.name}, entries", int(entry_count), row.entry_count))
    return compared


async def _accounts(connection: AsyncConnection) -> Sequence[_Compared]:
    """Of each account: what stands on it, against the entry that it says stated it."""
    stated = (entries.c.status, entries.c.amount_pence, entries.c.confidence, entries.c.as_at, entries.c.version)
    held = [accounts.c[column.name] for column in stated]
    query = (
        select(accounts.c.key, *held, accounts.c.balance_pence, *stated, entries.c.balance_pence)
        .join_from(
            accounts,
            entries,
            and_(
                entries.c.stream_id == accounts.c.stream_id,
                entries.c.number == accounts.c.entry_number,
                entries.c.account_id == accounts.c.id,
            ),
            isouter=True,
        )
        .order_by(accounts.c.key)
    )
    width = len(held) + 1
    return [_Compared(key, tuple(row[:width]), tuple(row[width:])) for key, *row in await connection.execute(query)]


async def _heads(connection: AsyncConnection) -> Sequence[_Compared]:
    """Of each stream: how many returns and entries it has, and the hash of its last link, against its head."""
    return_, entry = postings.alias("last_return"), entries.alias("last_entry")
    last_return = select(func.max(postings.c.number)).where(postings.c.stream_id == streams.c.id).scalar_subquery()
    last_entry = select(func.max(entries.c.number)).where(entries.c.stream_id == streams.c.id).scalar_subquery()
    query = (
        select(
            streams,
            return_.c.number.label("return_number"),
            return_.c.hash.label("return_hash"),
            entry.c.number.label("last_number"),
            entry.c.posting_number,
            entry.c.hash.label("entry_hash"),
        )
        .join_from(
            streams, return_, and_(return_.c.stream_id == streams.c.id, return_.c.number == last_return), isouter=True
        )
        .join(entry, and_(entry.c.stream_id == streams.c.id, entry.c.number == last_entry), isouter=True)
        .order_by(streams.c.name)
    )
    compared: list[_Compared] = []
    for row in await connection.execute(query):
        # A return without lines is a link of its own, and then the last one.
        last = row.entry_hash if row.posting_number == row.return_number else row.return_hash
        compared.append(_Compared(f"{row.name}, returns", row.return_number or 0, row.posting_count))
        compared.append(_Compared(f"{row.name}, entries", row.last_number or 0, row.entry_count))
        compared.append(_Compared(f"{row.name}, hash", last.hex() if last else None, row.hash.hex()))
    return compared


async def _versions(connection: AsyncConnection) -> Sequence[_Compared]:
    """Of each stream: how many returns have come, against the highest version among them."""
    query = select(streams.c.name, streams.c.posting_count, streams.c.version).order_by(streams.c.name)
    return [_Compared(*row) for row in await connection.execute(query)]


@dataclass(frozen=True, slots=True)
class _Ledgers:
    """Every ledger as it is answered: the cumulative one, and that of each council anything is stated of."""

    filters: Filters
    cumulative: Ledger
    councils: Mapping[Scope, Ledger]

    @classmethod
    def of(cls, figures: Mapping[Account, Figure], filters: Filters, partnership: Partnership) -> _Ledgers:
        codes = [WorkstreamCode(workstream.code) for workstream in partnership.workstreams]
        # The same workstreams and years in all of them, though one has no figure of its own there.
        codes += sorted({account.workstream for account in figures} - set(codes))
        years = sorted({*partnership.years, *(account.year for account in figures)})
        by_scope: dict[Scope, dict[Account, Figure]] = {}
        for account, figure in figures.items():
            by_scope.setdefault(account.scope, {})[account] = figure
        return cls(
            filters,
            ledger_of(PARTNERSHIP, figures, filters, codes, years),
            {
                scope: ledger_of(scope, own, filters, codes, years)
                for scope, own in sorted(by_scope.items())
                if scope != PARTNERSHIP
            },
        )

    def named(self, subject: str) -> str:
        return f"{subject}, {self.filters.basis}, {self.filters.flow}"

    def unapportioned(self) -> Iterator[_Compared]:
        """The shares are taken from the councils' own ledgers."""
        for place, row in enumerate(self.cumulative.rows):
            for column, year in enumerate(row.years):
                own = [ledger.rows[place].years[column].own for ledger in self.councils.values()]
                whole = sum(own, year.unapportioned)
                subject = self.named(f"{row.workstream}, {year.year}")
                yield _Compared(subject, pounds(whole.in_year_pence), pounds(year.own.in_year_pence))
                yield _Compared(
                    f"{subject}, cumulative", pounds(whole.cumulative_pence), pounds(year.own.cumulative_pence)
                )

    def totals(self) -> Iterator[_Compared]:
        for scope, ledger in {PARTNERSHIP: self.cumulative, **self.councils}.items():
            one_by_one = sum(row.total_pence for row in ledger.rows)
            yield _Compared(self.named(scope), pounds(one_by_one), pounds(ledger.totals.total_pence))


def _shown(amounts: Sum) -> str:
    return f"{pounds(amounts.in_year_pence)}, cumulative {pounds(amounts.cumulative_pence)}"


async def _cells(connection: AsyncConnection, ledgers: Sequence[_Ledgers]) -> Sequence[_Compared]:
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
    by_basis = {each.filters.basis: each for each in ledgers if each.filters.flow is FlowChoice.SAVING}
    compared: list[_Compared] = []
    for workstream, year, basis, own_pence, shares_pence in await connection.execute(query):
        each = by_basis[BasisChoice(basis)]
        cell = next(one for one in each.cumulative.row_of(workstream).years if str(one.year) == year)
        subject = each.named(f"{workstream}, {year}")
        compared.append(_Compared(subject, pounds(int(own_pence)), pounds(cell.own.in_year_pence)))
        compared.append(_Compared(f"{subject}, shares", pounds(int(shares_pence)), pounds(cell.shares.in_year_pence)))
    return compared
