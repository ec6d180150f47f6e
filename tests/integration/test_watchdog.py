"""A reader with lag and without progress ends its process; one that is idle, slow or waiting an outage out does not."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from savings.guard import EXIT_CODE
from shared.behind import OUTAGE_SECONDS, SLOW_SECONDS, STUCK_SECONDS, Stuck
from shared.bus.port import BusUnavailable, Message, Received, TopicPartition
from shared.consuming import Consuming
from shared.database import DatabaseUnavailable
from tests.builders import a_line, a_return
from tests.deployment import Deployment, deployed

MINUTE = 60


class Clock:
    """Monotonic seconds, which pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        yield deployment


@pytest.fixture
def clock(deployment: Deployment) -> Clock:
    clock = Clock()
    tracker = deployment.process.tracker
    assert tracker is not None
    tracker.consuming._seconds = tracker.relay._seconds = clock
    return clock


def reader_of(deployment: Deployment) -> Consuming:
    assert deployment.process.tracker is not None
    return deployment.process.tracker.consuming


async def a_return_waits(deployment: Deployment, year: str = "2011/12") -> None:
    assert deployment.process.intake is not None
    answer = await deployment.post("/v1/submissions", "finance-ESX", a_return(a_line(year=year)))
    assert answer.status_code == 201, answer.text
    assert await deployment.process.intake.relay.run_once() == 1


