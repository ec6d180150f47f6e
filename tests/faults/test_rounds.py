"""``kill -9`` at every named point, and what the services stand on taken away, under load on the real parts."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle

import httpx
import pytest

from deploy.local.processes import Unavailable
from deploy.local.stack import Stack
from savings.process import SERVICES
from shared.settings import ServiceName
from tests.faults.lag import settled
from tests.faults.lives import armed
from tests.faults.points import POINTS, Point
from tests.faults.returns_sent import OnATopic, OverHttp, Sender, sending
from tests.faults.verdict import judge

pytestmark = [pytest.mark.long, pytest.mark.faults]

ROUNDS = int(os.environ.get("SAVINGS_FAULT_ROUNDS", "24"))
SEED = int(os.environ.get("SAVINGS_SEED", "7"))
#: One in so many rounds takes away what the services stand on, in turn.
GROUND_EVERY = 8
GROUND = ("broker stopped", "database stopped at once", "broker killed", "database stopped at once")
#: An outage that lasts: every loop has met it by then.
AWAY_SECONDS = 1
SETTLE_SECONDS = 60
EAST_SUSSEX, KENT = "E10000011", "E10000016"


@pytest.fixture
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    try:
        with Stack(tmp_path_factory.mktemp("stack"), progress=lambda _: None) as stack:
            yield stack
    except Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have it: {error}")
        pytest.skip(str(error))


def senders_of(stack: Stack) -> list[Sender]:
    """Leads and a finance system over HTTP, and two councils' finance systems on their topics."""
    over_http = [OverHttp(stack, code, "partnership", holder=f"lead-{code}") for code in ("ict", "highways", "waste")]
    over_http += [OverHttp(stack, code, EAST_SUSSEX, holder="finance-ESX") for code in ("sen", "property")]
    on_topics = [OnATopic(stack, code, EAST_SUSSEX, register="ESX") for code in ("ict", "highways")]
    on_topics += [OnATopic(stack, code, KENT, register="KEN") for code in ("ict", "waste")]
    return [*over_http, *on_topics]


class Rounds:
    """So many faults in all: the services killed side by side, each at one of its points after the other."""

    def __init__(self, stack: Stack, rounds: int, chance: random.Random) -> None:
        self._stack = stack
        self._chance = chance
        self._outages = rounds // GROUND_EVERY
        #: The kills left once each service has died at each of its points.
        self._spare = rounds - self._outages - sum(map(len, POINTS.values()))
        self.kills: Counter[tuple[str, Point]] = Counter()
        self.outages: Counter[str] = Counter()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(self._kill_again_and_again(service))
            group.create_task(self._take_the_ground_away())

    async def _kill_again_and_again(self, service: ServiceName) -> None:
        for number, point in enumerate(cycle(POINTS[service])):
            if number >= len(POINTS[service]):
                if self._spare <= 0:
                    # The last life is the real command, with nothing hung on it; the others need it for their rounds.
                    await asyncio.to_thread(self._stack.services[service].start)
                    return
                self._spare -= 1
            life = armed(self._stack, service, point, self._chance.randint(1, 4))
            try:
                await life.dies_at(point)
            finally:
                await asyncio.to_thread(life.stop)
            self.kills[service, point] += 1
            self._tell(f"{service}, {point}")

    def _tell(self, what: str) -> None:
        with (self._stack.directory / "rounds.log").open("a") as file:
            file.write(f"{datetime.now(UTC):%H:%M:%S} {what}\n")

    async def _take_the_ground_away(self) -> None:
        """Each time some more processes have been killed, and while others are."""
        broker, database = self._stack.broker, self._stack.database
        for number in range(self._outages):
            while self.kills.total() < number * (GROUND_EVERY - 1) + 1:  # noqa: ASYNC110 - three others count
                await asyncio.sleep(0.05)
            match what := GROUND[number % len(GROUND)]:
                case "broker stopped":
                    await asyncio.to_thread(broker.stop)
                case "broker killed":
                    await asyncio.to_thread(broker.kill)
                case _:
                    await asyncio.to_thread(database.stop, "immediate")
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.to_thread(database.start if what.startswith("database") else broker.start)
            self.outages[what] += 1
            self._tell(what)


async def test_killed_at_every_named_point_nothing_is_lost_doubled_or_out_of_order(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    senders, rounds = senders_of(stack), Rounds(stack, ROUNDS, random.Random(SEED))
    for service in SERVICES:
        stack.services[service].stop()
    started = time.monotonic()
    try:
        async with sending(senders):
            try:
                await rounds.run()
            finally:
                # Where a round has failed, so that the senders are answered all the same.
                for service in SERVICES:
                    await asyncio.to_thread(stack.services[service].start)
    finally:
        with capsys.disabled():
            print(f"\n{counted(rounds)}")
    lasted, stopped = time.monotonic() - started, time.monotonic()
    left = await settled(stack, SETTLE_SECONDS)
    settled_in = time.monotonic() - stopped
    verdict = await judge(stack, senders)
    async with httpx.AsyncClient(base_url=stack.url, headers=stack.credential("auditor"), trust_env=False) as http:
        checks = (await http.get("/v1/checks", params={"full": "true"}, timeout=120)).raise_for_status().json()
    total = rounds.kills.total() + rounds.outages.total()
    with capsys.disabled():
        print(
            f"{total} rounds in {lasted:.0f} s ({rounds.kills.total()} kills at {len(rounds.kills)} points, "
            f"{rounds.outages.total()} outages), {verdict}, {verdict.sent_again} sent again, "
            f"checks {'hold' if checks['holds'] else 'FAIL'}, lag back to zero {settled_in:.1f} s after the last: "
            f"{left or 'nothing left'}"
        )
    assert total >= ROUNDS
    assert set(rounds.kills) == {(service, point) for service, points in POINTS.items() for point in points}
    assert verdict.is_clean, verdict
    assert not left
    assert checks["holds"], checks
    assert all(len(sender.acknowledged) > 0 for sender in senders)


def counted(rounds: Rounds) -> str:
    """How often each was done, one a line."""
    lines = [f"{number:4} × {service}, {point}" for (service, point), number in sorted(rounds.kills.items())]
    return "\n".join(lines + [f"{number:4} × {what}" for what, number in sorted(rounds.outages.items())])
