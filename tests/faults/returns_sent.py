"""Returns sent to a stack that is being broken, over HTTP and on councils' topics, and what was said to each.

Every sender has a stream to itself and sends one return after the other, each again until it has been acknowledged: so
the versions of a stream must come out in the order of its sender.
"""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from deploy.kafka.desired import council_inbox, council_user
from deploy.local.stack import Stack

#: Between two returns of a sender.
PAUSE_SECONDS: Final = 0.1
_AGAIN_SECONDS: Final = 0.05
_ASKING_AT_ONCE: Final = 8
#: How long one return may take to be acknowledged, whatever is broken meanwhile.
DEADLINE_SECONDS: Final = 90


@dataclass
class Sender(ABC):
    """One who states the figures of one stream."""

    stack: Stack
    workstream: str
    scope: str
    #: The names of those acknowledged, in the order sent: idempotency keys, or event ids.
    acknowledged: list[str] = field(default_factory=list)
    #: By name, the id of the return that came of it.
    ids: dict[str, str] = field(default_factory=dict)
    #: What it was told that contradicts what it had been told before.
    contradictions: list[str] = field(default_factory=list)
    #: Why a return had to be sent again, and how often.
    setbacks: Counter[str] = field(default_factory=Counter)

    @property
    def stream(self) -> tuple[str, str]:
        return self.workstream, self.scope

    async def send_until(self, stop: asyncio.Event, at_most: int | None = None) -> None:
        while not stop.is_set() and (at_most is None or len(self.acknowledged) < at_most):
            name = f"fault-{self.workstream}-{self.scope}-{len(self.acknowledged) + 1}"
            try:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    while setback := await self.sent(name, len(self.acknowledged) + 1):
                        self.setbacks[setback] += 1
                        await asyncio.sleep(_AGAIN_SECONDS)
            except TimeoutError:
                raise AssertionError(f"{name} was not taken in {DEADLINE_SECONDS} s: {self.setbacks}") from None
            self.acknowledged.append(name)
            await asyncio.sleep(PAUSE_SECONDS)

    def document(self, pounds: int) -> dict[str, Any]:
        return {
            "workstream": self.workstream,
            "scope": self.scope,
            "as_at": "2011-12-07",
            "reason": "One of many.",
            "lines": [{"year": "2012/13", "amount": f"{pounds}.00", "basis": "estimate"}],
        }

    @abstractmethod
    async def sent(self, name: str, pounds: int) -> str:
        """Send it once; empty when it was acknowledged, else why it was not."""

    @abstractmethod
    @asynccontextmanager
    def connected(self) -> AsyncIterator[None]:
        """It can send while the block lasts."""

    @abstractmethod
    async def learn_ids(self) -> None:
        """Once all is quiet: find out the ids that it has not been told."""


@dataclass
class OverHttp(Sender):
    """Who states over HTTP is told the id with the acknowledgement."""

    holder: str = ""
    #: Where it sends to, when not to the stack's own intake.
    url: str = ""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        headers = self.stack.credential(self.holder)
        async with httpx.AsyncClient(
            base_url=self.url or self.stack.services["intake"].url, headers=headers, timeout=10, trust_env=False
        ) as self._http:
            yield

    async def sent(self, name: str, pounds: int) -> str:
        try:
            answer = await self._http.post(
                "/v1/submissions", json=self.document(pounds), headers={"Idempotency-Key": name}
            )
        except httpx.TransportError as error:
            return type(error).__name__
        if answer.status_code == 503:
            return "503"
        assert answer.status_code == 201, answer.text
        told = answer.json()["id"]
        if self.ids.setdefault(name, told) != told:
            self.contradictions.append(f"{name} was {self.ids[name]}, then {told}")
        return ""

    async def learn_ids(self) -> None:
        return


@dataclass
class OnATopic(Sender):
    """Who posts on a council's topic is acknowledged by the broker, and asks afterwards what came of it."""

    register: str = ""

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        self._producer: AIOKafkaProducer | None = None
        try:
            yield
        finally:
            await self._disconnect()

    async def _connection(self) -> AIOKafkaProducer:
        if self._producer is None:
            user = council_user(self.register)
            options = self.stack.broker.admin.as_user(user, self.stack.passwords[user]).options()
            self._producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True, request_timeout_ms=5_000)
            await self._producer.start()
        return self._producer

    async def _disconnect(self) -> None:
        """After an unclear failure a producer is of no more use."""
        producer, self._producer = self._producer, None
        if producer is not None:
            try:
                await producer.stop()
            except KafkaError as error:
                self.setbacks[repr(error)] += 1

    async def sent(self, name: str, pounds: int) -> str:
        attributes = {"specversion": "1.0", "id": name, "source": "/faults", "type": "uk.savings.return.v1"}
        headers = [(f"ce_{attribute}", text.encode()) for attribute, text in attributes.items()]
        headers.append(("content-type", b"application/json"))
        value = json.dumps(self.document(pounds)).encode()
        try:
            producer = await self._connection()
            await producer.send_and_wait(council_inbox(self.register), value, headers=headers)
        except KafkaError as error:
            await self._disconnect()
            return repr(error)
        return ""

    async def learn_ids(self) -> None:
        allowed = asyncio.Semaphore(_ASKING_AT_ONCE)
        url, headers = self.stack.services["intake"].url, self.stack.credential(f"finance-{self.register}")
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30, trust_env=False) as http:

            async def ask(name: str) -> None:
                async with allowed:
                    answer = (await http.get("/v1/submissions", params={"event_id": name})).raise_for_status().json()
                ids = [one["id"] for one in answer["submissions"]]
                if ids and answer["event"]["counted"]:
                    self.ids[name] = ids[0]
                if len(ids) > 1:
                    self.contradictions.append(f"{name} became {' and '.join(ids)}")

            async with asyncio.TaskGroup() as group:
                for name in self.acknowledged:
                    group.create_task(ask(name))


@asynccontextmanager
async def sending(senders: Sequence[Sender], at_most: int | None = None) -> AsyncIterator[asyncio.Task[None]]:
    """All of them send while the block lasts, and finish the return that they are at when it ends."""
    stop = asyncio.Event()

    async def send(sender: Sender) -> None:
        async with sender.connected():
            await sender.send_until(stop, at_most)

    async def send_all() -> None:
        async with asyncio.TaskGroup() as group:
            for sender in senders:
                group.create_task(send(sender))

    task = asyncio.create_task(send_all())
    try:
        yield task
    except BaseException:
        task.cancel()
        raise
    finally:
        stop.set()
        await asyncio.wait([task])
    await task
