"""A council's finance system on the real broker: its return is in the table at once; no other topic is open to it."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError, TopicAuthorizationFailedError

from deploy.kafka.desired import council_inbox, council_user
from deploy.local.stack import Stack
from shared.events import REJECTIONS_TOPIC, ReturnRejected

pytestmark = pytest.mark.long

EAST_SUSSEX, KENT = "E10000011", "E10000016"
TIMED_RETURNS = 20
DEADLINE_SECONDS = 30
TABLE = f"/v1/tracker.csv?council={EAST_SUSSEX}&basis=forecast"


@asynccontextmanager
async def finance_system(stack: Stack, register: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer signed in as the council, with the permissions of the council and no others."""
    user = council_user(register)
    options = stack.broker.admin.as_user(user, stack.passwords[user]).options()
    producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True, max_request_size=3_000_000)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def event(event_id: str, **different: Any) -> list[tuple[str, bytes]]:
    attributes = {"specversion": "1.0", "id": event_id, "source": "/finance/esx", "type": "uk.savings.return.v1"}
    headers = [(f"ce_{name}", str(value).encode()) for name, value in (attributes | different).items()]
    return [*headers, ("content-type", b"application/json")]


def a_share(pounds: int, scope: str = EAST_SUSSEX) -> bytes:
    line = {"year": "2014/15", "amount": f"{pounds}.00", "basis": "forecast"}
    document = {"workstream": "highways", "scope": scope, "as_at": "2012-02-01", "reason": "New.", "lines": [line]}
    return json.dumps(document).encode()


async def shown(http: httpx.AsyncClient, stack: Stack, pounds: int) -> None:
    """Return once the table shows it as East Sussex's share."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            answer = await http.get(TABLE)
            answer.raise_for_status()
            header, *rows = (line.split(",") for line in answer.text.splitlines())
            for cells in (dict(zip(header, row, strict=False)) for row in rows):
                is_it = (cells["workstream_code"], cells["scope"], cells["year"]) == (
                    "highways",
                    EAST_SUSSEX,
                    "2014/15",
                )
                if is_it and float(cells["in_year"] or 0) == pounds:
                    return
            await asyncio.sleep(0.005)


async def test_a_return_on_its_topic_is_in_the_table_at_once(
    stack: Stack, http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    took: list[float] = []
    async with finance_system(stack, "ESX") as producer:
        for number in range(TIMED_RETURNS):
            pounds = 1_000_000 + number
            started = time.monotonic()
            await producer.send_and_wait(council_inbox("ESX"), a_share(pounds), headers=event(uuid4().hex))
            await shown(http, stack, pounds)
            took.append(time.monotonic() - started)
    with capsys.disabled():
        print(
            f"\n{TIMED_RETURNS} returns on a council's topic, from the send to the table: "
            f"median {1000 * statistics.median(took):.0f} ms, most {1000 * max(took):.0f} ms"
        )
    assert statistics.median(took) < 1


async def test_a_council_cannot_post_on_anothers_topic(stack: Stack) -> None:
    async with finance_system(stack, "ESX") as producer:
        with pytest.raises(TopicAuthorizationFailedError):
            await producer.send_and_wait(council_inbox("KEN"), a_share(1), headers=event("not-ours"))


async def test_what_may_not_stand_ends_in_rejections_and_the_good_ones_behind_it_count(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    bad = {
        "malformed": (b'{"workstream": ', event("malformed"), "unreadable"),
        "oversized": (b" " * 1_000_001, event("oversized"), "too-large"),
        "wrong-schema": (b'{"Workstream": "highways"}', event("wrong-schema"), "refused"),
        "foreign": (a_share(5, KENT), event("foreign"), "forbidden"),
        "not-text": (b"\xff\xfe\x00", [("ce_id", b"\xff"), ("nothing", None)], "unreadable"),
        "wrong-type": (a_share(5), event("wrong-type", type="uk.savings.payment.v1"), "refused"),
    }
    good = f"good-{uuid4().hex}"
    async with finance_system(stack, "ESX") as producer:
        with pytest.raises(MessageSizeTooLargeError):  # the broker's own limit: nothing of it comes to us
            await producer.send_and_wait(council_inbox("ESX"), b" " * 1_200_000, headers=event("far-too-large"))
        for value, headers, _ in bad.values():
            await producer.send_and_wait(council_inbox("ESX"), value, headers=headers)
        await producer.send_and_wait(council_inbox("ESX"), a_share(2_000_000), headers=event(good))
    await shown(http, stack, 2_000_000)
    found = (await http.get("/v1/rejections?open=false")).json()["rejections"]
    assert [one["problem"]["type"] for one in reversed(found)] == [code for _, _, code in bad.values()]
    asked = (await http.get("/v1/submissions", params={"event_id": good})).json()
    assert (asked["event"]["counted"], len(asked["submissions"])) == (True, 1)
    assert (await http.get(asked["event"]["entries"][0])).json()["entries"]
    refused = (await http.get("/v1/submissions", params={"event_id": "malformed"})).json()["event"]
    assert (refused["received"], refused["counted"]) == (True, False)
    assert [one["original_bytes"] for one in found if one["problem"]["type"] == "too-large"] == [1_000_001]
    assert {told.rejection_id for told in await published(stack, len(bad))} == {one["id"] for one in found}


async def published(stack: Stack, count: int) -> list[ReturnRejected]:
    """What stands on the topic of rejections."""
    consumer = AIOKafkaConsumer(REJECTIONS_TOPIC, **stack.broker.admin.options(), auto_offset_reset="earliest")
    await consumer.start()
    found: list[ReturnRejected] = []
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < count:
                found.append(ReturnRejected.model_validate_json((await consumer.getone()).value))
    finally:
        await consumer.stop()
    return found
