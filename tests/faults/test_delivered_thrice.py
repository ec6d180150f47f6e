"""Every event delivered three times over, in any order, to trackers that come and go: each has its effect once."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select

from savings.process import Process
from services.tracker.store import accounts, consumed, entries, outbox, postings, streams
from services.tracker.verifying import verify
from shared.bus.envelope import Event, to_json, to_message
from shared.bus.port import Message
from shared.events import (
    INTAKE_SOURCE,
    RETURN_ACCEPTED,
    SUBMISSIONS_TOPIC,
    LineAccepted,
    ReturnAccepted,
    Source,
    StatedBy,
)
from shared.figures import Basis, Benefit, Confidence, Flow, Recurrence, Status
from shared.partnership import Partnership
from shared.principal import Role
from shared.settings import Settings

pytestmark = [pytest.mark.long, pytest.mark.faults]

EVENTS = int(os.environ.get("SAVINGS_DELIVERED_EVENTS", "3000"))
SEED = int(os.environ.get("SAVINGS_SEED", "7"))
DELIVERIES = 3
AT_ONCE = 1_000
DEADLINE_SECONDS = 300
FIRST_RECORDED = datetime(2012, 1, 1, tzinfo=UTC)
ON_REAL_PARTS = pytest.mark.parametrize("settings", ["for real"], indirect=True)


def events_of(partnership: Partnership, count: int) -> list[Event]:
    """As intake would send them: the streams take turns, and the versions of each count from 1."""
    scopes = ["partnership", *(council.gss for council in partnership.councils)]
    pairs = [(workstream.code, scope) for workstream in partnership.workstreams for scope in scopes]
    return [
        event_of(partnership, *pairs[number % len(pairs)], number, number // len(pairs) + 1) for number in range(count)
    ]


def event_of(partnership: Partnership, workstream: str, scope: str, number: int, version: int) -> Event:
    recorded_at = FIRST_RECORDED + timedelta(seconds=number)
    accepted = ReturnAccepted(
        submission_id=str(UUID(int=number + 1)),
        partnership=partnership.code,
        workstream=workstream,
        scope=scope,
        version=version,
        as_at=date(2011, 12, 7),
        recorded_at=recorded_at,
        stated_by=StatedBy(name="a finance system", role=Role.FINANCE, council=""),
        source=Source(),
        lines=(
            LineAccepted(
                line=0,
                year="2012/13",
                basis=Basis.ESTIMATE,
                benefit=Benefit.CASH_RELEASING,
                recurrence=Recurrence.RECURRING,
                flow=Flow.SAVING,
                confidence=Confidence.FIRM,
                status=Status.QUANTIFIED,
                amount_pence=100 * version,
            ),
        ),
    )
    return Event(
        id=accepted.submission_id,
        source=INTAKE_SOURCE,
        type=RETURN_ACCEPTED,
        key=str(accepted.stream),
        time=recorded_at,
        data=to_json(accepted),
        correlation_id=None,
    )


def wholly_shuffled(events: Sequence[Event], chance: random.Random) -> list[Event]:
    delivered = [*events] * DELIVERIES
    chance.shuffle(delivered)
    return delivered


def shuffled_across_streams(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Delivery after delivery, each with the streams interleaved by chance and every stream in its order."""
    delivered: list[Event] = []
    for _ in range(DELIVERIES):
        by_stream: dict[str, list[Event]] = {}
        for event in reversed(events):
            by_stream.setdefault(event.key, []).append(event)
        turns = [key for key, waiting in by_stream.items() for _ in waiting]
        chance.shuffle(turns)
        delivered += [by_stream[key].pop() for key in turns]
    return delivered


@asynccontextmanager
async def consuming(settings: Settings) -> AsyncIterator[Process]:
    """A tracker that posts until the block is left; what it tells stays in its outbox, to be counted."""
    process = Process(settings, ["tracker"])
    assert process.tracker is not None
    task = asyncio.create_task(process.tracker.consuming.run())
    try:
        yield process
    finally:
        task.cancel()
        await asyncio.wait([task])
        await process.close()


async def read_so_far(process: Process) -> int:
    query = select(func.coalesce(func.sum(consumed.positions.c.next_offset), 0))
    async with process.database("tracker").read() as connection:
        return int((await connection.execute(query)).scalar_one())


async def until_read(process: Process, count: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await read_so_far(process) < count:  # noqa: ASYNC110 - a database calls nobody back
            await asyncio.sleep(0.05)


async def count_of(process: Process) -> dict[str, int]:
    async with process.database("tracker").read() as connection:
        return {
            table.name: (await connection.execute(select(func.count()).select_from(table))).scalar_one()
            for table in (consumed.effects, postings, entries, outbox.rows, consumed.parked)
        }


@ON_REAL_PARTS
@pytest.mark.parametrize("deliver", [wholly_shuffled, shuffled_across_streams])
async def test_delivered_three_times_over_each_event_has_its_effect_once(
    settings: Settings, deliver: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(deliver)
    process = Process(settings, ["tracker"])
    async for _ in process.migrate():
        pass
    events = events_of(process.partnership, EVENTS)
    delivered: list[Message] = [to_message(SUBMISSIONS_TOPIC, event) for event in deliver(events, random.Random(SEED))]
    started = time.monotonic()
    # A second tracker joins under way, and the first one leaves.
    async with consuming(settings):
        for start in range(0, len(delivered), AT_ONCE):
            assert set(await process.bus.publish(delivered[start : start + AT_ONCE])) == {None}
        await until_read(process, len(delivered) // 4)
        async with consuming(settings):
            await until_read(process, len(delivered) // 2)
    async with consuming(settings):
        await until_read(process, len(delivered))
    took = time.monotonic() - started
    found = await count_of(process)
    with capsys.disabled():
        print(
            f"\n{EVENTS:,} events delivered {DELIVERIES} times over, {deliver.__name__.replace('_', ' ')}: "
            f"{found['effects']:,} effects, {found['entries']:,} entries in {took:.0f} s"
        )
    assert found == {"effects": EVENTS, "postings": EVENTS, "entries": EVENTS, "outbox": EVENTS, "parked": 0}
    async with process.database("tracker").read() as connection:
        heads = list(await connection.execute(select(streams)))
        standing = {row.stream_id: row.balance_pence for row in await connection.execute(select(accounts))}
        if deliver is shuffled_across_streams:
            in_order = await connection.execute(select(func.count()).where(postings.c.number == postings.c.version))
            assert in_order.scalar_one() == EVENTS
    # The last version of each stream stands, whatever came last.
    assert standing == {head.id: 100 * head.version for head in heads}
    assert all(head.version == head.posting_count == head.entry_count for head in heads)
    verdict = await verify(process.database("tracker"))
    await process.close()
    assert verdict.fault is None
    assert verdict.entries == EVENTS
