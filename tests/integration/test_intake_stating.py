"""A return that may stand is kept with all that belongs to it, and answered once it has been committed."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from shared.events import INTAKE_SOURCE, RETURN_ACCEPTED, ReturnAccepted
from tests.builders import EAST_SUSSEX, FINANCE_ESX, LEAD_ICT, a_line, a_return
from tests.intake_deployment import NOON, IntakeDeployment, UrlOf, deployed_intake

THE_SAMPLE = {
    "workstream": "ict",
    "scope": EAST_SUSSEX,
    "as_at": "2011-12-07",
    "source": {"system": "ESCC general ledger", "reference": "P08"},
    "reason": None,
    "update": "Procurement is on course.",
    "lines": [
        {"year": "2011/12", "amount": "300000.00", "basis": "estimate"},
        {
            "year": "2012/13",
            "amount": "200000.00",
            "cumulative": "500000.00",
            "basis": "estimate",
            "benefit": "cash_releasing",
            "recurrence": "recurring",
            "flow": "saving",
            "confidence": "indicative",
            "status": "quantified",
            "initiative": "Data Centres",
            "note": "two sites into one",
        },
    ],
}


async def test_a_return_is_answered_with_its_place_and_what_each_line_did(intake: IntakeDeployment) -> None:
    answer = await intake.post(THE_SAMPLE, FINANCE_ESX)
    assert answer.status_code == 201
    told = answer.json()
    assert answer.headers["Location"] == f"/v1/submissions/{told['id']}"
    assert "Idempotent-Replayed" not in answer.headers
    lines = told.pop("lines")
    assert datetime.fromisoformat(told["recorded_at"]) - NOON < timedelta(seconds=1)
    assert told == {
        "id": told["id"],
        "workstream": "ict",
        "scope": EAST_SUSSEX,
        "version": 1,
        "as_at": "2011-12-07",
        "recorded_at": told["recorded_at"],
        "stated_by": {"name": "finance-ESX", "role": "finance", "council": EAST_SUSSEX},
    }
    assert lines[1] == {
        "line": 1,
        "account": {
            "scope": EAST_SUSSEX,
            "workstream": "ict",
            "initiative": "Data Centres",
            "year": "2012/13",
            "basis": "estimate",
            "benefit": "cash_releasing",
            "recurrence": "recurring",
            "flow": "saving",
        },
        "status": "quantified",
        "amount": "200000.00",
        "previous": None,
        "movement": "200000.00",
        "stands": True,
    }


async def test_the_return_its_figures_its_head_and_its_event_are_kept_together(intake: IntakeDeployment) -> None:
    await intake.post(THE_SAMPLE, FINANCE_ESX)
    assert await intake.kept() == {"returns": 1, "accounts": 2, "figures": 2, "heads": 1, "outbox": 1}


async def test_the_event_says_what_was_stated_by_whom_and_under_which_request(intake: IntakeDeployment) -> None:
    headers = intake.credential(FINANCE_ESX) | {"X-Request-ID": "request-7"}
    answer = (await intake.http.post("/v1/submissions", json=THE_SAMPLE, headers=headers)).json()
    [event] = await intake.published()
    assert (event.id, event.source, event.type) == (answer["id"], INTAKE_SOURCE, RETURN_ACCEPTED)
    assert (event.key, event.correlation_id) == (f"ict/{EAST_SUSSEX}", "request-7")
    said = ReturnAccepted.model_validate_json(event.data)
    assert (said.submission_id, said.version, said.as_at) == (answer["id"], 1, date(2011, 12, 7))
    assert (said.partnership, said.stated_by.name, said.source.reference) == ("se7", "finance-ESX", "P08")
    assert said.update == "Procurement is on course."
    assert [line.amount_pence for line in said.lines] == [300_000_00, 200_000_00]
    assert (said.lines[1].initiative, said.lines[1].note) == ("Data Centres", "two sites into one")


async def test_a_correction_moves_by_the_difference_and_carries_its_reason(intake: IntakeDeployment) -> None:
    await intake.post(a_return(a_line(), a_line(year="2012/13")), FINANCE_ESX)
    corrected = a_return(a_line(amount="£350k", reason="One more site."), a_line(year="2012/13"), reason="Reviewed.")
    answer = await intake.post(corrected, FINANCE_ESX)
    assert answer.status_code == 201, answer.text
    assert answer.json()["version"] == 2
    assert [
        (line["previous"], line["amount"], line["movement"], line["stands"]) for line in answer.json()["lines"]
    ] == [
        ({"status": "quantified", "amount": "300000.00"}, "350000.00", "50000.00", True),
        ({"status": "quantified", "amount": "300000.00"}, "300000.00", "0.00", True),
    ]
    said = [ReturnAccepted.model_validate_json(event.data) for event in await intake.published()][-1]
    assert (said.reason, [line.reason for line in said.lines]) == ("Reviewed.", ["One more site.", None])


async def test_a_late_return_is_kept_in_the_history_and_moves_nothing_now(intake: IntakeDeployment) -> None:
    await intake.post(a_return(), FINANCE_ESX)
    late = await intake.post(a_return(a_line(amount="£100k"), as_at="2011-11-01"), FINANCE_ESX)
    assert late.status_code == 201, late.text
    [line] = late.json()["lines"]
    assert (line["previous"], line["movement"], line["stands"]) == (None, "0.00", False)

    # What stands as at December is still December's figure; what stood before it is now known.
    unchanged = await intake.post(a_return(), FINANCE_ESX)
    assert unchanged.json()["lines"][0]["movement"] == "0.00"
    between = await intake.post(a_return(a_line(amount="£120k"), as_at="2011-11-20"), FINANCE_ESX)
    [fault] = between.json()["errors"]
    assert (fault["code"], fault["allowed"]) == ("change-without-reason", "£100k")


async def test_a_cumulative_takes_in_what_was_stated_before(intake: IntakeDeployment) -> None:
    await intake.post(a_return(a_line(), a_line(initiative="Data Centres", amount="£50k")), FINANCE_ESX)
    right = a_return(a_line(year="2012/13", amount="£200k", cumulative="£550k"))
    assert (await intake.post(right, FINANCE_ESX)).status_code == 201
    wrong = await intake.post(a_return(a_line(year="2013/14", amount="£1k", cumulative="£550k")), FINANCE_ESX)
    [fault] = wrong.json()["errors"]
    assert fault["allowed"] == ["501000.00", "551000.00"]
    # As at a day before all of them nothing had been stated.
    early = a_return(a_line(year="2013/14", amount="£1k", cumulative="£1k"), as_at="2011-10-01")
    assert (await intake.post(early, FINANCE_ESX)).status_code == 201


async def test_each_workstream_and_scope_counts_its_own_versions(intake: IntakeDeployment) -> None:
    versions = [
        (await intake.post(document, by)).json()["version"]
        for document, by in [
            (a_return(), FINANCE_ESX),
            (a_return(scope="partnership"), LEAD_ICT),
            (a_return(workstream="waste"), FINANCE_ESX),
            (a_return(a_line(year="2012/13")), FINANCE_ESX),
        ]
    ]
    assert versions == [1, 1, 1, 2]


async def test_at_once_to_one_stream_each_gets_a_place_of_its_own(intake: IntakeDeployment) -> None:
    answers = await asyncio.gather(
        *(intake.post(a_return(a_line(amount=f"{n}.00"), reason="as found"), FINANCE_ESX) for n in range(1, 13))
    )
    told = sorted((answer.json() for answer in answers), key=lambda one: one["version"])
    assert [one["version"] for one in told] == list(range(1, 13))
    assert [one["recorded_at"] for one in told] == sorted({one["recorded_at"] for one in told})
    assert [one["id"] for one in told] == sorted(one["id"] for one in told)
    # Each was decided with the figure of the one before it in sight.
    amounts = [None, *(one["lines"][0]["amount"] for one in told)]
    assert [one["lines"][0]["previous"] and one["lines"][0]["previous"]["amount"] for one in told] == amounts[:-1]


async def test_today_is_the_councils_day_not_greenwichs(database_url: UrlOf, tmp_path: Path) -> None:
    half_past_midnight_in_london = datetime(2012, 6, 30, 23, 30, tzinfo=UTC)
    async with deployed_intake(database_url, tmp_path, clock=lambda: half_past_midnight_in_london) as intake:
        assert (await intake.post(a_return(as_at="2012-07-01"), FINANCE_ESX)).status_code == 201
        [fault] = (await intake.post(a_return(as_at="2012-07-02"), FINANCE_ESX)).json()["errors"]
        assert fault["detail"] == "2012-07-02 has not come yet: it is 2012-07-01 today."


async def test_what_is_published_keeps_the_order_of_a_stream(intake: IntakeDeployment) -> None:
    for n in range(5):
        await intake.post(a_return(a_line(amount=f"{n}.00"), reason="as found"), FINANCE_ESX)
    said = [ReturnAccepted.model_validate_json(event.data).version for event in await intake.published()]
    assert said == [1, 2, 3, 4, 5]
    assert (await intake.kept())["outbox"] == 0


async def test_it_says_when_it_is_ready_and_stops_when_asked(intake: IntakeDeployment) -> None:
    await intake.post(a_return(), FINANCE_ESX)
    assert {name: await check() for name, check in intake.intake.checks.items()} == {
        "migrations": (True, "newest revision"),
        "outbox": (True, "1 waiting, 0 parked"),
        "inbox": (True, "0 messages on the councils' topics wait to be read, 0 parked"),
        "bus": (True, "answers"),
    }
    async with intake.intake.running(), asyncio.timeout(10):
        while (await intake.kept())["outbox"]:  # noqa: ASYNC110 - the relay calls nobody back
            await asyncio.sleep(0.01)


async def test_a_relay_that_fails_ends_the_service(intake: IntakeDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(intake.intake.relay, "run", fail)
    with pytest.raises(ExceptionGroup):
        async with intake.intake.running(), asyncio.timeout(10):
            await asyncio.Event().wait()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_no_statement_of_a_post_goes_through_a_whole_table(intake: IntakeDeployment) -> None:
    """What a post costs does not grow with the history: every look-up is by an index, and the plans say so."""
    ran: list[tuple[str, Any]] = []
    engine = intake.intake.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", lambda *said: ran.append((said[2], said[3])))
    await intake.post(a_return(a_line(cumulative="£300k")), FINANCE_ESX)
    for key in ("P08", None):
        await intake.post(a_return(a_line(), a_line(year="2012/13", cumulative="£600k")), FINANCE_ESX, key=key)

    # "stated" is what one of the statements calls the figures.
    tables = {"returns", "accounts", "figures", "stated", "heads", "outbox"}
    looked_up = [(statement, parameters) for statement, parameters in ran if statement.startswith("SELECT")]
    async with intake.intake.database.read() as connection:
        for statement, parameters in looked_up:
            plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
            scanned = {step.detail.split()[1] for step in plan if step.detail.startswith("SCAN")}
            assert not scanned & tables, (statement, plan)
    assert len(looked_up) >= 5
