"""What became of the returns that were sent, read from the databases and the topics themselves."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from deploy.local.stack import Stack
from shared.events import ENTRIES_TOPIC, SUBMISSIONS_TOPIC
from tests.faults.returns_sent import Sender
from tests.faults.topics import records_of

_PARKED: Final = """
    SELECT (SELECT count(*) FROM intake.parked) + (SELECT count(*) FROM tracker.parked)
         + (SELECT count(*) FROM reporting.parked) + (SELECT count(*) FROM intake.rejections)
         + (SELECT count(*) FROM intake.outbox WHERE parked_reason IS NOT NULL)
         + (SELECT count(*) FROM tracker.outbox WHERE parked_reason IS NOT NULL)
"""
_TRACKER_RETURNS: Final = """
    SELECT s.workstream, s.scope, p.submission_id, p.version, p.number
    FROM tracker.postings p JOIN tracker.streams s ON s.id = p.stream_id ORDER BY p.stream_id, p.number
"""
_TRACKER_ENTRIES: Final = """
    SELECT s.workstream, s.scope, p.submission_id, e.version, e.number
    FROM tracker.entries e JOIN tracker.streams s ON s.id = e.stream_id
    JOIN tracker.postings p ON p.stream_id = e.stream_id AND p.number = e.posting_number
    ORDER BY e.stream_id, e.number
"""
_INTAKE_RETURNS: Final = (
    "SELECT workstream, scope, id AS submission_id, version, version AS number FROM intake.returns ORDER BY version"
)
_REPORTING_ENTRIES: Final = """
    SELECT r.workstream, r.scope, r.submission_id, r.version, e.number
    FROM reporting.entries e JOIN reporting.returns r USING (submission_id) ORDER BY r.version, e.number
"""

Streams = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Verdict:
    """What was found wrong, in words; every list is empty when nothing is."""

    acknowledged: int
    lost: Sequence[str]
    doubled: Sequence[str]
    out_of_order: Sequence[str]
    #: How many events stand on the topics more often than once: harmless, and only where a relay was interrupted.
    sent_again: int
    #: How many messages and outbox rows could not be dealt with and were set aside.
    parked: int

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order or self.parked)

    def __str__(self) -> str:
        return (
            f"{self.acknowledged} returns acknowledged: {len(self.lost)} lost, {len(self.doubled)} doubled, "
            f"{len(self.out_of_order)} out of order, {self.parked} parked"
        )


@dataclass
class _Findings:
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    out_of_order: list[str] = field(default_factory=list)


async def parked(stack: Stack) -> int:
    """How many have been set aside so far."""
    return int(await _value(stack, _PARKED))


async def judge(stack: Stack, senders: Sequence[Sender], parked_before: int = 0) -> Verdict:
    """Compare what the senders were told with what every part of the stack now holds of their streams."""
    for sender in senders:
        await sender.learn_ids()
    streams = frozenset(sender.stream for sender in senders)
    found = _Findings()
    connection = await asyncpg.connect(stack.database.superuser_url)
    try:
        rows = {
            "intake": await connection.fetch(_INTAKE_RETURNS),
            "tracker": await connection.fetch(_TRACKER_RETURNS),
            "tracker's entries": await connection.fetch(_TRACKER_ENTRIES),
            "reporting": await connection.fetch(_REPORTING_ENTRIES),
        }
    finally:
        await connection.close()
    for where, all_rows in rows.items():
        of_ours = [row for row in all_rows if (row["workstream"], row["scope"]) in streams]
        _compare(where, of_ours, senders, found)
    sent_again = 0
    for topic in (SUBMISSIONS_TOPIC, ENTRIES_TOPIC):
        versions = await _versions_on(stack, topic, streams)
        for sender in senders:
            seen = versions.get(sender.stream, [])
            first = list(dict.fromkeys(seen))
            sent_again += len(seen) - len(first)
            _in_order(f"{topic}, {sender.stream}", first, found)
            missing = len(sender.acknowledged) - len(first)
            found.lost += [f"{topic}: {missing} of {sender.stream}"] if missing > 0 else []
    return Verdict(
        sum(len(sender.acknowledged) for sender in senders),
        found.lost,
        found.doubled,
        found.out_of_order,
        sent_again,
        await parked(stack) - parked_before,
    )


def _compare(where: str, rows: Sequence[Mapping[str, Any]], senders: Sequence[Sender], found: _Findings) -> None:
    """One line each: so each return is one row, in intake as among the tracker's entries and in reporting."""
    counted = Counter(row["submission_id"] for row in rows)
    found.doubled += [f"{where}: {id_} is there {number} times" for id_, number in counted.items() if number > 1]
    by_stream: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        by_stream[row["workstream"], row["scope"]].append(row)
    asked_for: set[str] = set()
    for sender in senders:
        ids = [sender.ids.get(name) for name in sender.acknowledged]
        found.lost += [
            f"{where}: {name}"
            for name, id_ in zip(sender.acknowledged, ids, strict=True)
            if id_ is None or id_ not in counted
        ]
        asked_for |= {id_ for id_ in ids if id_ is not None}
        held = by_stream[sender.stream]
        _in_order(f"{where}, versions of {sender.stream}", [row["version"] for row in held], found)
        _in_order(f"{where}, numbers of {sender.stream}", [row["number"] for row in held], found)
        if [row["submission_id"] for row in held if row["submission_id"] in ids] != [
            id_ for id_ in ids if id_ in counted
        ]:
            found.out_of_order.append(f"{where}: not in the order in which {sender.stream} was stated")
    # Under one name a second return: nobody asked for it.
    found.doubled += [f"{where}: nobody was told of {id_}" for id_ in counted.keys() - asked_for]
    if where == "intake":
        found.doubled += [contradiction for sender in senders for contradiction in sender.contradictions]


def _in_order(where: str, numbers: Sequence[int], found: _Findings) -> None:
    if list(numbers) != list(range(1, len(numbers) + 1)):
        found.out_of_order.append(f"{where}: {_around_the_break(numbers)}")


def _around_the_break(numbers: Sequence[int]) -> str:
    at = next(place for place, number in enumerate(numbers) if number != place + 1)
    return f"... {list(numbers[max(0, at - 2) : at + 3])} from place {at + 1}"


async def _versions_on(stack: Stack, topic: str, streams: Streams) -> Mapping[tuple[str, str], list[int]]:
    """The versions of each stream in the order in which they stand on the topic, each as often as it stands there."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for record in await records_of(stack.broker.admin, topic):
        content = json.loads(record.value)
        if (stream := (content["workstream"], content["scope"])) in streams:
            found[stream].append(content["version"])
    return found


async def _value(stack: Stack, query: str) -> Any:
    connection = await asyncpg.connect(stack.database.superuser_url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
