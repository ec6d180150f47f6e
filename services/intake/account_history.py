"""What has been stated of accounts, read as at a day. What it costs does not grow with the history."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any, Final

from sqlalchemy import (
    Date,
    Select,
    String,
    Subquery,
    Text,
    and_,
    bindparam,
    cast,
    column,
    func,
    select,
    true,
    type_coerce,
)
from sqlalchemy import tuple_ as row
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake.stated_figures import AccountKey, StatedFigures
from services.intake.tables import Found, accounts, figures
from shared.figures import (
    Account,
    Basis,
    Benefit,
    Figure,
    Flow,
    Recurrence,
    Scope,
    Standing,
    Status,
    Stream,
    WorkstreamCode,
)
from shared.financial_year import FinancialYear
from shared.money import Pence


async def accounts_of(connection: AsyncConnection, streams: Collection[Stream]) -> Sequence[Account]:
    """Every account of these streams."""
    if not streams:
        return ()
    query = select(accounts).where(
        row(accounts.c.workstream, accounts.c.scope).in_([(s.workstream, s.scope) for s in streams])
    )
    return [_account(found) for found in await connection.execute(query)]


async def figures_as_at(
    connection: AsyncConnection, wanted: Mapping[tuple[AccountKey, date], Account], into: StatedFigures
) -> None:
    """The figure of each account as at each day, and of what day its latest is, in one statement."""
    if not wanted:
        return
    asked = json.dumps([[key, day.isoformat()] for key, day in wanted])
    statement = _FIGURES_ON_POSTGRESQL if connection.dialect.name == "postgresql" else _FIGURES_ON_SQLITE
    for found in await connection.execute(statement, {"asked": asked}):
        into.know_latest(found.account, found.latest)
        if found.version is not None:
            into.add(
                wanted[found.account, found.day],
                found.account,
                Standing(found.as_at, found.version),
                Figure(Status(found.status), None if found.amount_pence is None else Pence(found.amount_pence)),
            )


def _account(found: Found) -> Account:
    return Account(
        scope=Scope(found.scope),
        workstream=WorkstreamCode(found.workstream),
        initiative=found.initiative,
        year=FinancialYear.parse(found.year),
        basis=Basis(found.basis),
        benefit=Benefit(found.benefit),
        recurrence=Recurrence(found.recurrence),
        flow=Flow(found.flow),
    )


def _figures_on_sqlite() -> Select[Any]:
    """For each account and day asked about: its latest as-at date, and the figure as at that day where there is one.

    The inner look-ups each end at the first row of the primary key, however long the account's history.
    """
    asked = _asked_on_sqlite()
    of_account = figures.c.account == asked.c.account
    by_then = and_(of_account, figures.c.as_at <= asked.c.day)
    placed = select(
        asked.c.account,
        asked.c.day,
        select(func.max(figures.c.as_at)).where(of_account).scalar_subquery().label("latest"),
        select(func.max(figures.c.as_at)).where(by_then).scalar_subquery().label("as_at"),
        select(figures.c.version)
        .where(by_then)
        .order_by(figures.c.as_at.desc(), figures.c.version.desc())
        .limit(1)
        .scalar_subquery()
        .label("version"),
    ).subquery("placed")
    stated = figures.alias("stated")
    this_one = and_(
        stated.c.account == placed.c.account, stated.c.as_at == placed.c.as_at, stated.c.version == placed.c.version
    )
    return (
        select(placed, stated.c.status, stated.c.amount_pence)
        .select_from(placed.outerjoin(stated, this_one))
        .where(placed.c.latest.is_not(None))
    )


def _figures_on_postgresql() -> Select[Any]:
    """The same; joined laterally, because PostgreSQL would rather read all figures than join them the other way."""
    asked = _asked_on_postgresql()
    of_account = figures.c.account == asked.c.account
    newest = (figures.c.as_at.desc(), figures.c.version.desc())
    latest = select(figures.c.as_at).where(of_account).order_by(*newest).limit(1).lateral("latest")
    by_then = and_(of_account, figures.c.as_at <= asked.c.day)
    stated = select(figures).where(by_then).order_by(*newest).limit(1).lateral("stated")
    return select(
        asked,
        latest.c.as_at.label("latest"),
        *(stated.c[name] for name in ("as_at", "version", "status", "amount_pence")),
    ).select_from(asked.join(latest, true()).outerjoin(stated, true()))


def _asked_on_sqlite() -> Subquery:
    pair = func.json_each(bindparam("asked", type_=Text)).table_valued("value", name="pair").c.value
    return select(
        type_coerce(func.json_extract(pair, "$[0]"), String).label("account"),
        type_coerce(func.json_extract(pair, "$[1]"), Date).label("day"),
    ).subquery("asked")


def _asked_on_postgresql() -> Subquery:
    pairs = func.json_array_elements(cast(bindparam("asked", type_=Text), JSON))
    pair = pairs.table_valued(column("value", JSON), name="pair").c.value
    return select(
        pair[0].as_string().label("account"),
        cast(pair[1].as_string(), Date).label("day"),
    ).subquery("asked")


_FIGURES_ON_SQLITE: Final = _figures_on_sqlite()
_FIGURES_ON_POSTGRESQL: Final = _figures_on_postgresql()
