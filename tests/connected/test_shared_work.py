"""Several processes of one service on the real broker and database share the work; one more, or one less, is safe.

Half of the figures come from the broker (who has which partitions), half from the databases (what was counted).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from pydantic import SecretStr

from deploy.local.processes import Unavailable
from deploy.local.stack import Stack
from savings.rebuilding import Rebuilder
from shared.bus.envelope import event_id_of
from shared.events import ENTRIES_TOPIC, SUBMISSIONS_TOPIC, EntriesPosted
from tests.rebuilding import prove

pytestmark = pytest.mark.long

PARTITIONS = 12
PHASE_SECONDS = float(os.environ.get("SAVINGS_SCALE_SECONDS", "6"))
#: One that was killed is missed by its group only after a while.
DEADLINE_SECONDS = 90
SENDERS = 4
RETURNS_AT_ONCE = 10

Name = Literal["tracker", "reporting"]
READS: Mapping[Name, str] = {"tracker": SUBMISSIONS_TOPIC, "reporting": ENTRIES_TOPIC}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    try:
        with Stack(tmp_path_factory.mktemp("stack"), progress=lambda _: None) as stack:
            yield stack
    except Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have it: {error}")
        pytest.skip(str(error))


@pytest.fixture
async def broker(stack: Stack) -> AsyncIterator[AIOKafkaAdminClient]:
    client = AIOKafkaAdminClient(**stack.broker.admin.options())
    await client.start()
    yield client
    await client.close()


@dataclass
class Load:
    """Returns in every stream, sent by those who may state them, each again until it is acknowledged."""

    stack: Stack
    acknowledged: set[str] = field(default_factory=set)
    answered_again: int = 0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(SENDERS):
                group.create_task(self._send(random.Random(number)))

    def stop(self) -> None:
        self._stop.set()

    async def _send(self, chance: random.Random) -> None:
        partnership = self.stack.partnership
        async with httpx.AsyncClient(base_url=self.stack.services["intake"].url, timeout=20, trust_env=False) as http:
            while not self._stop.is_set():
                lead = chance.random() < 0.3
                workstream = chance.choice(partnership.workstreams)
                council = chance.choice(partnership.councils)
                streams = [workstream] if lead else partnership.workstreams
                key = f"lead-{workstream.code}" if lead else f"finance-{council.register_code}"
                scope = "partnership" if lead else council.gss
                batch = [
                    self._a_return(chance.choice(streams).code, scope, chance, uuid4().hex)
                    for place in range(RETURNS_AT_ONCE)
                ]
                await self._state(http, key, batch)

    @staticmethod
    def _a_return(workstream: str, scope: str, chance: random.Random, key: str) -> dict[str, Any]:
        return {
            "workstream": workstream,
            "scope": scope,
            "as_at": f"2012-01-{chance.randint(1, 26):02}",
            "reason": "Shared work.",
            "idempotency_key": key,
            "lines": [
                {"year": year, "amount": f"{chance.randrange(1, 10**6)}.00", "basis": "forecast"}
                for year in ("2012/13", "2013/14")
            ],
        }

    async def _state(self, http: httpx.AsyncClient, key: str, batch: list[dict[str, Any]]) -> None:
        while True:
            try:
                answer = await http.post(
                    "/v1/submissions/batch", json={"submissions": batch}, headers=self.stack.credential(key)
                )
            except httpx.TransportError:
                self.answered_again += 1
                continue
            assert answer.status_code in (200, 201, 207, 503), answer.text
            if answer.status_code != 503:
                results = answer.json()["results"]
                assert all(result["status"] in (200, 201) for result in results), answer.text[:2000]
                self.acknowledged |= {result["body"]["id"] for result in results}
                return


async def members(broker: AIOKafkaAdminClient, name: Name) -> Mapping[int, frozenset[int]]:
    """By the id of the process, which partitions it reads just now; nothing while the group shares them out anew."""
    [response] = await broker.describe_consumer_groups([f"savings.{name}"])
    [(_, _, state, _, _, found, *_)] = response.groups
    if state != "Stable":
        return {}
    shares: dict[int, frozenset[int]] = {}
    for _, client, _, _, assignment in found:
        decoded = ConsumerProtocolMemberAssignment.decode(assignment)
        partitions = [number for topic, numbers in decoded.assignment if topic == READS[name] for number in numbers]
        shares[int(client.rsplit("-", 1)[1])] = frozenset(partitions)
    return shares


async def shared_by(broker: AIOKafkaAdminClient, name: Name, pids: set[int | None]) -> Mapping[int, frozenset[int]]:
    """Wait until these processes share all the partitions, each with some of them."""
    shares: Mapping[int, frozenset[int]] = {}
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                shares = await members(broker, name)
                counted = Counter(number for share in shares.values() for number in share)
                if set(shares) == pids and counted == dict.fromkeys(range(PARTITIONS), 1) and all(shares.values()):
                    return shares
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"after {DEADLINE_SECONDS} s {name} is shared by {dict(shares)}, and not by {pids}")


async def positions(stack: Stack, name: Name) -> Mapping[int, int]:
    connection = await asyncpg.connect(stack.database.url(name))
    try:
        query = "SELECT partition, next_offset FROM positions WHERE topic = $1"
        return {row["partition"]: row["next_offset"] for row in await connection.fetch(query, READS[name])}
    finally:
        await connection.close()


async def done_by_each(stack: Stack, broker: AIOKafkaAdminClient, name: Name, pids: set[int | None]) -> str:
    """Once these processes share the work, how much of it each has done while the sharing stayed as it was."""
    while True:
        shares = await shared_by(broker, name, pids)
        before = await positions(stack, name)
        await asyncio.sleep(PHASE_SECONDS)
        after = await positions(stack, name)
        # A slow machine may share out anew meanwhile; then who did what is not known.
        if await members(broker, name) == shares:
            break
    done = {pid: sum(after.get(at, 0) - before.get(at, 0) for at in share) for pid, share in shares.items()}
    assert all(done.values()), done
    return ", ".join(f"{len(shares[pid])} partitions and {done[pid]} returns" for pid in sorted(shares))


async def everything_is_folded(stack: Stack, returns: int) -> None:
    """Wait for it, but not for ever: should one have been lost, the figures say so."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    async with httpx.AsyncClient(base_url=stack.url, timeout=20, trust_env=False) as http:
        while time.monotonic() < deadline:
            answer = await http.get("/v1/tracker?council=none", headers=stack.credential("auditor"))
            if answer.status_code == 200 and answer.json()["ledger_version"] >= returns:
                return
            await asyncio.sleep(0.1)


