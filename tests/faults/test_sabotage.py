"""The fault tests tested: the product broken in five ways, each of which they must see, and see only where it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest

from deploy.local.processes import Unavailable, free_ports
from deploy.local.stack import Stack
from savings.process import SERVICES
from shared.settings import ServiceName
from tests.faults.lag import settled
from tests.faults.lives import Life, armed
from tests.faults.points import Point
from tests.faults.returns_sent import OverHttp, Sender, sending
from tests.faults.sabotage import Sabotage
from tests.faults.verdict import Verdict, judge, parked

pytestmark = [pytest.mark.long, pytest.mark.faults]

SETTLE_SECONDS = 40
#: What a relay that will never send a row is given to send it.
CURSOR_SETTLE_SECONDS = 8
SLOW_SECONDS = 2
RETURNS = 30
WITH_AND_WITHOUT = pytest.mark.parametrize("is_broken", [False, True], ids=["as it is", "broken"])


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    try:
        with Stack(tmp_path_factory.mktemp("stack"), progress=lambda _: None) as stack:
            yield stack
    except Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have it: {error}")
        pytest.skip(str(error))


@pytest.fixture(autouse=True)
async def _whole(stack: Stack) -> AsyncIterator[None]:
    """Each test finds the real services running and nothing on its way."""
    for service in SERVICES:
        await asyncio.to_thread(stack.services[service].start)
    assert not await settled(stack, SETTLE_SECONDS)
    yield
    for service in SERVICES:
        await asyncio.to_thread(stack.services[service].start)


def senders_of(stack: Stack, workstream: str, is_broken: bool, count: int = 3) -> list[Sender]:
    """Councils with streams that no other test uses: what is lost or doubled there stays there."""
    councils = stack.partnership.councils[count if is_broken else 0 :][:count]
    return [OverHttp(stack, workstream, one.gss, holder=f"finance-{one.register_code}") for one in councils]


@asynccontextmanager
async def instead(
    stack: Stack, service: ServiceName, *lives: Sequence[str], ports: Sequence[int] = (0,)
) -> AsyncIterator[list[Life]]:
    """Lives with these options in the place of the stack's own process of the service, until the block is left."""
    await asyncio.to_thread(stack.services[service].stop)
    async with AsyncExitStack() as running:
        started = []
        for options, port in zip(lives, ports, strict=True):
            started.append(Life(stack, service, *options, port=port))
            running.push_async_callback(asyncio.to_thread, started[-1].stop)
        for life in started:
            await life.answers()
        yield started


async def killed_once(stack: Stack, service: ServiceName, point: Point, senders: list[Sender], *options: str) -> None:
    """Under load the service is killed at the point, and comes back as it is."""
    await asyncio.to_thread(stack.services[service].stop)
    life = armed(stack, service, point, 3, *options)
    try:
        async with sending(senders):
            await life.dies_at(point)
            await asyncio.to_thread(stack.services[service].start)
    finally:
        await asyncio.to_thread(life.stop)


def broken_by(sabotage: Sabotage, is_broken: bool) -> Sequence[str]:
    return ("--sabotage", sabotage.name) if is_broken else ()


def tell(capsys: pytest.CaptureFixture[str], sabotage: Sabotage, is_broken: bool, verdict: Verdict) -> None:
    with capsys.disabled():
        print(f"\n{sabotage if is_broken else f'without {sabotage}'}: {verdict}, {verdict.sent_again} sent again")


@WITH_AND_WITHOUT
async def test_no_dedupe_is_seen_as_doubled(stack: Stack, is_broken: bool, capsys: pytest.CaptureFixture[str]) -> None:
    senders, before = senders_of(stack, "ict", is_broken), await parked(stack)
    if is_broken:
        # The last net below the table of effects: with it there, what comes twice would be parked.
        connection = await asyncpg.connect(stack.database.superuser_url)
        await connection.execute("ALTER TABLE tracker.postings DROP CONSTRAINT postings_submission_id_key")
        await connection.close()
    async with instead(stack, "tracker", broken_by(Sabotage.NO_DEDUPE, is_broken)):
        await killed_once(stack, "intake", Point.SENT, senders)
        assert not await settled(stack, SETTLE_SECONDS)
    verdict = await judge(stack, senders, before)
    tell(capsys, Sabotage.NO_DEDUPE, is_broken, verdict)
    assert verdict.sent_again > 0
    assert bool(verdict.doubled) is is_broken
    assert verdict.is_clean is not is_broken


