"""A dry run does everything but keep the return, and says what the totals would become, or that nobody knows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.intake import preview
from services.intake.schemas import DryRunOut
from tests.builders import FINANCE_ESX, KENT, a_line, a_return
from tests.intake_deployment import IntakeDeployment, deployed_intake

NOTHING = {"returns": 0, "accounts": 0, "figures": 0, "heads": 0, "outbox": 0}
TOTALS = {
    "scope_totals": [{"year": "2011/12", "before": "0.00", "after": "300000.00"}],
    "workstream_total": {"before": "10100000.00", "after": "10100000.00"},
    "ledger_total": {"before": "83850000.00", "after": "83850000.00"},
}
NOT_KNOWN = "Nothing was kept. The tracker does not answer just now, so what the totals would become is not known."
NO_TIME = (
    "Nothing was kept. There was no time to ask the tracker for this one, so what the totals would become is not "
    "known; try it in a smaller batch."
)

Answer = Callable[[httpx.Request], Awaitable[httpx.Response]]


def told_of(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=[TOTALS for _ in json.loads(request.content)])


class Tracker:
    """Stands for the tracker at the other end of the wire, and remembers what it was asked."""

    def __init__(self, answer: Answer | None = None) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = answer

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return await self._answer(request) if self._answer else told_of(request)


@pytest.fixture
def beside(tmp_path: Path) -> Callable[[Tracker], AbstractAsyncContextManager[IntakeDeployment]]:
    """Intake beside a tracker. Which database it is on makes no difference to what it asks."""

    def deploy(tracker: Tracker) -> AbstractAsyncContextManager[IntakeDeployment]:
        client = httpx.AsyncClient(transport=httpx.MockTransport(tracker), base_url="http://tracker.test/at")
        return deployed_intake(lambda name: f"sqlite+aiosqlite:///{tmp_path}/{name}.db", tmp_path, tracker=client)

    return deploy


Beside = Callable[[Tracker], AbstractAsyncContextManager[IntakeDeployment]]


async def test_it_answers_what_each_line_would_do_and_what_the_tracker_says(beside: Beside) -> None:
    tracker = Tracker()
    async with beside(tracker) as intake:
        answer = await intake.post(
            a_return(a_line(), a_line(status="nil", amount=..., year="2012/13")), FINANCE_ESX, dry_run="true"
        )
        assert answer.status_code == 200
        assert "Location" not in answer.headers
        told = answer.json()
        DryRunOut.model_validate(told, extra="forbid")
        assert (told["kept"], told["would_be"], told["effect"]) == (False, "accepted", TOTALS)
        assert told["detail"] == "Nothing was kept. What the totals would become if this return alone were kept."
        assert [(line["amount"], line["movement"]) for line in told["lines"]] == [
            ("300000.00", "300000.00"),
            (None, "0.00"),
        ]
        assert await intake.kept() == NOTHING

        [asked] = tracker.asked
        assert (asked.method, str(asked.url)) == ("POST", "http://tracker.test/at/v1/ledgers/preview")
        assert asked.headers["Authorization"] == intake.credential(FINANCE_ESX)["Authorization"]
        [question] = json.loads(asked.content)
        assert question == {
            "workstream": "ict",
            "scope": "E10000011",
            "as_at": "2011-12-07",
            "lines": [
                {
                    "initiative": "",
                    "year": year,
                    "basis": "estimate",
                    "benefit": "cash_releasing",
                    "recurrence": "recurring",
                    "flow": "saving",
                    "confidence": "indicative",
                    "status": status,
                    "amount_pence": amount_pence,
                }
                for year, status, amount_pence in [("2011/12", "quantified", 30_000_000), ("2012/13", "nil", None)]
            ],
        }


async def away(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("connection refused")


async def failing(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(503, json={"detail": "starting"})


async def talking_nonsense(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text="<html>")


async def saying_too_little(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=[])


async def silent(_request: httpx.Request) -> httpx.Response:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.mark.parametrize("answer", [away, failing, talking_nonsense, saying_too_little, silent])
async def test_while_the_tracker_is_away_it_still_answers_and_says_so(
    beside: Beside, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "TIMEOUT_SECONDS", 0.2)
    async with beside(Tracker(answer)) as intake, asyncio.timeout(5):
        told = await intake.post(a_return(), FINANCE_ESX, dry_run="true")
        assert (told.status_code, told.json()["effect"], told.json()["detail"]) == (200, None, NOT_KNOWN)
        assert told.json()["lines"][0]["movement"] == "300000.00"


async def test_where_there_is_no_tracker_to_ask_it_says_the_same(intake: IntakeDeployment) -> None:
    told = (await intake.post(a_return(), FINANCE_ESX, dry_run="true")).json()
    assert (told["effect"], told["detail"]) == (None, NOT_KNOWN)
    assert await intake.kept() == NOTHING


async def test_it_refuses_what_would_be_refused(intake: IntakeDeployment) -> None:
    await intake.post(a_return(), FINANCE_ESX)
    for document in (a_return(a_line(amount="£400k")), a_return(a_line(amount=1)), a_return(scope=KENT)):
        wet, dry = [await intake.post(document, FINANCE_ESX, dry_run=dry_run) for dry_run in ("false", "true")]
        assert (dry.status_code, dry.content) == (wet.status_code, wet.content)


async def test_what_would_be_a_replay_is_told_as_one_and_nobody_is_asked(beside: Beside) -> None:
    tracker = Tracker()
    async with beside(tracker) as intake:
        first = (await intake.post(a_return(), FINANCE_ESX, key="P08")).json()
        answer = await intake.post(a_return(), FINANCE_ESX, key="P08", dry_run="true")
        assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (200, "true")
        told = answer.json()
        assert (told["would_be"], told["effect"], told["lines"]) == ("replayed", None, first["lines"])
        assert told["detail"] == f"This return was accepted before, as {first['id']}; stated again it changes nothing."
        assert tracker.asked == []


async def test_it_does_not_use_up_its_key(intake: IntakeDeployment) -> None:
    await intake.post(a_return(), FINANCE_ESX, key="P08", dry_run="true")
    assert (await intake.post(a_return(a_line(amount="£1")), FINANCE_ESX, key="P08")).status_code == 201


async def test_a_batch_is_tried_as_a_whole_and_each_effect_is_that_returns_own(beside: Beside) -> None:
    tracker = Tracker()
    async with beside(tracker) as intake:
        batch = [a_return(), a_return(scope=KENT), a_return(), a_return(a_line(amount="£1m"), reason="found more")]
        answer = await intake.post(batch, FINANCE_ESX, "/v1/submissions/batch", dry_run="true")
        told = answer.json()
        assert (answer.status_code, told["accepted"], told["replayed"], told["refused"]) == (200, 2, 1, 1)
        assert [one["status"] for one in told["results"]] == [200, 403, 200, 200]
        assert [one["body"].get("effect") for one in told["results"]] == [TOTALS, None, None, TOTALS]
        assert told["results"][3]["body"]["lines"][0]["movement"] == "700000.00"
        assert [len(json.loads(asked.content)) for asked in tracker.asked] == [2]
        atomic = await intake.post(batch, FINANCE_ESX, "/v1/submissions/batch", dry_run="true", atomic="true")
        assert (atomic.status_code, len(atomic.json()["errors"])) == (422, 1)
        assert await intake.kept() == NOTHING


def returns_of(number: int) -> list[Any]:
    return [a_return(a_line(amount=f"{n}.00"), reason="as found") for n in range(1, number + 1)]


async def test_the_tracker_is_asked_once_for_a_whole_batch_of_single_figures(beside: Beside) -> None:
    tracker = Tracker()
    async with beside(tracker) as intake:
        told = await intake.post(returns_of(500), FINANCE_ESX, "/v1/submissions/batch", dry_run="true")
        assert [one["body"]["effect"] for one in told.json()["results"]] == [TOTALS] * 500
        assert len(tracker.asked) == 1


async def test_a_return_that_there_was_no_time_to_ask_for_is_told_so_where_others_were_answered(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "TIMEOUT_SECONDS", 0.5)
    monkeypatch.setattr(preview, "LINES_LIMIT", 2)
    asked = 0

    async def slow_after_the_first(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return told_of(request) if asked == 1 else await silent(request)

    async with beside(Tracker(slow_after_the_first)) as intake, asyncio.timeout(5):
        answer = await intake.post(returns_of(8), FINANCE_ESX, "/v1/submissions/batch", dry_run="true")
        bodies = [one["body"] for one in answer.json()["results"]]
        assert [one["effect"] for one in bodies] == [TOTALS] * 2 + [None] * 6
        assert {one["detail"] for one in bodies[2:]} == {NO_TIME}


async def test_a_tracker_that_is_silent_holds_up_a_whole_batch_little_longer_than_one_return(
    beside: Beside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preview, "TIMEOUT_SECONDS", 0.2)
    async with beside(Tracker(silent)) as intake, asyncio.timeout(5):
        answer = await intake.post(returns_of(100), FINANCE_ESX, "/v1/submissions/batch", dry_run="true")
        assert {one["body"]["detail"] for one in answer.json()["results"]} == {NOT_KNOWN}
