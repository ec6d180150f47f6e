"""What reporting does when entries have been posted: fold them into its read model, once, a batch a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.tables import accounts, consumed, entries, ledger, returns, streams
from shared.bus.envelope import Event, from_message
from shared.bus.port import Received
from shared.clock import Clock
from shared.database import insert
from shared.events import ENTRIES_POSTED, EntriesPosted, EntryPosted
from shared.figures import Account, Standing
from shared.partnership import Partnership

#: Well below the number of parameters that either back end takes in one statement.
_KEYS_AT_ONCE: Final = 5_000

_Line = tuple[Account, EntriesPosted, EntryPosted]


async def fold(
    connection: AsyncConnection, batch: Sequence[Received], partnership: Partnership, clock: Clock
) -> Sequence[EntriesPosted]:
    """Fold a batch of events into the read model; those folded before are left out of it, and of what is returned.

    What stands afterwards does not depend on the order in which they come.

    Raises:
        PoisonMessage, ValueError: for a message that can never be folded.
    """
    received = [(message, from_message(message)) for message in batch]
    posted = {event.id: _read(event, partnership) for _, event in received}
    fresh = [posted[event.id] for _, event in await consumed.first_time(connection, received, clock)]
    if not fresh:
        return fresh
    await _keep_returns(connection, fresh)
    lines = [(entry.account_in(each.stream), each, entry) for each in fresh for entry in each.entries]
    if lines:
        await _raise_standing(connection, lines)
        await _keep_entries(connection, lines)
    # Last, because it is the one row that every folding transaction wants.
    await connection.execute(ledger.update().values(version=ledger.c.version + len(fresh)))
    return fresh


def _read(event: Event, partnership: Partnership) -> EntriesPosted:
    if event.type != ENTRIES_POSTED:
        raise ValueError(f"{event.type} is no event of this topic")
    posted = EntriesPosted.model_validate_json(event.data)
    if posted.partnership != partnership.code:
        raise ValueError(f"posted for the partnership {posted.partnership}; this is the table of {partnership.code}")
    return posted


async def _keep_returns(connection: AsyncConnection, fresh: Sequence[EntriesPosted]) -> None:
    about = sorted({each.stream for each in fresh})
    await connection.execute(
        insert(streams, connection).on_conflict_do_nothing(),
        [{"workstream": stream.workstream, "scope": stream.scope} for stream in about],
    )
    await connection.execute(
        returns.insert(),
        [
            {
                "submission_id": each.submission_id,
                "workstream": each.workstream,
                "scope": each.scope,
                "version": each.version,
                "as_at": each.as_at,
                "recorded_at": each.recorded_at,
                "stated_by": each.stated_by.name,
                "stated_by_role": each.stated_by.role,
                "stated_by_council": each.stated_by.council,
                "source_system": each.source.system,
                "source_reference": each.source.reference,
                "source_file": each.source.file,
                "reason": each.reason,
                "written_update": each.update,
            }
            for each in fresh
        ],
    )


async def _raise_standing(connection: AsyncConnection, lines: Sequence[_Line]) -> None:
    """Let the highest-ranking entry of each account stand, be it in this batch or there already."""
    highest: dict[Account, Standing] = {}
    for account, each, _ in lines:
        rank = Standing(each.as_at, each.version)
        highest[account] = max(rank, highest.get(account, rank))
    stating = insert(accounts, connection)
    higher = or_(
        stating.excluded.as_at > accounts.c.as_at,
        and_(stating.excluded.as_at == accounts.c.as_at, stating.excluded.version > accounts.c.version),
    )
    await connection.execute(
        stating.on_conflict_do_update(
            index_elements=["key"],
            set_={"as_at": stating.excluded.as_at, "version": stating.excluded.version},
            where=higher,
        ),
        [
            {
                "key": str(account),
                "workstream": account.workstream,
                "scope": account.scope,
                "initiative": account.initiative,
                "year": account.year.starts_in,
                "basis": account.basis,
                "benefit": account.benefit,
                "recurrence": account.recurrence,
                "flow": account.flow,
                "as_at": rank.as_at,
                "version": rank.version,
            }
            # In one order in every transaction, so that two of them never wait for each other.
            for account, rank in sorted(highest.items())
        ],
    )


async def _keep_entries(connection: AsyncConnection, lines: Sequence[_Line]) -> None:
    ids = await _ids_of(connection, sorted({str(account) for account, _, _ in lines}))
    await connection.execute(
        entries.insert(),
        [
            {
                "account_id": ids[str(account)],
                "version": each.version,
                "as_at": each.as_at,
                "recorded_at": each.recorded_at,
                "submission_id": each.submission_id,
                "line": entry.line,
                "number": entry.number,
                "status": entry.status,
                "amount_pence": entry.amount_pence,
                "confidence": entry.confidence,
                "movement_pence": entry.movement_pence,
                "balance_pence": entry.balance_pence,
                "reason": entry.reason,
                "note": entry.note,
                "cell": entry.cell,
                "hash": entry.hash,
            }
            for account, each, entry in lines
        ],
    )


async def _ids_of(connection: AsyncConnection, keys: Sequence[str]) -> Mapping[str, int]:
    ids: dict[str, int] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        query = select(accounts.c.key, accounts.c.id).where(accounts.c.key.in_(some))
        ids.update((row.key, row.id) for row in await connection.execute(query))
    return ids
