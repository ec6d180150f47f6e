"""From the sending of a return to the figure in the tracker table, on the real parts, at a steady 200 returns a second.

Apache Kafka, PostgreSQL and the three services, each a process of its own, as ``make stack`` starts them. The returns
are stated over HTTP, and then again on the councils' topics. Each is sent at its own time, whether those before it have
been answered or not, and its time counts from when it was due: a sender that is held up shows as a late figure.

Nothing asks whether a figure stands already. Every service logs which returns it has carried on, by the ids that the
sender gave them, and when: reporting as soon as it has committed them to the table. The logs are read afterwards. All
processes stand on one machine and read one clock.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import uvloop
from aiokafka import AIOKafkaProducer

from benchmarks.asking import post
from benchmarks.result import Figure
from benchmarks.returns import LINES
from deploy.kafka.desired import council_user
from deploy.local.stack import Stack
from services.intake.inbox import TOPIC_PREFIX
from shared.correlation import CORRELATION_HEADER
from shared.events import ENTRIES_TOPIC, RETURN_POSTED, SUBMISSIONS_TOPIC
from shared.partnership import Council

A_SECOND: Final = 200
WARM_UP_SECONDS: Final = 5
SECONDS: Final = 25
GOAL_MS: Final = 250
DEADLINE_SECONDS: Final = 120

#: The steps of a return, by what is logged at their end: whose log, the event, and its group or topic.
STEPS: Final = {
    "sent on by intake": ("intake", "relay.sent", SUBMISSIONS_TOPIC),
    "posted": ("tracker", "consuming.kept", "savings.tracker"),
    "sent on by the tracker": ("tracker", "relay.sent", ENTRIES_TOPIC),
    "in the table": ("reporting", "consuming.kept", "savings.reporting"),
}
SHOWN: Final = "in the table"


class Sent(NamedTuple):
    """A return of one council about one workstream, and the id it is found again by."""

    id: str
    council: Council
    body: bytes


#: Sends a return; whether the other side took it.
Send = Callable[[Sent], Awaitable[bool]]


def run() -> list[Figure]:
    """On a stack of our own, thrown away afterwards."""
    with tempfile.TemporaryDirectory(prefix="savings-benchmark-") as folder, Stack(Path(folder)) as stack:
        return uvloop.run(_run(stack))


async def _run(stack: Stack) -> list[Figure]:
    found: list[Figure] = []
    over_http = _Connections(stack)
    found += await _carried(stack, "Stated over HTTP", over_http.send)
    over_http.close()
    async with AsyncExitStack() as producers:
        on_topics = _Topics(stack)
        for producer in on_topics.producers.values():
            await producers.enter_async_context(producer)
        found += await _carried(stack, "Posted on the councils' topics", on_topics.send)
    return found


async def _carried(stack: Stack, name: str, send: Send) -> list[Figure]:
    """How long the returns took to the end of each step, from when they were due; those of the warm-up left out."""
    warming_up = WARM_UP_SECONDS * A_SECOND
    returns = list(itertools.islice(_returns(stack, name), warming_up + SECONDS * A_SECOND))
    due = await _send_steadily(returns, send)
    measured = {each.id: due[each.id] for each in returns[warming_up:] if each.id in due}
    ended = await _ends(stack, measured.keys())
    shown = _spread(measured, ended[SHOWN])
    seconds = max(ended[SHOWN][one] for one in measured) - min(measured.values())
    holds = shown.p99 < GOAL_MS and len(due) == len(returns)
    goal = f"goal at {A_SECOND} returns/s: p99 below {GOAL_MS} ms: {'met' if holds else 'MISSED'}"
    refused = f", {len(returns) - len(due)} refused" if len(due) < len(returns) else ""
    text = f"{shown} to the table, {len(measured) / seconds:,.0f} returns/s of {LINES} lines{refused} ({goal})"
    steps = ", ".join(f"{step} {_spread(measured, times).p50:.0f}" for step, times in ended.items())
    return [Figure(name, text, holds), Figure(f"{name}, half of them by step", f"{steps} ms")]


class _Spread(NamedTuple):
    p50: float
    p99: float
    most: float

    def __str__(self) -> str:
        return f"p50 {self.p50:.0f} ms, p99 {self.p99:.0f} ms, the slowest {self.most:.0f} ms"


def _spread(due: Mapping[str, float], ended: Mapping[str, float]) -> _Spread:
    took = sorted((ended[one] - at) * 1_000 for one, at in due.items())
    return _Spread(took[len(took) // 2], took[len(took) * 99 // 100], took[-1])


async def _send_steadily(returns: Iterable[Sent], send: Send) -> Mapping[str, float]:
    """Send each at its own time; when each was due that was taken."""
    due: dict[str, float] = {}
    started = time.time()

    async def send_one(each: Sent, at: float) -> None:
        if await send(each):
            due[each.id] = at

    async with asyncio.TaskGroup() as sending:
        for number, each in enumerate(returns):
            at = started + number / A_SECOND
            await asyncio.sleep(at - time.time())
            sending.create_task(send_one(each, at))
    return due


async def _ends(stack: Stack, ids: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
    """When each return came to the end of each step, by the services' own clocks; waits until all are in the table."""
    missing = set(ids)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while missing - (shown := _logged(stack, *STEPS[SHOWN])).keys():
        assert time.monotonic() < deadline, f"{len(missing - shown.keys())} returns never came to the table"
        await asyncio.sleep(1)
    return {step: _logged(stack, *where) for step, where in STEPS.items()}


