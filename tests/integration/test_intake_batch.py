"""Returns sent together: each is answered as if it had come alone, and all are kept in one transaction."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import event

from services.intake.schemas import BatchOut
from shared.events import ReturnAccepted
from tests.builders import FINANCE_ESX, KENT, a_line, a_return
from tests.intake_deployment import IntakeDeployment

BATCH = "/v1/submissions/batch"
NOTHING = {"returns": 0, "accounts": 0, "figures": 0, "heads": 0, "outbox": 0}
MIXED: list[Any] = [
    a_return(),
    a_return(scope=KENT),
    a_return(a_line(amount="£400k")),
    a_return(a_line(year="2011/13"), workstream="waste"),
    a_return(a_line(amount="-1"), workstream="sen"),
    "a return",
    a_return(a_line(amount="£400k"), reason="found more"),
]


async def send(intake: IntakeDeployment, documents: Any, **parameters: Any) -> httpx.Response:
    return await intake.post(documents, FINANCE_ESX, BATCH, **parameters)


async def test_each_return_is_answered_as_if_it_had_come_alone(intake: IntakeDeployment) -> None:
    answer = await send(intake, MIXED)
    assert answer.status_code == 200
    told = answer.json()
    BatchOut.model_validate(told, extra="forbid")
    assert (told["accepted"], told["replayed"], told["refused"]) == (2, 0, 5)
    assert [(one["item"], one["status"]) for one in told["results"]] == [
        (0, 201),
        (1, 403),
        (2, 422),
        (3, 422),
        (4, 422),
        (5, 400),
        (6, 201),
    ]
    first, foreign, changed, _, _, _, corrected = (one["body"] for one in told["results"])
    assert (first["version"], corrected["version"]) == (1, 2)
    assert corrected["lines"][0]["movement"] == "100000.00"
    assert foreign["type"] == "forbidden"
    # The pointer is into that return, as if it had come alone.
    assert [(fault["pointer"], fault["allowed"]) for fault in changed["errors"]] == [("/lines/0/amount", "£300k")]


async def test_the_body_of_a_result_is_that_of_a_single_answer(intake: IntakeDeployment) -> None:
    alone = [await intake.post(document, FINANCE_ESX, dry_run="true") for document in MIXED[1:2] + MIXED[3:5]]
    told = (await send(intake, MIXED)).json()["results"]
    assert [one["body"] for one in told[1:2] + told[3:5]] == [answer.json() for answer in alone]


async def test_what_may_stand_is_kept_and_nothing_of_the_rest(intake: IntakeDeployment) -> None:
    await send(intake, MIXED)
    assert await intake.kept() == {"returns": 2, "accounts": 1, "figures": 2, "heads": 1, "outbox": 2}
    versions = [ReturnAccepted.model_validate_json(event.data).version for event in await intake.published()]
    assert versions == [1, 2]


async def test_atomic_keeps_all(intake: IntakeDeployment) -> None:
    answer = await send(intake, {"submissions": [a_return(), a_return(workstream="sen")]}, atomic="true")
    assert (answer.status_code, answer.json()["accepted"]) == (200, 2)
    assert (await intake.kept())["returns"] == 2


@pytest.mark.parametrize(
    ("wrap", "prefix"), [(lambda all_: all_, ""), (lambda all_: {"submissions": all_}, "/submissions")]
)
async def test_atomic_keeps_none_where_one_may_not_stand(intake: IntakeDeployment, wrap: Any, prefix: str) -> None:
    answer = await send(intake, wrap(MIXED), atomic="true")
    assert answer.status_code == 422
    told = answer.json()
    assert told["detail"] == "5 of the 7 returns may not stand; none of them was kept."
    assert [(fault["pointer"], fault["code"]) for fault in told["errors"]] == [
        (f"{prefix}/1", "forbidden"),
        (f"{prefix}/2/lines/0/amount", "change-without-reason"),
        (f"{prefix}/3/lines/0/year", "not-a-year"),
        (f"{prefix}/4/lines/0/amount", "negative-without-reason"),
        (f"{prefix}/5", "unreadable"),
    ]
    assert await intake.kept() == NOTHING


async def test_sent_again_with_its_key_every_return_is_a_replay(intake: IntakeDeployment) -> None:
    documents = [a_return(), a_return(a_line(amount="£1m"), reason="found more"), a_return(reason="it was not there")]
    first = (await send(intake, documents, key="P08")).json()
    kept = await intake.kept()
    again = (await send(intake, documents, key="P08")).json()
    assert (first["accepted"], again["accepted"], again["replayed"]) == (3, 0, 3)
    assert [one["body"] for one in again["results"]] == [one["body"] for one in first["results"]]
    assert all(one["replayed"] and one["status"] == 201 for one in again["results"])
    assert await intake.kept() == kept


async def test_a_return_has_one_key_whether_sent_alone_or_in_a_batch(intake: IntakeDeployment) -> None:
    alone = await intake.post(a_return(), FINANCE_ESX, key="own")
    told = (await send(intake, [{**a_return(), "idempotency_key": "own"}], key="P08")).json()
    assert told["results"][0] == {"item": 0, "status": 201, "replayed": True, "body": alone.json()}


async def test_a_key_that_stands_twice_in_a_batch_stands_for_its_first_return(intake: IntakeDeployment) -> None:
    documents = [{**a_return(reason=reason), "idempotency_key": "k"} for reason in ("a", "a", "b")]
    told = (await send(intake, documents)).json()
    assert [(one["status"], one["replayed"]) for one in told["results"]] == [(201, False), (201, True), (422, False)]


@pytest.mark.parametrize(("documents", "pointer"), [([a_return()] * 501, ""), ([], "")])
async def test_too_many_or_none_are_refused_as_a_whole(intake: IntakeDeployment, documents: Any, pointer: str) -> None:
    answer = await send(intake, documents)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert await intake.kept() == NOTHING


async def test_an_oversized_batch_is_refused(intake: IntakeDeployment) -> None:
    answer = await intake.post_bytes(b" " * 10_000_001, FINANCE_ESX, BATCH)
    assert (answer.status_code, answer.json()["detail"]) == (413, "The body is larger than 10,000,000 bytes.")


async def test_500_returns_are_a_few_statements(intake: IntakeDeployment) -> None:
    statements: list[str] = []
    engine = intake.intake.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    documents = [
        a_return(
            a_line(amount=f"{n}.00"),
            a_line(year="2012/13", amount=f"{n}.00"),
            as_at=f"2011-12-{1 + n % 28:02}",
            reason="as found",
        )
        for n in range(500)
    ]
    answer = await send(intake, documents, key="P08")
    assert answer.json()["accepted"] == 500
    assert len(statements) < 15, statements
    assert (await intake.kept())["figures"] == 1000


async def test_batches_at_once_that_share_streams_do_not_hold_each_other_up(intake: IntakeDeployment) -> None:
    workstreams = ["ict", "waste", "sen", "highways", "property", "procurement"]

    def batch(number: int) -> list[Any]:
        turned = workstreams[number % 6 :] + workstreams[: number % 6]
        return [a_return(a_line(amount=f"{number}.00"), workstream=one, reason=f"batch {number}") for one in turned]

    answers = await asyncio.gather(*(send(intake, batch(number)) for number in range(6)))
    assert [answer.json()["accepted"] for answer in answers] == [6] * 6
    for workstream in workstreams:
        versions = [
            one["version"]
            for one in (await intake.get("/v1/submissions", FINANCE_ESX, workstream=workstream)).json()["submissions"]
        ]
        assert versions == [6, 5, 4, 3, 2, 1]


async def test_a_batch_is_listed_in_its_order(intake: IntakeDeployment) -> None:
    told = (await send(intake, [a_return(), a_return(workstream="waste"), a_return(workstream="sen")])).json()
    listed = (await intake.get("/v1/submissions", FINANCE_ESX)).json()["submissions"]
    assert [one["id"] for one in listed] == [one["body"]["id"] for one in reversed(told["results"])]


async def test_faults_beyond_what_one_answer_can_tell_are_still_counted(intake: IntakeDeployment) -> None:
    years = ["2011/12", "2012/13", "2013/14", "2014/15"]
    lines = [
        a_line(year=year, amount="-1", basis=basis, benefit=benefit, recurrence=recurrence)
        for year in years
        for basis in ("estimate", "actual")
        for benefit in ("cash_releasing", "non_cash_releasing", "avoided_cost")
        for recurrence in ("recurring", "one_off")
    ]
    answer = await send(intake, [a_return(*lines, as_at=f"2011-{month:02}-07") for month in range(1, 13)] * 20)
    results = answer.json()["results"]
    assert sum(len(one["body"]["errors"]) for one in results) < 11_000
    assert {one["body"]["detail"] for one in results} == {
        "72 things are wrong with the return; nothing of it was kept."
    }
    assert len(json.dumps(results)) < 10_000_000
