"""What has to be known to decide the returns at hand, read in a few statements however many they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake import account_history, store
from services.intake.deciding import Head, Known, content_hash
from services.intake.stated_figures import AccountKey
from services.intake.statement import Statement
from shared.figures import Account, Stream


async def known_of(connection: AsyncConnection, statements: Sequence[Statement], heads: Mapping[Stream, Head]) -> Known:
    """Read what the decision about these returns depends on, given where their streams stand."""
    keys = {(each.by.name, each.reading.key) for each in statements if each.reading.key is not None}
    known = Known(
        heads=dict(heads),
        by_key=await store.kept_under(connection, keys),
        last=await store.last_of(connection, _perhaps_stated_again(statements, heads)),
    )
    await account_history.figures_as_at(connection, await _wanted(connection, statements), known.figures)
    return known


def _perhaps_stated_again(statements: Sequence[Statement], heads: Mapping[Stream, Head]) -> Mapping[Stream, Head]:
    """The streams whose last return says the same as one at hand that has no key."""
    return {
        reading.return_.stream: head
        for reading in (statement.reading for statement in statements)
        if reading.key is None and reading.return_ is not None and reading.content is not None
        if (head := heads.get(reading.return_.stream)) is not None
        if head.content_hash == content_hash(reading.content)
    }


async def _wanted(
    connection: AsyncConnection, statements: Sequence[Statement]
) -> Mapping[tuple[AccountKey, date], Account]:
    """Each account named, as at the date of its return; every account of the stream where a cumulative is stated."""
    wanted: dict[tuple[AccountKey, date], Account] = {}
    summed: dict[Stream, set[date]] = {}
    for return_ in (each.reading.return_ for each in statements if each.reading.return_ is not None):
        wanted |= {(line.key, return_.as_at): line.account for line in return_.lines}
        if return_.states_a_cumulative:
            summed.setdefault(return_.stream, set()).add(return_.as_at)
    for account in await account_history.accounts_of(connection, summed):
        key = str(account)
        wanted |= {(key, day): account for day in summed[account.stream]}
    return wanted
