"""Writing what the ledger decided: locks first, then a handful of statements, however many returns there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table, bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker.ledger import Head, Held, Posted
from services.tracker.store import STANDING, accounts, entries, held_from, postings, streams
from shared.database import ForEach, for_driver, insert
from shared.events import ReturnAccepted
from shared.figures import Account, Stream

_PARAMETERS_AT_ONCE: Final = 1000


def _inserting(table: Table) -> ForEach:
    return ForEach(table.insert(), tuple(table.columns.keys()))


def _changing(table: Table, *names: str) -> ForEach:
    """The row whose ``id`` comes last gets these values."""
    statement = table.update().where(table.c.id == bindparam("the_id"))
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return ForEach(statement.values(values), (*(f"new_{name}" for name in names), "the_id"))


_append_postings = _inserting(postings)
_append_entries = _inserting(entries)
_change_accounts = _changing(accounts, *Held._fields)
_change_heads = _changing(streams, *Head._fields)


@dataclass(frozen=True, slots=True)
class Locked:
    """A stream to which this transaction alone may post."""

    id: int
    head: Head


@dataclass(frozen=True, slots=True)
class Known:
    """What stands on some accounts, by their texts, and under which ids the database has those it knows."""

    held: Mapping[str, Held]
    ids: Mapping[str, int]


async def lock(connection: AsyncConnection, wanted: Iterable[Stream]) -> Mapping[Stream, Locked]:
    """Lock the heads of streams, in sorted order; a stream never posted to is made."""
    by_name = {str(stream): stream for stream in sorted(wanted)}
    locked = await _lock(connection, by_name)
    missing = [stream for stream in by_name.values() if stream not in locked]
    if not missing:
        return locked
    making = insert(streams, connection).on_conflict_do_nothing()
    await connection.execute(making, [_new_stream(stream) for stream in missing])
    return await _lock(connection, by_name)


async def known(connection: AsyncConnection, keys: Iterable[str]) -> Known:
    """What stands on accounts, by their texts. Those never posted to are left out."""
    held: dict[str, Held] = {}
    ids: dict[str, int] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), _PARAMETERS_AT_ONCE):
        some = wanted[start : start + _PARAMETERS_AT_ONCE]
        query = select(accounts.c.key, accounts.c.id, *STANDING).where(accounts.c.key.in_(some))
        for key, account_id, *standing in await connection.execute(query):
            held[key] = held_from(standing)
            ids[key] = account_id
    return Known(held, ids)


async def keep(
    connection: AsyncConnection,
    locked: Mapping[Stream, Locked],
    before: Known,
    posted: Sequence[tuple[ReturnAccepted, Posted]],
) -> None:
    """Write what posting some returns came to, in the order of posting."""
    heads: dict[Stream, Head] = {}
    standing: dict[str, Held] = {}
    new: dict[str, Account] = {}
    for accepted, outcome in posted:
        stream = accepted.stream
        heads[stream] = outcome.head
        standing |= outcome.held
        if not outcome.held.keys() <= before.ids.keys():
            lines = zip(accepted.accounts, accepted.lines, strict=True)
            new |= {key: line.account_in(stream) for key, line in lines if key not in before.ids}
    made = await _make_accounts(connection, locked, new, standing)
    day = for_driver(accounts.c.as_at, connection)
    changed = [(*_what_stands(standing[key], day), before.ids[key]) for key in sorted(standing.keys() - made.keys())]
    await _change_accounts.run(connection, changed)
    await _append(connection, locked, {**before.ids, **made}, posted)
    await _change_heads.run(connection, [(*head, locked[stream].id) for stream, head in sorted(heads.items())])


async def _append(
    connection: AsyncConnection,
    locked: Mapping[Stream, Locked],
    account_ids: Mapping[str, int],
    posted: Sequence[tuple[ReturnAccepted, Posted]],
) -> None:
    day = for_driver(postings.c.as_at, connection)
    moment = for_driver(postings.c.recorded_at, connection)
    posting_rows: list[tuple[Any, ...]] = []
    entry_rows: list[tuple[Any, ...]] = []
    for accepted, outcome in posted:
        stream_id, version = locked[accepted.stream].id, accepted.version
        as_at, recorded_at = day(accepted.as_at), moment(accepted.recorded_at)
        posting_rows.append(
            (
                stream_id,
                outcome.number,
                accepted.submission_id,
                version,
                as_at,
                recorded_at,
                accepted.stated_by.name,
                str(accepted.stated_by.role),
                accepted.stated_by.council,
                accepted.source.system,
                accepted.source.reference,
                accepted.source.file,
                accepted.reason,
                accepted.update,
                outcome.previous_hash,
                outcome.hash,
            )
        )
        entry_rows.extend(
            (
                stream_id,
                entry.number,
                outcome.number,
                account_ids[entry.account],
                line.line,
                str(line.status),
                line.amount_pence,
                str(line.confidence),
                entry.movement_pence,
                entry.balance_pence,
                as_at,
                version,
                recorded_at,
                line.reason,
                line.note,
                line.cell,
                entry.previous_hash,
                entry.hash,
            )
            for entry, line in zip(outcome.entries, accepted.lines, strict=True)
        )
    await _append_postings.run(connection, posting_rows)
    # In the order of their key, so that the database goes through its index once instead of here and there.
    entry_rows.sort()
    await _append_entries.run(connection, entry_rows)


async def _make_accounts(
    connection: AsyncConnection,
    locked: Mapping[Stream, Locked],
    new: Mapping[str, Account],
    standing: Mapping[str, Held],
) -> Mapping[str, int]:
    if not new:
        return {}
    rows = [
        {
            "stream_id": locked[account.stream].id,
            "key": key,
            "initiative": account.initiative,
            "year": str(account.year),
            "basis": account.basis,
            "benefit": account.benefit,
            "recurrence": account.recurrence,
            "flow": account.flow,
            **dict(zip(Held._fields, _what_stands(standing[key], _as_it_is), strict=True)),
        }
        for key, account in new.items()
    ]
    made = await connection.execute(accounts.insert().returning(accounts.c.key, accounts.c.id), rows)
    return {key: int(account_id) for key, account_id in made}


def _what_stands(held: Held, day: Callable[[Any], Any]) -> tuple[Any, ...]:
    """The values of :class:`Held`, in its order, as the driver takes them."""
    status, amount_pence, confidence, as_at, *counts = held
    return (str(status), amount_pence, str(confidence), day(as_at), *counts)


def _as_it_is(value: Any) -> Any:
    return value


async def _lock(connection: AsyncConnection, by_name: Mapping[str, Stream]) -> Mapping[Stream, Locked]:
    columns = (streams.c.name, streams.c.id, *(streams.c[name] for name in Head._fields))
    query = select(*columns).where(streams.c.name.in_(by_name)).order_by(streams.c.name).with_for_update()
    return {by_name[name]: Locked(id_, Head(*head)) for name, id_, *head in await connection.execute(query)}


def _new_stream(stream: Stream) -> dict[str, Any]:
    identity = {"name": str(stream), "workstream": stream.workstream, "scope": stream.scope}
    return identity | Head.of_nothing(stream)._asdict()
