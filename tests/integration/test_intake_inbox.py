"""A council's topic: what is posted there is decided as over HTTP, and what is refused is shown to the council."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from sqlalchemy import select

from deploy.kafka.desired import council_inbox
from savings.process import Process
from services.intake import inbox, tables
from services.intake.rejections_api import RejectionsOut, WholeRejectionOut
from services.intake.schemas import SubmissionsOut
from shared.bus.envelope import from_message
from shared.bus.kafka import Cluster, KafkaBus
from shared.bus.port import BusUnavailable, Message, Received, TopicPartition
from shared.events import REJECTIONS_TOPIC, RETURN_REJECTED, ReturnRejected
from shared.settings import Settings
from tests.builders import (
    AUDITOR,
    AUTHOR_ESX,
    AUTHOR_KEN,
    EAST_SUSSEX,
    FINANCE_ESX,
    FINANCE_KEN,
    KENT,
    LEAD_ICT,
    OFFICE,
    SE7,
    a_line,
    a_return,
)
from tests.intake_deployment import IntakeDeployment

TYPE, SOURCE = "uk.savings.return.v1", "/finance/esx"
ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def binary(document: Any, event: str = "1", register: str = "ESX", **different: Any) -> Message:
    """A return as an event in binary mode; an attribute set to ``...`` is left out."""
    attributes = {"specversion": "1.0", "id": event, "source": SOURCE, "type": TYPE} | different
    headers = {f"ce_{name}": str(value).encode() for name, value in attributes.items() if value is not ...}
    value = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Message(f"savings.inbox.{register}", "", value, (*headers.items(), ("content-type", b"application/json")))


def structured(document: Any, event: str = "1", register: str = "ESX", **different: Any) -> Message:
    """The same in structured mode."""
    whole = {"specversion": "1.0", "id": event, "source": SOURCE, "type": TYPE, "data": document} | different
    value = json.dumps({name: part for name, part in whole.items() if part is not ...}).encode()
    content_type = b"application/cloudevents+json; charset=utf-8"
    return Message(f"savings.inbox.{register}", "", value, (("content-type", content_type),))


@asynccontextmanager
async def reading(intake: IntakeDeployment) -> AsyncIterator[Any]:
    """Posts messages on the councils' topics and has intake read them, in one batch."""
    async with intake.intake.consuming.subscribed() as consumer:

        async def post(*messages: Message) -> None:
            assert list(await intake.bus.publish(messages)) == [None] * len(messages)
            assert await intake.intake.consuming.run_once(consumer, 0) == len(messages)

        yield post


@pytest.fixture
async def post(intake: IntakeDeployment) -> AsyncIterator[Any]:
    async with reading(intake) as post:
        yield post


async def stated(intake: IntakeDeployment, **parameters: Any) -> list[dict[str, Any]]:
    answer = (await intake.get("/v1/submissions", OFFICE, **parameters)).json()
    SubmissionsOut.model_validate(answer, extra="forbid")
    return list(answer["submissions"])


async def refused(intake: IntakeDeployment, by: Any = OFFICE, **parameters: Any) -> list[dict[str, Any]]:
    answer = await intake.get("/v1/rejections", by, **parameters)
    assert answer.status_code == 200, answer.text
    RejectionsOut.model_validate(answer.json(), extra="forbid")
    return list(answer.json()["rejections"])


async def parked(intake: IntakeDeployment) -> Sequence[str]:
    async with intake.intake.database.read() as connection:
        return list((await connection.execute(select(tables.consumed.parked.c.reason))).scalars())


