"""The rounds that the office has made, and what has come in each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.rounds import Round
from services.reporting.tables import edition_positions, expected_streams, returns, rounds
from shared.clock import end_of_local_day
from shared.figures import Scope, Stream, WorkstreamCode


async def all_rounds(connection: AsyncConnection) -> Sequence[Round]:
    """Every round, in the order of making."""
    expected: dict[int, list[Stream]] = defaultdict(list)
    for row in await connection.execute(select(expected_streams)):
        expected[row.round].append(Stream(WorkstreamCode(row.workstream), Scope(row.scope)))
    return [
        Round(row.number, row.name, row.opens, row.due, row.closes, row.made_at, tuple(sorted(expected[row.number])))
        for row in await connection.execute(select(rounds).order_by(rounds.c.number))
    ]


async def first_received(
    connection: AsyncConnection, round_: Round, known_at: datetime | None = None, edition: int | None = None
) -> Mapping[Stream, datetime]:
    """When the first return of each stream in the round was recorded, of those known at a moment or to an edition."""
    opens = end_of_local_day(round_.opens - timedelta(days=1))
    conditions = [returns.c.recorded_at > opens, returns.c.recorded_at <= end_of_local_day(round_.closes)]
    query = select(returns.c.workstream, returns.c.scope, func.min(returns.c.recorded_at).label("first"))
    if known_at is not None:
        conditions.append(returns.c.recorded_at <= known_at)
    if edition is not None:
        query = query.join(
            edition_positions,
            and_(
                edition_positions.c.edition == edition,
                edition_positions.c.workstream == returns.c.workstream,
                edition_positions.c.scope == returns.c.scope,
                edition_positions.c.version >= returns.c.version,
            ),
        )
    query = query.where(*conditions).group_by(returns.c.workstream, returns.c.scope)
    return {
        Stream(WorkstreamCode(row.workstream), Scope(row.scope)): row.first for row in await connection.execute(query)
    }


async def keep(connection: AsyncConnection, round_: Round, made_by: str) -> None:
    """Keep a round, for ever."""
    await connection.execute(
        rounds.insert().values(
            number=round_.number,
            name=round_.name,
            opens=round_.opens,
            due=round_.due,
            closes=round_.closes,
            made_by=made_by,
            made_at=round_.made_at,
        )
    )
    await connection.execute(
        expected_streams.insert(),
        [
            {"round": round_.number, "workstream": stream.workstream, "scope": stream.scope}
            for stream in round_.expected
        ],
    )
