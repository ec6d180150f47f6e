"""Whether what reporting shows holds: each sum made by two ways, every return there, what was published as it was.

It costs what the figures cost, not the history; to have an edition built again from it, or the ledger re-read, is asked
for apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import editions_store, store
from services.reporting.edition import Edition, digest_of
from services.reporting.figures_read import Figures, read_figures
from services.reporting.publishable import faults_of_the_tables, gaps, out_of_balance
from services.reporting.rows import Posted, Selection
from services.reporting.table import Question, build_table
from services.reporting.tables import consumed, edition_tables
from shared.best import BasisChoice, FlowChoice
from shared.figures import PARTNERSHIP, Scope
from shared.money import pounds
from shared.partnership import Partnership

#: The parked events that are told one by one, the latest first.
PARKED_TOLD: Final = 20
_SELECTIONS: Final = (*(Selection(basis=basis) for basis in BasisChoice), Selection(flow=FlowChoice.NET))


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of check: how much was examined, and what does not hold, in words with both sides."""

    name: str
    examined: int
    failures: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.failures


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that could not be folded: where it stands on the bus, and why it was set aside."""

    topic: str
    partition: int
    offset: int
    key: str | None
    reason: str
    parked_at: datetime


async def check_all(
    connection: AsyncConnection, partnership: Partnership, editions: Sequence[Edition]
) -> Sequence[Check]:
    """Every check, at one state of the read model."""
    positions = await editions_store.positions(connection)
    sums = await editions_store.movements_pence(connection)
    figures = await read_figures(connection, partnership, [PARTNERSHIP])
    standing = await store.standing(connection)
    return [
        await asyncio.to_thread(_tables, figures),
        Check(
            "Every balance is the sum of its movements",
            len(standing),
            tuple(fault.detail for fault in out_of_balance(partnership, standing, sums)),
        ),
        Check(
            "Every return of every stream has arrived",
            sum(each.version for each in positions),
            tuple(fault.detail for fault in gaps(positions)),
        ),
        await _editions(connection, editions),
    ]


async def latest_parked(connection: AsyncConnection) -> tuple[Sequence[Parked], int]:
    """The latest of the events that were set aside, and how many there are in all."""
    rows = consumed.parked
    query = (
        select(rows.c.topic, rows.c.partition, rows.c.offset, rows.c.key, rows.c.reason, rows.c.parked_at)
        .order_by(rows.c.id.desc())
        .limit(PARKED_TOLD)
    )
    told = [Parked(**row._mapping) for row in await connection.execute(query)]
    return told, int((await connection.execute(select(func.count()).select_from(rows))).scalar_one())


def _tables(figures: Figures) -> Check:
    """Shares + unapportioned = partnership, for each basis and net; and rows = totals, of every council too."""
    tables = [figures.table(Question(selection=selection)) for selection in _SELECTIONS]
    faults = [fault.detail for table in tables if not table.is_empty for fault in faults_of_the_tables({None: table})]
    examined = sum(len(table.proof.apportionments) + len(table.proof.additions) for table in tables)
    by_scope: dict[Scope, list[Posted]] = {}
    for each in figures.posted:
        by_scope.setdefault(each.account.scope, []).append(each)
    for council in figures.partnership.councils:
        # A council's own rows hang on its own figures alone: there is no need to go through everybody's again.
        own = build_table(figures.partnership, by_scope.get(council.scope, ()), (), Question(home=council.gss))
        if own.is_empty:
            continue
        examined += 1
        faults += [
            f"The rows of {council.name} come to £{pounds(addition.workstreams_pence)} and their total is "
            f"£{pounds(addition.total_pence)}."
            for addition in own.proof.additions
            if not addition.holds
        ]
    name = f"Shares and what is unapportioned are {figures.partnership.short_name}'s figure; rows are their totals"
    return Check(name, examined, tuple(dict.fromkeys(faults)))


async def _editions(connection: AsyncConnection, editions: Iterable[Edition]) -> Check:
    """The hashes kept are those that were published; the bytes themselves are compared where one is built again."""
    kept: dict[int, dict[str, str]] = {}
    for row in await connection.execute(
        select(edition_tables.c.edition, edition_tables.c.council, edition_tables.c.digest)
    ):
        kept.setdefault(row.edition, {})[row.council] = row.digest
    failures = [
        f"{edition.name} is not what its hash was taken of."
        for edition in editions
        if digest_of(await editions_store.manifest(connection, edition.number)) != edition.digest
        or kept.get(edition.number) != edition.table_digests
    ]
    return Check("Every edition is what was published", sum(len(tables) for tables in kept.values()), tuple(failures))
