"""Where streams stand, which returns were stated before, and the keeping of those that are accepted.

A return, its figures, its stream's head and its event are written in one transaction. What a post costs does not grow
with the history: every look-up is by key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, Select, Table, bindparam, select
from sqlalchemy import tuple_ as row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake.deciding import Accepted, Head, Kept, content_hash
from services.intake.stated_figures import AccountKey
from services.intake.tables import Found, accounts, consumed, figures, heads, metadata, outbox, returns
from shared.database import ForEach, for_driver, insert
from shared.figures import Account, Scope, Stream, WorkstreamCode

__all__ = [
    "consumed",
    "forget_empty_heads",
    "keep",
    "kept_under",
    "last_of",
    "lock_free_heads",
    "lock_heads",
    "metadata",
    "outbox",
    "read_heads",
]


async def lock_heads(connection: AsyncConnection, streams: Collection[Stream]) -> dict[Stream, Head]:
    """Lock the streams until the transaction ends, always in the same order, and tell where each stands.

    A stream that has no head yet gets one of version 0; it is left out of the answer.
    """
    if not streams:
        return {}
    statement = insert(heads, connection)
    found = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["workstream", "scope"], set_={"version": heads.c.version}
        ).returning(heads),
        [{"workstream": s.workstream, "scope": s.scope, "version": 0} for s in sorted(streams)],
    )
    return _heads_of(found.all())


async def lock_free_heads(connection: AsyncConnection, streams: Collection[Stream]) -> dict[Stream, Head]:
    """Lock those of the streams that have a head and that nobody else has locked; it waits for nobody."""
    query = _heads_of_streams(streams).order_by(heads.c.workstream, heads.c.scope).with_for_update(skip_locked=True)
    return _heads_of((await connection.execute(query)).all()) if streams else {}


async def read_heads(connection: AsyncConnection, streams: Collection[Stream]) -> dict[Stream, Head]:
    """Where the streams stand, without a lock: for a dry run."""
    return _heads_of((await connection.execute(_heads_of_streams(streams))).all()) if streams else {}


async def kept_under(connection: AsyncConnection, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Kept]:
    """The returns that were stated before under these idempotency keys, each given with who states."""
    if not keys:
        return {}
    named = row(returns.c.stated_by, returns.c.idempotency_key)
    query = select(*_KEPT, returns.c.idempotency_key).where(named.in_(keys))
    return {(found.stated_by, found.idempotency_key): _kept(found) for found in await connection.execute(query)}


async def last_of(connection: AsyncConnection, last: Mapping[Stream, Head]) -> dict[Stream, Kept]:
    """The last return of each of these streams."""
    if not last:
        return {}
    wanted = [(stream.workstream, stream.scope, head.version) for stream, head in last.items()]
    query = select(*_KEPT, returns.c.workstream, returns.c.scope).where(
        row(returns.c.workstream, returns.c.scope, returns.c.version).in_(wanted)
    )
    return {_stream(found): _kept(found) for found in await connection.execute(query)}


async def keep(connection: AsyncConnection, accepted: Sequence[Accepted]) -> None:
    """Write what was accepted, in the transaction in which the streams were locked. Its events are the caller's."""
    day, moment = for_driver(returns.c.as_at, connection), for_driver(returns.c.recorded_at, connection)
    return_rows: list[tuple[Any, ...]] = []
    account_rows: list[tuple[Any, ...]] = []
    figure_rows: list[tuple[Any, ...]] = []
    head_rows: dict[Stream, tuple[Any, ...]] = {}
    for one in accepted:
        stream, as_at, recorded_at = one.return_.stream, day(one.return_.as_at), moment(one.recorded_at)
        return_rows.append(_return_row(one, as_at, recorded_at))
        head_rows[stream] = (one.version, recorded_at, content_hash(one.content), stream.workstream, stream.scope)
        for line in one.return_.lines:
            figure_rows.append((line.key, as_at, one.version, line.figure.status, line.figure.amount_pence))
            if line.key in one.new_accounts:
                account_rows.append(_account_row(line.key, line.account))
    await _append_returns.run(connection, return_rows)
    await _append_accounts.run(connection, account_rows)
    await _append_figures.run(connection, figure_rows)
    await _move_heads.run(connection, [head_rows[stream] for stream in sorted(head_rows)])


async def forget_empty_heads(connection: AsyncConnection) -> None:
    """Take away the heads that were made for returns that were then refused: nothing of them is kept."""
    await connection.execute(heads.delete().where(heads.c.version == 0))


def _heads_of_streams(streams: Collection[Stream]) -> Select[Any]:
    return select(heads).where(row(heads.c.workstream, heads.c.scope).in_([(s.workstream, s.scope) for s in streams]))


def _heads_of(found: Sequence[Found]) -> dict[Stream, Head]:
    return {_stream(head): Head(head.version, head.recorded_at, head.content_hash) for head in found if head.version}


def _stream(found: Found) -> Stream:
    return Stream(WorkstreamCode(found.workstream), Scope(found.scope))


_KEPT: Final[Sequence[Column[Any]]] = (returns.c.id, returns.c.stated_by, returns.c.content, returns.c.answer)


def _kept(found: Found) -> Kept:
    return Kept(found.id, found.stated_by, found.content, found.answer)


def _return_row(one: Accepted, as_at: Any, recorded_at: Any) -> tuple[Any, ...]:
    """In the order of the table's columns, as the other rows are."""
    return_, source, by, origin = one.return_, one.return_.source, one.by, one.origin
    place = (one.id, return_.stream.workstream, return_.stream.scope, one.version, as_at, recorded_at)
    said = (by.name, by.role, by.council, source.system, source.reference, source.file, return_.reason)
    event = (origin.event_source, origin.event_id)
    return (*place, *said, one.content, one.key, origin.request_id, one.answer, *event)


def _account_row(key: AccountKey, account: Account) -> tuple[Any, ...]:
    kind = (account.basis, account.benefit, account.recurrence, account.flow)
    return (key, account.workstream, account.scope, account.initiative, str(account.year), *kind)


def _appending(table: Table) -> ForEach:
    return ForEach(table.insert(), tuple(table.columns.keys()))


_append_returns: Final = _appending(returns)
_append_accounts: Final = _appending(accounts)
_append_figures: Final = _appending(figures)
_move_heads: Final = ForEach(
    heads.update()
    .where(heads.c.workstream == bindparam("of_workstream"), heads.c.scope == bindparam("of_scope"))
    .values(
        version=bindparam("new_version"),
        recorded_at=bindparam("new_recorded_at"),
        content_hash=bindparam("new_content_hash"),
    ),
    ("new_version", "new_recorded_at", "new_content_hash", "of_workstream", "of_scope"),
)