async def ready(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = (await deployment.http.get("/readyz")).json()["checks"]["tracker.lag"]
    return found


async def does_not_answer() -> bool:
    return False


async def never(connection: AsyncConnection, batch: Sequence[Received]) -> None:
    await asyncio.Event().wait()


async def test_a_quiet_topic_turns_nothing(deployment: Deployment, clock: Clock) -> None:
    await a_return_waits(deployment)
    await deployment.settle()
    for _ in range(120):
        clock.now += MINUTE
        assert await reader_of(deployment).watch()
    assert (await ready(deployment))["ready"] is True


async def test_a_handler_that_never_ends_is_told_with_its_partition_and_then_given_up(
    deployment: Deployment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = reader_of(deployment)
    monkeypatch.setattr(reader, "_handle", never)
    await a_return_waits(deployment)
    handling = asyncio.create_task(reader.run_once(deployment.tracker_consumer, 0))
    assert await reader.watch()
    clock.now += SLOW_SECONDS + 1
    assert await reader.watch()
    told = await ready(deployment)
    assert told["ready"] is False
    assert told["detail"].startswith("savings.submissions.v1[")
    assert told["detail"].endswith("has not moved for 31 s, with 1 waiting")
    clock.now += STUCK_SECONDS - SLOW_SECONDS
    with pytest.raises(Stuck, match=r"savings\.tracker: savings\.submissions\.v1\[\d\] has not moved for 61 s"):
        await reader.watch()
    handling.cancel()
    await asyncio.gather(handling, return_exceptions=True)


async def test_a_consumer_that_brings_nothing_of_what_waits_is_given_up(deployment: Deployment, clock: Clock) -> None:
    await a_return_waits(deployment)
    reader = reader_of(deployment)
    await reader.watch()
    clock.now += STUCK_SECONDS + 1
    with pytest.raises(Stuck):
        await reader.watch()


async def test_a_reader_that_is_behind_and_moves_is_left_alone(deployment: Deployment, clock: Clock) -> None:
    reader = reader_of(deployment)
    for round_ in range(20):
        for year in ("2011/12", "2012/13"):
            document = a_return(a_line(year=year, amount=f"£{round_ + 1}k"), reason="another")
            assert (await deployment.post("/v1/submissions", "finance-ESX", document)).status_code == 201
        assert deployment.process.intake is not None
        await deployment.process.intake.relay.run_once()
        # One of the two that came: it falls behind, and goes on.
        [message] = await deployment.tracker_consumer.poll(1, 0)
        await reader._keep([message])
        clock.now += STUCK_SECONDS - 1
        assert await reader.watch()
    assert (await reader.lag_messages()) == 20


async def test_an_outage_is_waited_out_but_not_for_ever(
    deployment: Deployment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(connection: AsyncConnection, batch: Sequence[Received]) -> None:
        raise DatabaseUnavailable("a test")

    reader = reader_of(deployment)
    monkeypatch.setattr(reader, "_handle", away)
    monkeypatch.setattr("shared.consuming._OUTAGE_PAUSE_SECONDS", 0.001)
    await a_return_waits(deployment)
    running = asyncio.create_task(reader._run_with(deployment.tracker_consumer))
    await reader.watch()
    for _ in range(9):
        clock.now += MINUTE
        reader._met_outage = False
        async with asyncio.timeout(10):
            while not reader._met_outage:  # noqa: ASYNC110 - the loop meets it by itself
                await asyncio.sleep(0.001)
        assert await reader.watch()
        assert (await ready(deployment))["ready"] is False
    clock.now += MINUTE + 1
    with pytest.raises(Stuck):
        await reader.watch()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_bus_that_cannot_be_asked_excuses_and_in_the_end_it_is_subscribed_to_anew(
    deployment: Deployment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> Mapping[TopicPartition, int]:
        raise BusUnavailable("a test")

    await a_return_waits(deployment)
    reader = reader_of(deployment)
    await reader.watch()
    with monkeypatch.context() as outage:
        outage.setattr(deployment.tracker_consumer, "ends", away)
        outage.setattr(reader._bus, "ready", does_not_answer)
        for _ in range(9):
            clock.now += MINUTE
            assert await reader.watch()
    # Back again, it has a minute like anybody else.
    clock.now += STUCK_SECONDS - 1
    assert await reader.watch()
    with monkeypatch.context() as outage:
        outage.setattr(deployment.tracker_consumer, "ends", away)
        outage.setattr(reader._bus, "ready", does_not_answer)
        clock.now += OUTAGE_SECONDS
        assert not await reader.watch()


async def test_a_connection_that_says_nothing_while_the_bus_answers_others_is_given_up_after_half_a_minute(
    deployment: Deployment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def says_nothing() -> Mapping[TopicPartition, int]:
        raise TimeoutError

    reader = reader_of(deployment)
    await reader.watch()
    monkeypatch.setattr(deployment.tracker_consumer, "ends", says_nothing)
    clock.now += SLOW_SECONDS - 1
    assert await reader.watch()
    clock.now += 1
    assert not await reader.watch()


async def test_a_relay_whose_send_never_returns_is_given_up_and_an_idle_one_is_not(
    deployment: Deployment, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never_sends(messages: Sequence[Message]) -> None:
        sending.set()
        await asyncio.Event().wait()

    sending = asyncio.Event()
    assert deployment.process.tracker is not None
    relay = deployment.process.tracker.relay
    running = asyncio.create_task(relay._relay())
    async with asyncio.timeout(10):
        for _ in range(60):
            clock.now += MINUTE
            relay.nudge()
            begun = relay._rounds_begun
            # The loop goes on by itself.
            while relay._rounds_begun == begun or relay._rounds_begun != relay._rounds_ended:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            relay.watch()
    monkeypatch.setattr(deployment.process.bus, "publish", never_sends)
    async with deployment.process.tracker.database.write() as connection:
        await deployment.process.tracker.outbox.put(connection, [Message("savings.entries.v1", "k", b"{}")])
    relay.nudge()
    await sending.wait()
    relay.watch()
    clock.now += STUCK_SECONDS - 1
    relay.watch()
    clock.now += 1
    with pytest.raises(Stuck):
        relay.watch()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


PROGRAM = """
    import asyncio, sys, threading
    from savings import commands, guard
    from shared import consuming

    consuming.LOOK_SECONDS, consuming.SLOW_SECONDS, consuming.STUCK_SECONDS = 0.1, 0.2, 0.5

    async def handle(self, connection, batch):
        {handle}

    from services.tracker.main import Tracker
    Tracker._post = handle
    guard.Guard.__init__.__defaults__ = (1.0, 1.0)
    sys.argv = ["savings", "serve", "--port", {port!r}]
    commands.app()
"""


@pytest.mark.parametrize(
    ("handle", "code", "said"),
    [
        ("await asyncio.Event().wait()", 1, "has not moved for"),
        # A thread that never ends would keep the process from ending, too.
        ("await asyncio.to_thread(threading.Event().wait)", EXIT_CODE, "guard.does_not_end"),
        ("threading.Event().wait()", EXIT_CODE, "guard.loop_blocked"),
    ],
    ids=["waits", "waits in a thread", "blocks the loop"],
)
async def test_a_process_whose_handler_is_stuck_ends_and_says_why(
    tmp_path: Path, unused_tcp_port: int, handle: str, code: int, said: str
) -> None:
    async with deployed(tmp_path) as deployment:
        # Accepted and not relayed yet: the process finds it when it starts.
        await deployment.post("/v1/submissions", "finance-ESX", a_return())
    program = textwrap.dedent(PROGRAM).format(handle=handle, port=str(unused_tcp_port))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        env={**os.environ, "SAVINGS_DATA_DIRECTORY": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(60):
            output = (await process.communicate())[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == code, output
    assert said in output
    if code == 1:
        assert "Traceback" not in output


async def test_a_process_that_is_well_ends_when_it_is_told_to(tmp_path: Path, unused_tcp_port: int) -> None:
    async with deployed(tmp_path):
        pass
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "savings", "serve", "--port", str(unused_tcp_port)),
        env={**os.environ, "SAVINGS_DATA_DIRECTORY": str(tmp_path)},
    )
    try:
        async with asyncio.timeout(60):
            await is_ready(f"http://127.0.0.1:{unused_tcp_port}/readyz")
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


async def is_ready(address: str) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            try:
                if (await client.get(address)).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.1)
