"""A return stated again counts once, however it is sent again; and a key stands for one return alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.builders import FINANCE_ESX, FINANCE_KEN, KENT, a_line, a_return
from tests.intake_deployment import IntakeDeployment

ONE_RETURN = {"returns": 1, "accounts": 1, "figures": 1, "heads": 1, "outbox": 1}


async def test_with_the_same_key_and_content_it_is_answered_as_the_first_time(intake: IntakeDeployment) -> None:
    first = await intake.post(a_return(), FINANCE_ESX, key="P08")
    again = await intake.post(a_return(), FINANCE_ESX, key="P08")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert (again.headers["Idempotent-Replayed"], first.headers.get("Idempotent-Replayed")) == ("true", None)
    assert await intake.kept() == ONE_RETURN


async def test_the_same_content_written_otherwise_is_the_same(intake: IntakeDeployment) -> None:
    first = await intake.post(a_return(a_line(amount="£200k")), FINANCE_ESX, key="P08")
    other = a_return(a_line(amount="200000.00", flow="saving", note=None), reason=None)
    again = await intake.post(other, FINANCE_ESX, key="P08")
    assert (again.status_code, again.content) == (201, first.content)


async def test_it_is_a_replay_whatever_has_been_stated_since(intake: IntakeDeployment) -> None:
    first = await intake.post(a_return(), FINANCE_ESX, key="P08")
    await intake.post(a_return(a_line(amount="£1m"), reason="found more"), FINANCE_ESX, key="P09")
    assert (await intake.post(a_return(), FINANCE_ESX, key="P08")).content == first.content


async def test_a_key_that_was_made_anew_for_the_same_sender_makes_no_difference(intake: IntakeDeployment) -> None:
    first = await intake.post(a_return(), FINANCE_ESX, key="P08")
    _, intake.keys[FINANCE_ESX.name] = await intake.access.create(FINANCE_ESX, timedelta(days=1))
    assert (await intake.post(a_return(), FINANCE_ESX, key="P08")).content == first.content


async def test_with_the_same_key_and_other_content_it_is_refused_naming_what_differs(intake: IntakeDeployment) -> None:
    first = (await intake.post(a_return(), FINANCE_ESX, key="P08")).json()
    answer = await intake.post(a_return(a_line(amount="£400k"), reason="found more"), FINANCE_ESX, key="P08")
    assert answer.status_code == 422
    assert [(fault["pointer"], fault["given"], fault["allowed"]) for fault in answer.json()["errors"]] == [
        ("/reason", "found more", None),
        ("/lines/0/amount", "400000.00", "300000.00"),
    ]
    for fault in answer.json()["errors"]:
        assert fault["code"] == "idempotency-key-reused"
        assert fault["detail"] == f"The key 'P08' stands for return {first['id']}, which says something else here."
    assert await intake.kept() == ONE_RETURN


async def test_a_key_is_its_senders_own(intake: IntakeDeployment) -> None:
    answers = [
        await intake.post(a_return(), FINANCE_ESX, key="P08"),
        await intake.post(a_return(scope=KENT), FINANCE_KEN, key="P08"),
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert (await intake.kept())["returns"] == 2


async def test_without_a_key_the_last_return_of_its_stream_is_not_kept_twice(intake: IntakeDeployment) -> None:
    first = await intake.post(a_return(), FINANCE_ESX)
    again = await intake.post(a_return(), FINANCE_ESX)
    assert (again.status_code, again.content, again.headers["Idempotent-Replayed"]) == (201, first.content, "true")
    assert await intake.kept() == ONE_RETURN


async def test_without_a_key_and_with_something_in_between_it_is_a_new_return(intake: IntakeDeployment) -> None:
    await intake.post(a_return(), FINANCE_ESX)
    await intake.post(a_return(a_line(amount="£1m"), reason="found more"), FINANCE_ESX)
    back = await intake.post(a_return(reason="it was not there"), FINANCE_ESX)
    assert back.json()["version"] == 3


@pytest.mark.parametrize("key", ["P08", None])
async def test_at_once_it_is_kept_once_and_all_get_the_same_answer(intake: IntakeDeployment, key: str | None) -> None:
    answers = await asyncio.gather(*(intake.post(a_return(), FINANCE_ESX, key=key) for _ in range(12)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert sum(answer.headers.get("Idempotent-Replayed") == "true" for answer in answers) == 11
    assert await intake.kept() == ONE_RETURN


async def test_two_returns_at_once_under_one_key_one_is_kept_and_the_other_refused(intake: IntakeDeployment) -> None:
    """They are of two workstreams, under two locks: that the key is the same shows only when they are written."""
    for number in range(8):
        key = f"P{number}"
        answers = await asyncio.gather(
            intake.post(a_return(workstream="ict", reason=key), FINANCE_ESX, key=key),
            intake.post(a_return(workstream="waste", reason=key), FINANCE_ESX, key=key),
        )
        assert sorted(answer.status_code for answer in answers) == [201, 422]
        [refused] = [answer for answer in answers if answer.status_code == 422]
        assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/workstream"]
    assert (await intake.kept())["returns"] == (await intake.kept())["outbox"] == 8
