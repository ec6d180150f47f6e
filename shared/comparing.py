"""Whether two databases hold the same rows, told by what the rows mean and not by the ids they happen to have.

Rows are read page by page on both sides in the order of a key that means the same in both, so that a table of any size
is compared in little memory, and no statement runs long.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, Table, select
from sqlalchemy import tuple_ as row
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.clock import moment_text
from shared.positions import Consumed

ROWS_AT_ONCE: Final = 2_000

_SHOWN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that is not the same on both sides: as the live database keeps it, and as it was replayed."""

    subject: str
    kept: str
    again: str

    def __str__(self) -> str:
        return f"{self.subject}: {self.kept} in the live database, {self.again} when replayed from the topic"


class Differs(Exception):
    """The two sides are not the same."""

    def __init__(self, subject: str, kept: object, again: object) -> None:
        super().__init__(subject)
        self.difference = Difference(subject, _shown(kept), _shown(again))


class Sides(NamedTuple):
    """A reading transaction on each side."""

    kept: AsyncConnection
    again: AsyncConnection


class Content(NamedTuple):
    """What to compare: a query, and the key that orders it; the key's columns are among those selected."""

    query: Select[Any]
    key: Sequence[ColumnElement[Any]]


def columns_but(table: Table, *left_out: str) -> Sequence[ColumnElement[Any]]:
    """The columns of a table without those that mean nothing outside their database."""
    return [column for column in table.columns if column.name not in left_out]


async def compare(sides: Sides, content: Content, name: Callable[[Row[Any]], str]) -> int:
    """How many rows there are on each side, all of them the same. ``name`` says of a row what it is.

    Raises:
        Differs: naming the first that differs, and its column.
    """
    names = [column.key or "" for column in content.key]
    count, after = 0, None
    while True:
        kept, again = [(await connection.execute(_page(content, after))).all() for connection in sides]
        compare_rows(kept, again, names, name)
        count += len(kept)
        if len(kept) < ROWS_AT_ONCE:
            return count
        after = tuple(getattr(kept[-1], column) for column in names)


def compare_rows(
    kept: Sequence[Row[Any]], again: Sequence[Row[Any]], key: Sequence[str], name: Callable[[Row[Any]], str]
) -> None:
    """Rows of both sides in the same order.

    Raises:
        Differs: naming the first that differs, and its column.
    """
    for one, other in zip_longest(kept, again):
        if one is None or other is None or _key(one, key) != _key(other, key):
            _tell_the_missing(one, other, {_key(each, key) for each in again}, key, name)
        elif one != other:
            for column, left, right in zip(one._fields, one, other, strict=True):
                if left != right:
                    raise Differs(f"{name(one)}, its {column.replace('_', ' ')}", left, right)


async def compare_consumed(sides: Sides, consumed: Consumed) -> int:
    """What had its effect, and what was set aside, are the same; when and in which words it was set aside may differ.

    Raises:
        Differs: naming the first that is not.
    """
    effects, parked = consumed.effects, consumed.parked
    place = (parked.c.topic, parked.c.partition, parked.c.offset)
    count = await compare(
        sides,
        Content(select(*place, parked.c.key, parked.c.value), place),
        lambda found: f"the parked event {found.topic}[{found.partition}] {found.offset}",
    )
    return count + await compare(
        sides,
        Content(select(effects), (effects.c.source, effects.c.event_id)),
        lambda found: f"the effect of {found.source} {found.event_id}",
    )


def _tell_the_missing(
    one: Row[Any] | None,
    other: Row[Any] | None,
    there: Collection[tuple[Any, ...]],
    key: Sequence[str],
    name: Callable[[Row[Any]], str],
) -> None:
    if one is not None and (other is None or _key(one, key) not in there):
        raise Differs(name(one), "there", "not there")
    assert other is not None  # noqa: S101 - of two that differ one is there
    raise Differs(name(other), "not there", "there")


def _key(found: Row[Any], key: Sequence[str]) -> tuple[Any, ...]:
    return tuple(getattr(found, column) for column in key)


def _page(content: Content, after: tuple[Any, ...] | None) -> Select[Any]:
    query, key = content
    if after is not None:
        query = query.where(key[0] > after[0] if len(key) == 1 else row(*key) > row(*after))
    return query.order_by(*key).limit(ROWS_AT_ONCE)


def _shown(value: object) -> str:
    match value:
        case bytes():
            text = value.hex()
        case datetime():
            text = moment_text(value)
        case None:
            text = "nothing"
        case _:
            text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
