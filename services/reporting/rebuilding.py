"""Folding the read model again from the entries in the topic, beside the live one, and comparing the two.

The editions and the rounds are stated in reporting's own database and in no topic: they are carried over as they are,
and compared as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Row, Table, func, select
from sqlalchemy import tuple_ as row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.handlers import fold
from services.reporting.tables import (
    accounts,
    consumed,
    edition_positions,
    edition_tables,
    editions,
    entries,
    expected_streams,
    ledger,
    returns,
    rounds,
    streams,
)
from shared.bus.port import Bus, Received
from shared.clock import Clock
from shared.comparing import Content, Sides, columns_but, compare, compare_consumed, compare_rows
from shared.consuming import Consuming
from shared.database import Database
from shared.events import ENTRIES_TOPIC
from shared.partnership import Partnership
from shared.replaying import Progress

#: In this order, because some refer to others.
STATED_HERE: Final = (editions, edition_positions, edition_tables, rounds, expected_streams)
_ACCOUNTS_AT_ONCE: Final = 200


class RebuildingTable:
    """The read model, live and rebuilt: what :mod:`shared.rebuilding` asks of a service."""

    def __init__(
        self, *, live: Database, rebuilt: Database, bus: Bus, partnership: Partnership, clock: Clock, group: str
    ) -> None:
        self.live = live
        self.rebuilt = rebuilt
        self.consumed = consumed
        self._partnership = partnership
        self._clock = clock
        self.consuming = Consuming(
            bus=bus,
            database=rebuilt,
            consumed=consumed,
            topics=[ENTRIES_TOPIC],
            group=group,
            handle=self._handle,
            after_commit=lambda: None,
            clock=clock,
        )

    async def prepare(self) -> None:
        """What stands does not depend on the order in which entries are folded."""

    async def carry_over(self, kept: AsyncConnection) -> None:
        """Copy every edition and every round that is not there yet; none is ever changed."""
        for table in STATED_HERE:
            key = list(table.primary_key.columns)
            async with self.rebuilt.write() as connection:
                there = {tuple(found) for found in await connection.execute(select(*key))}
                for stated in await kept.execute(select(*key).order_by(*key)):
                    if tuple(stated) not in there:
                        query = select(table).where(row(*key) == row(*stated))
                        whole = (await kept.execute(query)).one()
                        await connection.execute(table.insert().values(**whole._mapping))

    async def compare(self, sides: Sides, progress: Progress) -> int:
        total = int((await sides.kept.execute(select(func.count()).select_from(accounts))).scalar_one())
        count = await self._compare_accounts(sides, total, progress)
        for content, name in (
            (Content(select(returns), (returns.c.submission_id,)), _a_return),
            (Content(select(streams), tuple(streams.primary_key.columns)), _a_stream),
            (Content(select(*columns_but(ledger, "epoch")), (ledger.c.id,)), _the_ledger),
        ):
            count += await compare(sides, content, name)
        for table in STATED_HERE:
            key = tuple(table.primary_key.columns)
            count += await compare(sides, Content(select(table), key), partial(_a_row_of, table))
        return count + await compare_consumed(sides, consumed)

    async def put_off(self) -> int:
        """Reporting sends nothing."""
        return 0

    async def _handle(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        await fold(connection, batch, self._partnership, self._clock)

    async def _compare_accounts(self, sides: Sides, total: int, progress: Progress) -> int:
        """The accounts, and under each every entry that it ever had: whatever is shown, as at any day, is of these."""
        own = columns_but(accounts, "id")
        await compare(sides, Content(select(*own), (accounts.c.key,)), lambda found: f"the account {found.key}")
        keys = list((await sides.kept.execute(select(accounts.c.key).order_by(accounts.c.key))).scalars())
        count = len(keys)
        progress(0, total)
        query = (
            select(accounts.c.key.label("account"), *columns_but(entries, "account_id"))
            .join_from(entries, accounts, accounts.c.id == entries.c.account_id)
            .order_by(accounts.c.key, entries.c.version)
        )
        for start in range(0, len(keys), _ACCOUNTS_AT_ONCE):
            some = query.where(accounts.c.key.in_(keys[start : start + _ACCOUNTS_AT_ONCE]))
            kept, again = [(await connection.execute(some)).all() for connection in sides]
            compare_rows(
                kept,
                again,
                ["account", "version"],
                lambda found: f"the account {found.account}, return {found.version}",
            )
            count += len(kept)
            progress(min(start + _ACCOUNTS_AT_ONCE, total), total)
        return count


def _a_return(found: Row[Any]) -> str:
    return f"the return {found.submission_id}"


def _a_stream(found: Row[Any]) -> str:
    return f"the stream {found.workstream}/{found.scope}"


def _the_ledger(_: Row[Any]) -> str:
    return "the number of returns folded"


def _a_row_of(table: Table, found: Row[Any]) -> str:
    key = ", ".join(str(getattr(found, column.name)) for column in table.primary_key.columns)
    return f"the {table.name.replace('_', ' ')} {key}"
