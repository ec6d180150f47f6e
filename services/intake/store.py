"""Where streams stand, which returns were stated before, and the keeping of those that are accepted.

A return, its figures, its stream's head and its event are written in one transaction. What a post costs does not grow
with the history: every look-up is by key.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, bindparam, select
from sqlalchemy import tuple_ as row
from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake.deciding import Accepted, Head, Kept, content_hash
from services.intake.stated_figures import AccountKey
from services.intake.tables import Found, accounts, figures, heads, metadata, outbox, returns
from shared.database import insert
from shared.figures import Account, Scope, Stream, WorkstreamCode
from shared.principal import Principal

__all__ = ["keep", "kept_under", "last_of", "lock_heads", "metadata", "outbox", "read_heads"]


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


async def read_heads(connection: AsyncConnection, streams: Collection[Stream]) -> dict[Stream, Head]:
    """Where the streams stand, without a lock: for a dry run."""
    query = select(heads).where(row(heads.c.workstream, heads.c.scope).in_([(s.workstream, s.scope) for s in streams]))
    return _heads_of((await connection.execute(query)).all()) if streams else {}


async def kept_under(connection: AsyncConnection, stated_by: str, keys: Collection[str]) -> dict[str, Kept]:
    """The returns that a sender has stated under these idempotency keys."""
    if not keys:
        return {}
    query = select(*_KEPT, returns.c.idempotency_key).where(
        returns.c.stated_by == stated_by, returns.c.idempotency_key.in_(keys)
    )
    return {found.idempotency_key: _kept(found) for found in await connection.execute(query)}


async def last_of(connection: AsyncConnection, last: Mapping[Stream, Head]) -> dict[Stream, Kept]:
    """The last return of each of these streams."""
    if not last:
        return {}
    wanted = [(stream.workstream, stream.scope, head.version) for stream, head in last.items()]
    query = select(*_KEPT, returns.c.workstream, returns.c.scope).where(
        row(returns.c.workstream, returns.c.scope, returns.c.version).in_(wanted)
    )
    return {_stream(found): _kept(found) for found in await connection.execute(query)}


async def keep(
    connection: AsyncConnection,
    accepted: Sequence[Accepted],
    by: Principal,
    request_id: str,
    locked: Collection[Stream],
) -> None:
    """Write what was accepted, in the transaction in which the streams were locked. The events are the caller's."""
    await connection.execute(returns.insert(), [_return_row(one, by, request_id) for one in accepted])
    new_accounts = [
        _account_row(line.key, line.account)
        for one in accepted
        for line in one.return_.lines
        if line.key in one.new_accounts
    ]
    if new_accounts:
        await connection.execute(accounts.insert(), new_accounts)
    await connection.execute(
        figures.insert(),
        [
            {
                "account": line.key,
                "as_at": one.return_.as_at,
                "version": one.version,
                "status": line.figure.status,
                "amount_pence": line.figure.amount_pence,
            }
            for one in accepted
            for line in one.return_.lines
        ],
    )
    moved = {one.return_.stream: one for one in accepted}
    await connection.execute(
        _MOVE_HEAD,
        [
            {
                "of_workstream": stream.workstream,
                "of_scope": stream.scope,
                "version": last.version,
                "recorded_at": last.recorded_at,
                "content_hash": content_hash(last.content),
            }
            for stream, last in sorted(moved.items())
        ],
    )
    if locked - moved.keys():
        # A head made for a return that was then refused is taken away again: nothing of it is kept.
        await connection.execute(heads.delete().where(heads.c.version == 0))


def _heads_of(found: Sequence[Found]) -> dict[Stream, Head]:
    return {_stream(head): Head(head.version, head.recorded_at, head.content_hash) for head in found if head.version}


def _stream(found: Found) -> Stream:
    return Stream(WorkstreamCode(found.workstream), Scope(found.scope))


_KEPT: Final[Sequence[Column[Any]]] = (returns.c.id, returns.c.stated_by, returns.c.content, returns.c.answer)


def _kept(found: Found) -> Kept:
    return Kept(found.id, found.stated_by, found.content, found.answer)


def _return_row(one: Accepted, by: Principal, request_id: str) -> dict[str, object]:
    return {
        "id": one.id,
        "workstream": one.return_.stream.workstream,
        "scope": one.return_.stream.scope,
        "version": one.version,
        "as_at": one.return_.as_at,
        "recorded_at": one.recorded_at,
        "stated_by": by.name,
        "stated_by_role": by.role,
        "stated_by_council": by.council,
        "source_system": one.return_.source.system,
        "source_reference": one.return_.source.reference,
        "source_file": one.return_.source.file,
        "reason": one.return_.reason,
        "content": one.content,
        "idempotency_key": one.key,
        "request_id": request_id,
        "answer": one.answer,
    }


def _account_row(key: AccountKey, account: Account) -> dict[str, object]:
    return {
        "key": key,
        "workstream": account.workstream,
        "scope": account.scope,
        "initiative": account.initiative,
        "year": str(account.year),
        "basis": account.basis,
        "benefit": account.benefit,
        "recurrence": account.recurrence,
        "flow": account.flow,
    }


_MOVE_HEAD: Final = (
    heads.update()
    .where(heads.c.workstream == bindparam("of_workstream"), heads.c.scope == bindparam("of_scope"))
    .values(version=bindparam("version"), recorded_at=bindparam("recorded_at"), content_hash=bindparam("content_hash"))
)