def _logged(stack: Stack, service: str, event: str, where: str) -> dict[str, float]:
    times: dict[str, float] = {}
    for line in (stack.directory / f"{service}.log").read_text(encoding="utf-8").splitlines():
        if f'"{event}"' in line and f'"{where}"' in line:
            told = json.loads(line)
            times |= dict.fromkeys(told["correlation_ids"], datetime.fromisoformat(told["timestamp"]).timestamp())
    return times


def _returns(stack: Stack, called: str) -> Iterator[Sent]:
    """Shares of each council about each workstream in turn."""
    partnership = stack.partnership
    years = [str(year) for year in partnership.years]
    streams = [(council, one.code) for one in partnership.workstreams for council in partnership.councils]
    for number, (council, workstream) in enumerate(itertools.cycle(streams)):
        stated = {
            "workstream": workstream,
            "scope": council.gss,
            "as_at": "2011-12-07",
            "reason": "as found",
            "source": {"system": "general ledger", "reference": "P08"},
            "lines": [
                {
                    "year": years[place // 2],
                    "basis": ("estimate", "forecast")[place % 2],
                    "amount": f"{random.randrange(10**7)}.00",
                }
                for place in range(LINES)
            ],
        }
        yield Sent(f"{called} {number}", council, json.dumps(stated).encode())


class _Connections:
    """Connections to intake, as many as there are requests at a time."""

    def __init__(self, stack: Stack) -> None:
        self._keys = stack.keys
        self._port = stack.services["intake"].port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, each: Sent) -> bool:
        key = self._keys[f"finance-{each.council.register_code}"]
        names = (f"Idempotency-Key: {each.id}", f"X-Request-ID: {each.id}")
        reader, writer = await self._connection()
        writer.write(post("/v1/submissions", key, each.body, *names))
        head = await reader.readuntil(b"\r\n\r\n")
        _, _, rest = head.lower().partition(b"content-length:")
        await reader.readexactly(int(rest.split(b"\r\n", 1)[0]))
        self._idle.append((reader, writer))
        return head.startswith(b"HTTP/1.1 201 ")

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            # A server lets go of a connection that has been idle for some seconds.
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self._port)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


class _Topics:
    """The councils' finance systems, each signed in to the broker as itself."""

    def __init__(self, stack: Stack) -> None:
        councils = stack.partnership.councils
        self.producers = {council: _producer(stack, council) for council in councils}

    async def send(self, each: Sent) -> bool:
        headers = {
            "ce_specversion": "1.0",
            "ce_id": each.id,
            "ce_source": "/general-ledger",
            "ce_type": RETURN_POSTED,
            "content-type": "application/json",
            CORRELATION_HEADER: each.id,
        }
        await self.producers[each.council].send_and_wait(
            f"{TOPIC_PREFIX}{each.council.register_code}",
            each.body,
            headers=[(name, value.encode()) for name, value in headers.items()],
        )
        return True


def _producer(stack: Stack, council: Council) -> AIOKafkaProducer:
    user = council_user(council.register_code)
    return AIOKafkaProducer(
        bootstrap_servers=stack.broker.bootstrap_servers,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=user,
        sasl_plain_password=stack.passwords[user],
    )