@WITH_AND_WITHOUT
async def test_an_offset_moved_first_is_seen_as_lost(
    stack: Stack, is_broken: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    senders, before = senders_of(stack, "highways", is_broken), await parked(stack)
    await killed_once(stack, "tracker", Point.EFFECTS, senders, *broken_by(Sabotage.OFFSET_FIRST, is_broken))
    assert not await settled(stack, SETTLE_SECONDS)
    verdict = await judge(stack, senders, before)
    tell(capsys, Sabotage.OFFSET_FIRST, is_broken, verdict)
    assert bool(verdict.lost) is is_broken
    assert verdict.is_clean is not is_broken
    assert not verdict.parked


@WITH_AND_WITHOUT
async def test_a_cursor_relay_is_seen_as_lost(
    stack: Stack, is_broken: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    # The slow one has its row first and commits it last; the others are sent in between.
    [slow], [quick] = senders_of(stack, "sen", is_broken, 1), senders_of(stack, "waste", is_broken, 1)
    options = ("--slowly", "sen", str(SLOW_SECONDS), *broken_by(Sabotage.CURSOR_RELAY, is_broken))
    async with instead(stack, "intake", options):
        async with sending([slow], at_most=1):
            await asyncio.sleep(SLOW_SECONDS / 4)
            async with sending([quick], at_most=5) as all_sent:
                await all_sent
        left = await settled(stack, CURSOR_SETTLE_SECONDS if is_broken else SETTLE_SECONDS)
        verdict = await judge(stack, [slow, quick], await parked(stack))
    tell(capsys, Sabotage.CURSOR_RELAY, is_broken, verdict)
    assert ("rows in outboxes" in left) is is_broken
    assert bool(verdict.lost) is is_broken
    assert verdict.is_clean is not is_broken


@WITH_AND_WITHOUT
async def test_no_fencing_is_seen_as_two_relays_that_send_the_same(
    stack: Stack, is_broken: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    options, ports = broken_by(Sabotage.NO_FENCING, is_broken), free_ports(2)
    senders = senders_of(stack, "property", is_broken)
    async with instead(stack, "intake", options, options, ports=ports) as lives:
        for number, sender in enumerate(senders):
            assert isinstance(sender, OverHttp)
            sender.url = lives[number % 2].url
        async with sending(senders, at_most=RETURNS) as all_sent:
            await all_sent
        assert not await settled(stack, SETTLE_SECONDS)
    verdict = await judge(stack, senders, await parked(stack))
    tell(capsys, Sabotage.NO_FENCING, is_broken, verdict)
    # Nobody was interrupted, so nothing may stand on the topic twice. What is counted stays right even so: the relay
    # sends a stream from its first unsent row on, and consumers know an event that comes again.
    assert (verdict.sent_again > 0) is is_broken
    assert verdict.is_clean


@WITH_AND_WITHOUT
async def test_an_answer_before_the_commit_is_seen_as_lost(
    stack: Stack, is_broken: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    senders, before = senders_of(stack, "procurement", is_broken), await parked(stack)
    await killed_once(stack, "intake", Point.STATING, senders, *broken_by(Sabotage.ANSWER_FIRST, is_broken))
    assert not await settled(stack, SETTLE_SECONDS)
    verdict = await judge(stack, senders, before)
    tell(capsys, Sabotage.ANSWER_FIRST, is_broken, verdict)
    assert bool(verdict.lost) is is_broken
    assert verdict.is_clean is not is_broken