async def counted(stack: Stack) -> list[str]:
    """The returns that the ledgers have, each as often as it has been posted."""
    connection = await asyncpg.connect(stack.database.url("tracker"))
    try:
        return [row["submission_id"] for row in await connection.fetch("SELECT submission_id FROM postings")]
    finally:
        await connection.close()


async def out_of_order(stack: Stack) -> tuple[int, int]:
    """How many returns stand in the ledgers, and how many were told, before one that intake accepted earlier."""
    connection = await asyncpg.connect(stack.database.url("tracker"))
    try:
        query = "SELECT stream_id, number, version FROM postings ORDER BY stream_id, number"
        posted = sum(row["number"] != row["version"] for row in await connection.fetch(query))
    finally:
        await connection.close()
    told: dict[str, list[int]] = defaultdict(list)
    for value in await told_events(stack):
        event = EntriesPosted.model_validate_json(value)
        told[str(event.stream)].append(event.version)
    return posted, sum(versions != sorted(versions) for versions in told.values())


async def told_events(stack: Stack) -> list[bytes]:
    """What the trackers have told, each once, in the order in which it came first."""
    consumer = AIOKafkaConsumer(**stack.broker.admin.options(), enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(ENTRIES_TOPIC, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        first: dict[str, bytes] = {}
        while any([await consumer.position(at) < end for at, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    first.setdefault(event_id_of(tuple(record.headers)) or "", record.value)
        return list(first.values())
    finally:
        await consumer.stop()


@pytest.mark.parametrize("name", ["tracker", "reporting"])
async def test_processes_share_the_work_and_one_more_or_one_less_loses_and_doubles_nothing(
    stack: Stack, broker: AIOKafkaAdminClient, name: Name, capsys: pytest.CaptureFixture[str]
) -> None:
    already = len(await counted(stack))
    first = stack.services[name]
    second, third = stack.another(name), stack.another(name)
    lines: list[str] = []
    load = Load(stack)
    sending = asyncio.create_task(load.run())
    started = time.monotonic()

    await shared_by(broker, name, {first.pid})
    await asyncio.to_thread(second.start)
    lines.append(f"two: {await done_by_each(stack, broker, name, {first.pid, second.pid})}")
    await asyncio.to_thread(third.start)
    lines.append(f"three: {await done_by_each(stack, broker, name, {first.pid, second.pid, third.pid})}")
    await asyncio.to_thread(second.kill)
    lost_at = time.monotonic()
    await shared_by(broker, name, {first.pid, third.pid})
    lines.append(f"one killed: its partitions had another reader after {time.monotonic() - lost_at:.1f} s")
    lines.append(f"two again: {await done_by_each(stack, broker, name, {first.pid, third.pid})}")
    load.stop()
    await sending
    seconds = time.monotonic() - started
    acknowledged = len(load.acknowledged)
    await everything_is_folded(stack, already + acknowledged)
    found = Counter(await counted(stack))
    lost = len(load.acknowledged - found.keys())
    doubled = sum(count - 1 for count in found.values())
    posted_late, told_late = await out_of_order(stack)
    checks = (
        await asyncio.to_thread(
            httpx.get,
            f"{stack.url}/v1/checks?full=true",
            headers=stack.credential("auditor"),
            timeout=60,
            trust_env=False,
        )
    ).json()
    as_the_service = {"kafka_user": name, "kafka_password": SecretStr(stack.passwords[name])}
    verdict = await prove(Rebuilder(stack.settings.model_copy(update=as_the_service), name))
    await asyncio.to_thread(third.stop)
    lines.append(
        f"rebuilt from the topic: {verdict.events} events, {verdict.rows} rows, "
        f"{'equal' if verdict.difference is None else verdict.difference}"
    )
    lines.append(
        f"{acknowledged} returns acknowledged in {seconds:.0f} s: {lost} lost, {doubled} doubled, "
        f"{posted_late} posted out of order, {told_late} streams told out of order, "
        f"checks {'hold' if checks['holds'] else 'FAIL'}"
    )
    with capsys.disabled():
        print(f"\nSeveral of {name}", *lines, sep="\n  ")
    assert (lost, doubled, posted_late, told_late) == (0, 0, 0, 0)
    assert len(found) == already + acknowledged
    assert checks["holds"] is True, checks
    assert verdict.difference is None
