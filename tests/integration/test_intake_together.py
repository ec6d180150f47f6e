"""Returns stated singly at the same time share a transaction; to each of them it is as if it had been alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import httpx
import pytest
from sqlalchemy import event

from services.intake import handing_on, stating, store
from services.intake.deciding import Accepted
from shared.bus.port import Message
from shared.database import DatabaseUnavailable
from shared.figures import Scope, Stream, WorkstreamCode
from shared.partnership import Partnership
from tests.builders import EAST_SUSSEX, FINANCE_ESX, FINANCE_KEN, KENT, a_line, a_return
from tests.intake_deployment import IntakeDeployment

WORKSTREAMS = ("ict", "highways", "waste", "sen", "property", "procurement")
SENDERS = {EAST_SUSSEX: FINANCE_ESX, KENT: FINANCE_KEN}
STREAMS = [(workstream, scope) for workstream in WORKSTREAMS for scope in SENDERS]


async def at_once(intake: IntakeDeployment, *sent: tuple[str, str, str], key: str = "") -> Sequence[httpx.Response]:
    """State an amount of each workstream and scope, all at the same time."""
    return await asyncio.gather(
        *(
            intake.post(
                a_return(a_line(amount=amount), workstream=workstream, scope=scope, reason="found more"),
                SENDERS[scope],
                key=f"{key or amount}/{workstream}",
            )
            for workstream, scope, amount in sent
        )
    )


async def begun(intake: IntakeDeployment) -> None:
    """Every stream has a first return: what is new is stated alone."""
    answers = await at_once(intake, *((*stream, "100k") for stream in STREAMS))
    assert {answer.status_code for answer in answers} == {201}


@contextmanager
def commits_counted(intake: IntakeDeployment) -> Iterator[list[str]]:
    found: list[str] = []

    def committed(_: object) -> None:
        found.append("committed")

    engine = intake.intake.database.engine.sync_engine
    event.listen(engine, "commit", committed)
    try:
        yield found
    finally:
        event.remove(engine, "commit", committed)


async def test_they_are_committed_together_each_with_its_own_answer_place_and_event(intake: IntakeDeployment) -> None:
    await begun(intake)
    with commits_counted(intake) as commits:
        answers = [answer.json() for answer in await at_once(intake, *((*stream, "200k") for stream in STREAMS))]
    assert len(commits) < len(STREAMS) / 2
    assert [(one["workstream"], one["scope"]) for one in answers] == STREAMS
    assert {(one["version"], one["lines"][0]["movement"]) for one in answers} == {(2, "100000.00")}
    assert [one["stated_by"]["council"] for one in answers] == [scope for _, scope in STREAMS]
    events = {event.id: event for event in await intake.published()}
    for one in answers:
        assert events[one["id"]].key == f"{one['workstream']}/{one['scope']}"
    assert len({event.correlation_id for event in events.values()}) == len(events) == 2 * len(STREAMS)


async def test_one_that_is_refused_or_repeated_does_nothing_to_the_others(intake: IntakeDeployment) -> None:
    await begun(intake)
    sen = {"workstream": "sen", "scope": EAST_SUSSEX}
    with commits_counted(intake) as commits:
        fine, refused, repeated, reused, foreign, other = await asyncio.gather(
            intake.post(a_return(a_line(amount="200k"), reason="found more"), FINANCE_ESX),
            intake.post(a_return(a_line(amount="300k"), **sen), FINANCE_ESX),
            intake.post(
                a_return(a_line(amount="100k"), workstream="waste", reason="found more"),
                FINANCE_ESX,
                key="100k/waste",
            ),
            intake.post(a_return(workstream="highways"), FINANCE_ESX, key="100k/highways"),
            intake.post(a_return(workstream="property"), FINANCE_KEN),
            intake.post(a_return(a_line(amount="200k"), scope=KENT, reason="found more"), FINANCE_KEN),
        )
    assert len(commits) <= 2
    assert [fine.status_code, other.status_code, repeated.status_code] == [201, 201, 201]
    assert [repeated.headers.get("Idempotent-Replayed"), repeated.json()["version"]] == ["true", 1]
    assert [fault["code"] for fault in refused.json()["errors"]] == ["change-without-reason"]
    assert {fault["code"] for fault in reused.json()["errors"]} == {"idempotency-key-reused"}
    assert foreign.status_code == 403
    assert (await intake.kept())["returns"] == len(STREAMS) + 2


async def test_a_transaction_in_which_nothing_is_to_be_kept_is_given_up(intake: IntakeDeployment) -> None:
    with commits_counted(intake) as commits:
        first = await intake.post(a_return(), FINANCE_ESX, key="P08")
    # Its stream is new: looking whether it is there was given up, and it was stated alone.
    assert (first.status_code, len(commits)) == (201, 1)
    with commits_counted(intake) as commits:
        refused = await intake.post(a_return(a_line(amount="£400k")), FINANCE_ESX)
        repeated = await intake.post(a_return(), FINANCE_ESX, key="P08")
    assert (refused.status_code, repeated.status_code, len(commits)) == (422, 201, 0)


async def test_returns_of_one_stream_are_each_judged_by_what_came_before(intake: IntakeDeployment) -> None:
    await begun(intake)
    amounts = [f"{number}k" for number in range(101, 113)]
    answers = [answer.json() for answer in await at_once(intake, *(("ict", EAST_SUSSEX, one) for one in amounts))]
    assert sorted(one["version"] for one in answers) == list(range(2, 14))
    in_order = sorted(answers, key=lambda one: int(one["version"]))
    assert [one["recorded_at"] for one in in_order] == sorted({one["recorded_at"] for one in answers})
    for before, after in pairwise(in_order):
        assert after["lines"][0]["previous"]["amount"] == before["lines"][0]["amount"]


async def test_one_that_cannot_be_written_fails_alone(
    intake: IntakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(intake)

    def message_of(accepted: Accepted, partnership: Partnership) -> Message:
        if accepted.return_.stream.workstream == "waste":
            raise ValueError("nobody foresaw this")
        return handing_on.message_of(accepted, partnership)

    monkeypatch.setattr(stating, "message_of", message_of)
    transport = httpx.ASGITransport(intake.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://intake.test") as intake.http:
        answers = await at_once(intake, *((*stream, "200k") for stream in STREAMS))
    assert [answer.status_code for answer in answers] == [500 if stream[0] == "waste" else 201 for stream in STREAMS]
    assert (await intake.kept())["returns"] == len(STREAMS) + len(STREAMS) - 2


async def test_an_outage_is_told_to_all_whose_transaction_it_was(
    intake: IntakeDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    await begun(intake)

    async def lock_free_heads(*_: object) -> None:
        raise DatabaseUnavailable("it is away")

    with monkeypatch.context() as away:
        away.setattr(store, "lock_free_heads", lock_free_heads)
        answers = await at_once(intake, *((*stream, "200k") for stream in STREAMS))
    assert {answer.status_code for answer in answers} == {503}
    # Sent again with the same keys, each counts once.
    answers = await at_once(intake, *((*stream, "200k") for stream in STREAMS))
    assert {(answer.status_code, answer.json()["version"]) for answer in answers} == {(201, 2)}


# SQLite has one writer at a time, and all others wait for it.
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_stream_that_somebody_else_holds_holds_up_nobody_but_its_own(intake: IntakeDeployment) -> None:
    await begun(intake)
    held = Stream(WorkstreamCode("ict"), Scope(EAST_SUSSEX))
    others = [stream for stream in STREAMS if stream != ("ict", EAST_SUSSEX)]
    async with intake.intake.database.write() as connection:
        await store.lock_heads(connection, [held])
        waiting = asyncio.gather(at_once(intake, ("ict", EAST_SUSSEX, "200k")))
        async with asyncio.timeout(4):
            answers = await at_once(intake, *((*stream, "200k") for stream in others))
        assert {answer.status_code for answer in answers} == {201}
        assert not waiting.done()
    [[answer]] = await waiting
    assert (answer.status_code, answer.json()["version"]) == (201, 2)
