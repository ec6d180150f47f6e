"""The proof: what is altered behind the tracker's back is found, and named, by the checks or by re-reading it all."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.tracker import verifying
from services.tracker.verifying import Verdict
from shared.bus.port import Message
from shared.events import SUBMISSIONS_TOPIC
from shared.figures import Benefit, Flow, Status
from tests.builders import AUDITOR, EAST_SUSSEX, EVERYBODY, KENT, OFFICE
from tests.tracker_deployment import DAY, TrackerDeployment, as_message, line


@pytest.fixture
async def posted(tracker: TrackerDeployment) -> TrackerDeployment:
    """Two workstreams, a share, a correction, a late return, a cost and a placeholder: seven entries of six returns."""
    sender = tracker.sender
    await tracker.receives(
        *map(
            as_message,
            (
                sender.accepts(line(300), line(200, "2012/13"), update="On course."),
                sender.accepts(line(100), scope=EAST_SUSSEX),
                sender.accepts(line(250), as_at=DAY + timedelta(days=9)),
                sender.accepts(line(999), as_at=DAY - timedelta(days=9)),
                sender.accepts(
                    line(None, status=Status.TO_BE_CONFIRMED, benefit=Benefit.AVOIDED_COST), workstream="sen"
                ),
                sender.accepts(line(40, flow=Flow.COST)),
            ),
        )
    )
    return tracker


async def verdict_on(tracker: TrackerDeployment) -> Verdict:
    return await tracker.tracker.verify(lambda _done, _total: None)


async def failed_checks(tracker: TrackerDeployment, **parameters: Any) -> dict[str, list[dict[str, str]]]:
    answer = (await tracker.get("/v1/checks", AUDITOR, **parameters)).json()
    failed = {check["check"]: check["failures"] for check in answer["checks"] if not check["holds"]}
    assert answer["holds"] is not bool(failed)
    return failed


async def test_what_nobody_altered_holds(posted: TrackerDeployment) -> None:
    told: list[tuple[int, int]] = []
    verdict = await posted.tracker.verify(lambda done, total: told.append((done, total)))
    assert verdict == Verdict(entries=7, streams=3, fault=None)
    assert told[0] == (0, 7)
    assert told[-1] == (7, 7)
    answer = (await posted.get("/v1/checks", OFFICE, full="true")).json()
    assert answer["holds"] is True
    assert [(check["check"], check["holds"]) for check in answer["checks"]] == [
        ("balances equal the sum of movements", True),
        ("what stands on an account is what its entry states", True),
        ("the chain's head is its last link", True),
        ("every version of a stream has come, and come once", True),
        ("the ledger's figures are its accounts' balances", True),
        ("shares + unapportioned = partnership", True),
        ("sum of workstreams = total", True),
        ("every entry is what was posted", True),
    ]
    assert all(check["examined"] for check in answer["checks"])


async def test_an_empty_tracker_holds(tracker: TrackerDeployment) -> None:
    assert await verdict_on(tracker) == Verdict(0, 0, None)
    assert (await tracker.get("/v1/checks", OFFICE, full="true")).json()["holds"] is True


async def test_re_reading_goes_on_over_many_pages(posted: TrackerDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    for at_once in (1, 2, 4):
        monkeypatch.setattr(verifying, "RETURNS_AT_ONCE", at_once)
        assert await verdict_on(posted) == Verdict(7, 3, None)


ICT = "stream_id = (SELECT id FROM streams WHERE name = 'ict/partnership')"

ALTERED = [
    pytest.param(
        f"UPDATE entries SET amount_pence = 99900 WHERE {ICT} AND number = 2",
        "ict/partnership, entry 2 (return 00000000-0000-4000-8000-000000000001, line 1): its movement in pence",
        id="an amount",
    ),
    pytest.param(
        f"UPDATE entries SET amount_pence = 99900, movement_pence = 99900, balance_pence = 99900 "
        f"WHERE {ICT} AND number = 2",
        "ict/partnership, entry 2 (return 00000000-0000-4000-8000-000000000001, line 1): its hash",
        id="an amount and all that follows from it in the entry",
    ),
    pytest.param(
        f"UPDATE entries SET movement_pence = 5 WHERE {ICT} AND number = 4",
        "ict/partnership, entry 4 (return 00000000-0000-4000-8000-000000000004, line 0): its movement in pence",
        id="the movement of a late entry",
    ),
    pytest.param(
        f"UPDATE entries SET balance_pence = 5 WHERE {ICT} AND number = 1",
        "ict/partnership, entry 1 (return 00000000-0000-4000-8000-000000000001, line 0): its balance in pence",
        id="a balance",
    ),
    pytest.param(
        f"UPDATE entries SET note = 'agreed' WHERE {ICT} AND number = 3",
        "ict/partnership, entry 3 (return 00000000-0000-4000-8000-000000000003, line 0): its hash",
        id="a note",
    ),
    pytest.param(
        f"UPDATE entries SET status = 'guessed' WHERE {ICT} AND number = 1",
        "ict/partnership, after return 0: what follows",
        id="a status that is none",
    ),
    pytest.param(
        f"UPDATE entries SET as_at = '2012-01-01' WHERE {ICT} AND number = 1",
        "ict/partnership, entry 1 (return 00000000-0000-4000-8000-000000000001, line 0): its as-at date",
        id="an as-at date",
    ),
    pytest.param(
        f"UPDATE entries SET version = 7 WHERE {ICT} AND number = 1",
        "ict/partnership, entry 1 (return 00000000-0000-4000-8000-000000000001, line 0): its version",
        id="a version",
    ),
    pytest.param(
        f"UPDATE entries SET account_id = (SELECT id FROM accounts WHERE year = '2012/13') WHERE {ICT} AND number = 1",
        "ict/partnership, entry 1 (return 00000000-0000-4000-8000-000000000001, line 0): its hash",
        id="the account of an entry",
    ),
    pytest.param(
        f"UPDATE entries SET posting_number = 1 WHERE {ICT} AND number = 3",
        "ict/partnership, entry 3 (return 00000000-0000-4000-8000-000000000001, line 0)",
        id="the return of an entry",
    ),
    pytest.param(
        f"DELETE FROM entries WHERE {ICT} AND number = 4",
        "ict/partnership, return 4 (00000000-0000-4000-8000-000000000006): the hash before it",
        id="the one entry of a return left out",
    ),
    pytest.param(
        f"DELETE FROM entries WHERE {ICT} AND number = 1",
        "ict/partnership, entry 2 (return 00000000-0000-4000-8000-000000000001, line 1): its number",
        id="an entry left out",
    ),
    pytest.param(
        f"DELETE FROM entries WHERE {ICT} AND number = 5",
        "ict/partnership, the head: its entry count",
        id="the last entry left out",
    ),
    pytest.param(
        f"UPDATE entries SET number = 6 WHERE {ICT} AND number = 5",
        "ict/partnership, entry 6 (return 00000000-0000-4000-8000-000000000006, line 0): its number",
        id="an entry moved",
    ),
    pytest.param(
        f"UPDATE postings SET stated_by_name = 'nobody' WHERE {ICT} AND number = 1",
        "ict/partnership, return 1 (00000000-0000-4000-8000-000000000001): its hash",
        id="who stated it",
    ),
    pytest.param(
        f"UPDATE postings SET \"update\" = 'Behind.' WHERE {ICT} AND number = 1",
        "ict/partnership, return 1 (00000000-0000-4000-8000-000000000001): its hash",
        id="the written update",
    ),
    pytest.param(
        f"UPDATE postings SET reason = 'asked to' WHERE {ICT} AND number = 2",
        "ict/partnership, return 2 (00000000-0000-4000-8000-000000000003): its hash",
        id="the reason",
    ),
    pytest.param(
        "UPDATE streams SET movements_pence = 1 WHERE name = 'ict/partnership'",
        "ict/partnership, the head: its movements pence",
        id="the sum of the movements",
    ),
    pytest.param(
        "UPDATE streams SET posting_count = 9 WHERE name = 'ict/partnership'",
        "ict/partnership, the head: its posting count",
        id="the number of returns",
    ),
    pytest.param(
        "UPDATE streams SET scope = 'E10000016' WHERE name = 'ict/E10000011'",
        "the stream ict/E10000011: its name",
        id="whom a stream is about",
    ),
    pytest.param(
        f"UPDATE accounts SET balance_pence = 1 WHERE {ICT} AND year = '2012/13'",
        "ict/partnership, account ict|partnership|2012/13|estimate|cash_releasing|recurring|saving|: its balance pence",
        id="the balance of an account",
    ),
    pytest.param(
        f"UPDATE accounts SET year = '2013/14' WHERE {ICT} AND year = '2012/13'",
        "ict/partnership, entry 2 (return 00000000-0000-4000-8000-000000000001, line 1): its account",
        id="what an account is about",
    ),
    pytest.param(
        f"UPDATE accounts SET entry_number = 1 WHERE {ICT} AND year = '2012/13'",
        "ict/partnership, account ict|partnership|2012/13|estimate|cash_releasing|recurring|saving|: its entry number",
        id="which entry stands",
    ),
]


@pytest.mark.parametrize(("alteration", "named"), ALTERED)
async def test_whatever_is_altered_is_found_and_named(posted: TrackerDeployment, alteration: str, named: str) -> None:
    await posted.alter(alteration)
    verdict = await verdict_on(posted)
    assert verdict.fault is not None
    assert verdict.fault.subject.startswith(named), verdict.fault
    assert verdict.fault.kept != verdict.fault.again
    [failure] = (await failed_checks(posted, full="true"))["every entry is what was posted"]
    assert failure["subject"] == verdict.fault.subject


async def test_the_fault_is_told_in_a_sentence_with_both_sides(posted: TrackerDeployment) -> None:
    await posted.alter(f"UPDATE entries SET movement_pence = 5 WHERE {ICT} AND number = 1")
    assert str((await verdict_on(posted)).fault) == (
        "ict/partnership, entry 1 (return 00000000-0000-4000-8000-000000000001, line 0): its movement in pence "
        "is kept as 5, and its content says 30000"
    )


class TestTheQuickChecks:
    """They cost what the accounts cost, and still see what is altered in them."""

    @pytest.mark.parametrize(
        ("alteration", "failed"),
        [
            (
                f"UPDATE accounts SET balance_pence = balance_pence + 1 WHERE {ICT} AND year = '2012/13'",
                {
                    "balances equal the sum of movements": ["ict/partnership"],
                    "what stands on an account is what its entry states": [
                        "ict|partnership|2012/13|estimate|cash_releasing|recurring|saving|"
                    ],
                    "the ledger's figures are its accounts' balances": ["ict, 2012/13, estimate, saving"],
                },
            ),
            (
                f"UPDATE accounts SET amount_pence = 1, balance_pence = 1 WHERE {ICT} AND year = '2012/13'",
                {
                    "balances equal the sum of movements": ["ict/partnership"],
                    "what stands on an account is what its entry states": [
                        "ict|partnership|2012/13|estimate|cash_releasing|recurring|saving|"
                    ],
                },
            ),
            (
                "UPDATE streams SET movements_pence = 5 WHERE name = 'ict/E10000011'",
                {"balances equal the sum of movements": ["ict/E10000011"]},
            ),
            (
                "UPDATE streams SET entry_count = 4 WHERE name = 'ict/partnership'",
                {
                    "balances equal the sum of movements": ["ict/partnership, entries"],
                    "the chain's head is its last link": ["ict/partnership, entries"],
                },
            ),
            (
                "UPDATE streams SET hash = (SELECT hash FROM streams WHERE name = 'ict/E10000011') "
                "WHERE name = 'ict/partnership'",
                {"the chain's head is its last link": ["ict/partnership, hash"]},
            ),
            (
                "UPDATE streams SET version = 9 WHERE name = 'ict/partnership'",
                {"every version of a stream has come, and come once": ["ict/partnership"]},
            ),
        ],
    )
    async def test_turn_red(self, posted: TrackerDeployment, alteration: str, failed: dict[str, list[str]]) -> None:
        await posted.alter(alteration)
        found = await failed_checks(posted)
        assert {check: [one["subject"] for one in failures] for check, failures in found.items()} == failed
        assert all(one["one_side"] != one["other_side"] for failures in found.values() for one in failures)

    async def test_tell_both_sides(self, posted: TrackerDeployment) -> None:
        await posted.alter("UPDATE streams SET movements_pence = 5 WHERE name = 'ict/E10000011'")
        [failure] = (await failed_checks(posted))["balances equal the sum of movements"]
        assert failure == {"subject": "ict/E10000011", "one_side": "100.00", "other_side": "0.05"}

    async def test_count_and_name_what_was_set_aside_and_still_hold(self, posted: TrackerDeployment) -> None:
        await posted.receives(Message(SUBMISSIONS_TOPIC, "x", b"nonsense"))
        answer = (await posted.get("/v1/checks", AUDITOR)).json()
        assert (answer["holds"], answer["parked_events"], answer["outbox_parked"]) == (True, 1, 0)
        [parked] = answer["parked"]
        assert (parked["topic"], parked["key"]) == (SUBMISSIONS_TOPIC, "x")
        assert parked["reason"].startswith("not a CloudEvents 1.0 message")
        assert answer["outbox_waiting"] == 6
        assert answer["lag_messages"] == 0

    async def test_are_for_the_office_and_auditors(self, tracker: TrackerDeployment) -> None:
        for who in EVERYBODY:
            expected = 200 if who in (OFFICE, AUDITOR) else 403
            assert (await tracker.get("/v1/checks", who)).status_code == expected, who


async def test_one_caller_at_a_time_may_have_everything_re_read(
    posted: TrackerDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, may_go_on = asyncio.Event(), asyncio.Event()

    async def slowly(*_: Any) -> Verdict:
        started.set()
        await may_go_on.wait()
        return Verdict(0, 0, None)

    monkeypatch.setattr("services.tracker.proving.verify", slowly)
    first = asyncio.create_task(posted.get("/v1/checks", AUDITOR, full="true"))
    await started.wait()
    second = await posted.get("/v1/checks", OFFICE, full="true")
    assert (second.status_code, second.headers["Retry-After"]) == (429, "30")
    assert (await posted.get("/v1/checks", OFFICE)).status_code == 200
    may_go_on.set()
    assert (await first).status_code == 200


async def test_returns_posted_while_everything_is_re_read_do_no_harm(
    posted: TrackerDeployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "RETURNS_AT_ONCE", 1)
    reading = asyncio.create_task(verdict_on(posted))
    for pounds in range(5):
        await posted.posts(line(pounds))
        await posted.posts(line(pounds), scope=KENT)
    assert (await reading).fault is None
    assert (await verdict_on(posted)).entries == 17
