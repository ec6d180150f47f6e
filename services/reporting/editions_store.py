"""The editions as kept, and what publishing one asks of the read model: where streams stand, whether all is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.edition import Edition
from services.reporting.positions import Position
from services.reporting.tables import (
    accounts,
    edition_positions,
    edition_tables,
    editions,
    entries,
    ledger,
    returns,
)
from shared.figures import Scope, Stream, WorkstreamCode

#: Stands for "no home council" in the key of an edition's tables.
NO_HOME = "none"


async def positions(connection: AsyncConnection) -> Sequence[Position]:
    """Where each stream stands, in order."""
    last_first = (
        func.row_number()
        .over(
            partition_by=(accounts.c.workstream, accounts.c.scope),
            order_by=(entries.c.number.desc(), entries.c.version.desc()),
        )
        .label("place")
    )
    numbered = (
        select(accounts.c.workstream, accounts.c.scope, entries.c.number, entries.c.hash, last_first)
        .select_from(accounts.join(entries, entries.c.account_id == accounts.c.id))
        .subquery()
    )
    heads = {
        (row.workstream, row.scope): row
        for row in await connection.execute(select(numbered).where(numbered.c.place == 1))
    }
    last = select(
        returns.c.workstream,
        returns.c.scope,
        func.max(returns.c.version).label("version"),
        func.count().label("return_count"),
    ).group_by(returns.c.workstream, returns.c.scope)
    found = []
    for row in await connection.execute(last.order_by(returns.c.workstream, returns.c.scope)):
        head = heads.get((row.workstream, row.scope))
        stream = Stream(WorkstreamCode(row.workstream), Scope(row.scope))
        number, digest = (head.number, head.hash) if head is not None else (None, None)
        found.append(Position(stream, row.version, row.return_count, number, digest))
    return found


async def movements_pence(connection: AsyncConnection) -> Mapping[str, int]:
    """By the account's text, what the movements of all its entries come to."""
    query = (
        select(accounts.c.key, func.sum(entries.c.movement_pence).label("pence"))
        .select_from(accounts.join(entries, entries.c.account_id == accounts.c.id))
        .group_by(accounts.c.key)
    )
    return {row.key: int(row.pence) for row in await connection.execute(query)}


async def latest_clocks(connection: AsyncConnection) -> tuple[date, datetime] | None:
    """The latest as-at date and the latest recorded time of all returns; ``None`` before the first."""
    row = (await connection.execute(select(func.max(returns.c.as_at), func.max(returns.c.recorded_at)))).one()
    return None if row[0] is None else (row[0], row[1])


async def count(connection: AsyncConnection) -> int:
    return int((await connection.execute(select(func.count()).select_from(editions))).scalar_one())


async def manifest(connection: AsyncConnection, number: int) -> bytes:
    """The manifest of an edition as it is kept now."""
    query = select(editions.c.manifest).where(editions.c.number == number)
    return bytes((await connection.execute(query)).scalar_one())


async def all_editions(connection: AsyncConnection) -> Sequence[Edition]:
    """Every edition, in the order of publishing."""
    return [_edition(row) for row in await connection.execute(select(editions).order_by(editions.c.number))]


async def under_key(connection: AsyncConnection, published_by: str, key: str) -> tuple[Edition, str] | None:
    """The edition that someone published under an idempotency key, and the hash of what was asked for."""
    query = select(editions).where(editions.c.published_by == published_by, editions.c.idempotency_key == key)
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else (_edition(row), row.request_hash)


async def frozen_table(connection: AsyncConnection, number: int, home: str | None) -> bytes | None:
    """The table of an edition for a home council, byte for byte; ``None`` where it is not for that council."""
    query = select(edition_tables.c.content).where(
        edition_tables.c.edition == number, edition_tables.c.council == (home or NO_HOME)
    )
    content = (await connection.execute(query)).scalar_one_or_none()
    return None if content is None else bytes(content)


async def lock(connection: AsyncConnection) -> None:
    """Let nobody else publish, and nothing be folded, until the transaction ends."""
    await connection.execute(select(ledger.c.id).with_for_update())


async def keep(
    connection: AsyncConnection,
    edition: Edition,
    found: Sequence[Position],
    tables: Mapping[str, tuple[bytes, str]],
    key: str | None,
    request_hash: str,
) -> None:
    """Keep an edition, where it stands in each stream, and its tables with their digests, for ever."""
    await connection.execute(
        editions.insert().values(
            number=edition.number,
            title=edition.title,
            meeting_date=edition.meeting_date,
            as_at=edition.as_at,
            known_at=edition.known_at,
            published_by=edition.published_by,
            idempotency_key=key,
            request_hash=request_hash,
            manifest=edition.manifest,
            digest=edition.digest,
        )
    )
    await connection.execute(
        edition_positions.insert(),
        [
            {
                "edition": edition.number,
                "workstream": each.stream.workstream,
                "scope": each.stream.scope,
                "version": each.version,
                "entry_number": each.entry_number,
                "hash": each.hash,
            }
            for each in found
        ],
    )
    await connection.execute(
        edition_tables.insert(),
        [
            {"edition": edition.number, "council": council, "content": content, "digest": digest}
            for council, (content, digest) in tables.items()
        ],
    )


def _edition(row: Row[*tuple[Any, ...]]) -> Edition:
    return Edition(
        number=row.number,
        title=row.title,
        meeting_date=row.meeting_date,
        as_at=row.as_at,
        known_at=row.known_at,
        published_by=row.published_by,
        manifest=bytes(row.manifest),
        digest=row.digest,
    )