async def told(intake: IntakeDeployment) -> list[ReturnRejected]:
    """What has been published of rejections."""

    async def from_the_start(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    while await intake.intake.relay.run_once():
        pass
    async with intake.bus.subscribe([REJECTIONS_TOPIC], "test", from_the_start) as consumer:
        events = [from_message(message) for message in await consumer.poll(1000, 0)]
    assert {event.type for event in events} <= {RETURN_REJECTED}
    return [ReturnRejected.model_validate_json(event.data) for event in events]


def test_the_topics_are_those_that_the_broker_is_given() -> None:
    assert [f"{inbox.TOPIC_PREFIX}{one.register_code}" for one in SE7.councils] == [
        council_inbox(one.register_code) for one in SE7.councils
    ]


@pytest.mark.parametrize("mode", [binary, structured])
async def test_a_return_posted_on_a_topic_is_accepted_as_over_http_and_handed_on(
    intake: IntakeDeployment, post: Any, mode: Any
) -> None:
    await post(mode(a_return(), correlationid="from-the-ledger-7"))
    [one] = await stated(intake)
    assert one["stated_by"] == {"name": "inbox-ESX", "role": "finance", "council": EAST_SUSSEX}
    [event] = await intake.published()
    assert (event.id, event.correlation_id) == (one["id"], "from-the-ledger-7")
    assert await refused(intake) == []
    assert await intake.kept() == {"returns": 1, "accounts": 1, "figures": 1, "heads": 1, "outbox": 0}


async def test_the_lead_council_states_the_partnerships_figures_on_its_topic(
    intake: IntakeDeployment, post: Any
) -> None:
    await post(binary(a_return(workstream="sen", scope="partnership")))
    assert [one["scope"] for one in await stated(intake)] == ["partnership"]


async def test_the_same_event_again_is_counted_once_in_either_mode(intake: IntakeDeployment, post: Any) -> None:
    await post(binary(a_return()), structured(a_return()))
    await post(binary(a_return()))
    assert len(await stated(intake)) == 1
    assert await refused(intake) == []


async def test_an_event_of_another_source_with_the_same_id_is_another_return(
    intake: IntakeDeployment, post: Any
) -> None:
    await post(binary(a_return()), binary(a_return(a_line(amount="1.00"), reason="corrected"), source="/payroll/esx"))
    assert len(await stated(intake)) == 2


async def test_other_content_under_the_same_id_is_refused_and_only_a_later_return_puts_it_right(
    intake: IntakeDeployment, post: Any
) -> None:
    other = a_return(a_line(amount="1.00"), reason="corrected")
    await post(binary(a_return()), binary(other))
    [one] = await refused(intake)
    assert {fault["code"] for fault in one["problem"]["errors"]} == {"idempotency-key-reused"}
    # The event as it was first sent is known; that mends nothing.
    await post(binary(a_return()))
    assert [left["id"] for left in await refused(intake)] == [one["id"]]
    await post(binary(other, "2"))
    assert await refused(intake) == []
    assert len(await stated(intake)) == 2


BAD: dict[str, tuple[Message, str, list[str]]] = {
    "no JSON": (binary(b'{"workstream": '), "unreadable", []),
    "not UTF-8": (binary(b'{"workstream": "\xff"}'), "unreadable", []),
    "empty": (binary(b""), "unreadable", []),
    "a list": (binary([a_return()]), "unreadable", []),
    "a name twice": (binary(b'{"scope": "E10000011", "scope": "E10000016"}'), "unreadable", []),
    "too large": (binary(a_return(update="x" * 1_000_000)), "too-large", []),
    "too large and structured": (structured(a_return(update="x" * 1_000_000)), "too-large", []),
    "another content": (
        Message("savings.inbox.ESX", "", b"a,b", (*binary({}).headers[:-1], ("content-type", b"text/csv"))),
        "wrong-media-type",
        [],
    ),
    "wrong schema": (binary({"Workstream": "ict", "amount": 3}), "refused", ["unknown-field", "missing-field"]),
    "wrong type of event": (binary(a_return(), type="uk.savings.payment.v1"), "refused", ["wrong-event-type"]),
    "no id": (binary(a_return(), id=...), "refused", ["not-an-event"]),
    "no source": (structured(a_return(), source=...), "refused", ["not-an-event"]),
    "an id with a control character": (binary(a_return(), id="a\x00b"), "refused", ["not-an-event"]),
    "another version of events": (binary(a_return(), specversion="2.0"), "refused", ["not-an-event"]),
    "an id that is a number": (structured(a_return(), id=["7"]), "refused", ["not-an-event"]),
    "no event at all": (Message("savings.inbox.ESX", "", b"hello"), "unreadable", []),
    "a return without an envelope": (
        Message("savings.inbox.ESX", "", json.dumps(a_return()).encode()),
        "refused",
        ["not-an-event"],
    ),
    "a time that is none": (binary(a_return(), time="yesterday"), "unreadable", []),
    "data that is not base64": (structured(..., data_base64="%%%"), "unreadable", []),
    "nested deep": (binary(b"[" * 400_000), "unreadable", []),
    "Kent's share": (binary(a_return(scope=KENT)), "forbidden", []),
    "the partnership's figure of another's workstream": (binary(a_return(scope="partnership")), "forbidden", []),
    "an amount that is a number": (binary(a_return(a_line(amount=3))), "refused", ["amount-not-text"]),
    "a forecast of a year that has ended": (
        binary(a_return(a_line(year="2010/11", basis="forecast"))),
        "refused",
        ["year-outside-table"],
    ),
}


@pytest.mark.parametrize("what", BAD)
@ON_ONE_DATABASE
async def test_what_may_not_stand_is_rejected_with_its_reasons_and_those_behind_it_count(
    intake: IntakeDeployment, post: Any, what: str
) -> None:
    bad, code, fault_codes = BAD[what]
    good = a_return(workstream="waste")
    await post(bad, binary(good, "behind"))
    assert [one["workstream"] for one in await stated(intake)] == ["waste"]
    [one] = await refused(intake)
    whole = (await intake.get(f"/v1/rejections/{one['id']}", FINANCE_ESX)).json()
    WholeRejectionOut.model_validate(whole, extra="forbid")
    problem = one["problem"]
    assert (problem["type"], bool(problem["detail"])) == (code, True)
    assert {fault["code"] for fault in problem.get("errors", [])} >= set(fault_codes)
    assert all(fault["fix"] and fault["detail"] for fault in problem.get("errors", []))
    decode = base64.b64decode if whole["original_encoding"] == "base64" else str.encode
    assert decode(whole["original"]) == bad.value[:1_048_576]
    assert one["original_bytes"] == len(bad.value)
    [event] = await told(intake)
    assert (event.rejection_id, event.council, event.code) == (one["id"], EAST_SUSSEX, code)
    assert [fault.code for fault in event.errors] == [fault["code"] for fault in problem.get("errors", [])]
    assert event.original == whole["original"]
    assert await parked(intake) == []


async def test_bad_and_good_messages_of_two_councils_in_one_batch_each_have_their_own_effect(
    intake: IntakeDeployment, post: Any
) -> None:
    every_bad = [message for message, _, _ in BAD.values()]
    for bad in every_bad[:8]:
        await post(bad, binary(a_return(scope=KENT), "k", "KEN"))
    await post(*every_bad[8:], binary(a_return(), "good"), binary(a_return(scope=KENT), "k", "KEN"))
    assert sorted(one["scope"] for one in await stated(intake)) == [EAST_SUSSEX, KENT]
    assert len(await refused(intake, open=False)) == len(every_bad)
    assert await parked(intake) == []
    kept = await intake.kept()
    assert (kept["returns"], kept["heads"]) == (2, 2)


async def test_a_rejection_is_seen_by_its_council_the_office_and_auditors(intake: IntakeDeployment, post: Any) -> None:
    await post(binary(a_return(scope=KENT)))
    [one] = await refused(intake)
    for by in (FINANCE_ESX, AUTHOR_ESX, OFFICE, AUDITOR):
        assert [found["id"] for found in await refused(intake, by)] == [one["id"]]
        assert (await intake.get(f"/v1/rejections/{one['id']}", by)).status_code == 200
    for by in (FINANCE_KEN, AUTHOR_KEN, LEAD_ICT):
        assert await refused(intake, by) == []
        assert (await intake.get(f"/v1/rejections/{one['id']}", by)).status_code == 403
        assert (await intake.get("/v1/rejections", by, council=EAST_SUSSEX)).status_code == 403
    assert (await intake.get("/v1/rejections", OFFICE, council="E1")).status_code == 422
    assert (await intake.get("/v1/rejections/7", OFFICE)).status_code == 404


async def test_the_same_event_mended_is_accepted_and_puts_its_rejection_right(
    intake: IntakeDeployment, post: Any
) -> None:
    await post(binary(b"{"), binary(a_return()))
    [mended] = await stated(intake)
    assert await refused(intake) == []
    [one] = await refused(intake, open=False)
    assert one["put_right_by"] == mended["id"]


async def test_a_later_return_about_the_same_stream_puts_it_right_over_http_too_and_an_earlier_one_does_not(
    intake: IntakeDeployment, post: Any
) -> None:
    changed = a_return(a_line(amount="1.00"))
    await post(binary(a_return()), binary(changed, "without a reason"), binary(a_return(workstream="waste"), "3"))
    [one] = await refused(intake)
    assert [fault["code"] for fault in one["problem"]["errors"]] == ["change-without-reason"]
    answer = await intake.post({**changed, "reason": "corrected"}, FINANCE_ESX)
    assert answer.status_code == 201
    assert await refused(intake) == []
    assert [found["put_right_by"] for found in await refused(intake, open=False)] == [answer.json()["id"]]


async def test_rejections_come_in_pages_the_newest_first(intake: IntakeDeployment, post: Any) -> None:
    await post(*(binary(b"{", str(number)) for number in range(7)))
    pages: list[list[str]] = []
    url: str | None = "/v1/rejections?limit=3"
    while url:
        answer = (await intake.get(url, FINANCE_ESX)).json()
        pages.append([one["event"]["id"] for one in answer["rejections"]])
        url = answer["next"]
    assert pages == [["6", "5", "4"], ["3", "2", "1"], ["0"]]


async def test_a_finance_system_asks_whether_its_event_was_got_and_counted(intake: IntakeDeployment, post: Any) -> None:
    await post(binary(a_return(), "good"), binary(b"{", "bad"))

    async def asked(event: str, by: Any = FINANCE_ESX) -> dict[str, Any]:
        answer: dict[str, Any] = (await intake.get("/v1/submissions", by, event_id=event)).json()
        return {"ids": [one["id"] for one in answer["submissions"]], **answer["event"]}

    [accepted], [one] = await stated(intake), await refused(intake)
    good, bad, unknown, anothers = (
        await asked("good"),
        await asked("bad"),
        await asked("unknown"),
        await asked("good", FINANCE_KEN),
    )
    assert (good["received"], good["counted"], good["ids"]) == (True, True, [accepted["id"]])
    assert good["entries"] == [f"/v1/ledgers/councils/{EAST_SUSSEX}/entries?workstream=ict"]
    assert (bad["received"], bad["counted"], bad["ids"]) == (True, False, [])
    assert bad["rejections"] == [f"/v1/rejections/{one['id']}"]
    assert (unknown["received"], unknown["counted"]) == (False, False)
    assert (anothers["received"], anothers["counted"], anothers["ids"]) == (False, False, [])


async def test_a_message_delivered_again_has_no_second_effect(intake: IntakeDeployment, post: Any) -> None:
    await post(binary(a_return()), binary(b"{", "bad"))
    # A second reader that starts from the beginning, as after a rebalance that came between commit and inform.
    positions = tables.consumed.positions
    async with intake.intake.database.write() as connection:
        await connection.execute(positions.update().values(next_offset=0))
    async with intake.intake.consuming.subscribed() as consumer:
        assert await intake.intake.consuming.run_once(consumer, 0) == 2
    assert len(await stated(intake)) == 1
    assert await parked(intake) == []


async def test_a_failure_half_way_leaves_neither_effect_nor_position(
    intake: IntakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    async def killed(*_: Any) -> None:
        raise Killed

    async with intake.intake.consuming.subscribed() as consumer:
        await intake.bus.publish([binary(a_return()), binary(b"{", "bad")])
        with monkeypatch.context() as broken:
            broken.setattr("services.intake.inbox.reject", killed)
            with pytest.raises(Killed):
                await intake.intake.consuming.run_once(consumer, 0)
    assert await intake.kept() == {"returns": 0, "accounts": 0, "figures": 0, "heads": 0, "outbox": 0}
    async with intake.intake.consuming.subscribed() as consumer:
        assert await intake.intake.consuming.run_once(consumer, 0) == 2
    assert (len(await stated(intake)), len(await refused(intake))) == (1, 1)


async def test_an_error_nobody_foresaw_parks_its_message_and_those_behind_it_count(
    intake: IntakeDeployment, post: Any, monkeypatch: pytest.MonkeyPatch
) -> None:

    reads = inbox.read_posted

    def broken(received: Received) -> Any:
        if b"waste" in received.value:
            raise RuntimeError("nobody foresaw it")
        return reads(received)

    monkeypatch.setattr(inbox, "read_posted", broken)
    await post(binary(a_return(workstream="waste")), binary(a_return(), "2"))
    assert [one["workstream"] for one in await stated(intake)] == ["ict"]
    assert await parked(intake) == ["RuntimeError: nobody foresaw it"]
    ready, detail = await intake.intake.checks["inbox"]()
    assert (ready, detail.endswith("1 parked")) == (True, True)


async def test_a_rejection_with_very_many_errors_still_fits_its_event(intake: IntakeDeployment, post: Any) -> None:
    # Each line has many faults; what was posted is close to the limit itself.
    wrong = {"year": "£", "amount": 1, "basis": "x", "benefit": "x", "recurrence": "x"}
    await post(binary(a_return(*[a_line(**wrong, note='"' * 490, reason='"' * 490)] * 450)))
    [event] = await told(intake)
    [one] = await refused(intake)
    assert min(len(event.errors), event.errors_left_out) > 100
    whole = (await intake.get(f"/v1/rejections/{one['id']}", OFFICE)).json()
    assert len(whole["problem"]["errors"]) == len(event.errors) + event.errors_left_out
    assert len(one["problem"]["errors"]) == 100


async def test_topics_that_are_not_there_yet_hold_up_none_that_are(settings: Settings) -> None:
    """On Kafka only one council has its topic; the embedded log makes each when it is first written to."""
    process = Process(settings, ["intake"])
    try:
        async for _ in process.migrate():
            pass
        assert process.intake is not None
        if isinstance(process.bus, KafkaBus):
            await _make_topic(settings, "savings.inbox.ESX")
        async with process.intake.running():
            await process.bus.publish([binary(a_return())])
            async with asyncio.timeout(30):
                while not await _returns(process):  # noqa: ASYNC110 - the reader calls nobody back
                    await asyncio.sleep(0.05)
            assert (await process.intake.checks["inbox"]())[0]
    finally:
        await process.close()


async def _returns(process: Process) -> int:
    async with process.database("intake").read() as connection:
        return len((await connection.execute(select(tables.returns.c.id))).all())


async def _make_topic(settings: Settings, name: str) -> None:
    password = settings.kafka_password.get_secret_value()
    options = Cluster(settings.kafka_bootstrap_servers, settings.kafka_user, password).options()
    client = AIOKafkaAdminClient(**options)
    await client.start()
    try:
        if name in await client.list_topics():
            await client.delete_topics([name])
            async with asyncio.timeout(20):
                while name in await client.list_topics():  # noqa: ASYNC110 - the broker calls nobody back
                    await asyncio.sleep(0.05)
        await client.create_topics([NewTopic(name, 1, 1)])
    finally:
        await client.close()


async def test_a_bus_that_is_away_at_the_start_is_waited_for(
    intake: IntakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe, tries = intake.bus.subscribe, 0

    def away_at_first(*asked: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise BusUnavailable("not yet")
        return subscribe(*asked)

    monkeypatch.setattr(intake.bus, "subscribe", away_at_first)
    await intake.bus.publish([binary(a_return())])
    async with intake.intake.running(), asyncio.timeout(10):
        while not await stated(intake):  # noqa: ASYNC110 - the reader calls nobody back
            await asyncio.sleep(0.05)
    assert tries == 2


async def test_what_the_rules_refuse_leaves_nothing_but_its_rejection(intake: IntakeDeployment, post: Any) -> None:
    negative = a_line(amount="-1.00")
    await post(binary(a_return(negative)), binary(a_return(scope=KENT, workstream="waste"), "k", "KEN"))
    [one] = await refused(intake)
    assert [fault["code"] for fault in one["problem"]["errors"]] == ["negative-without-reason"]
    assert [found["scope"] for found in await stated(intake)] == [KENT]
    # A head of the refused return's stream would say that it has returns; Kent's own must be there.
    kept = await intake.kept()
    assert {name: kept[name] for name in ("returns", "figures", "heads")} == {"returns": 1, "figures": 1, "heads": 1}
