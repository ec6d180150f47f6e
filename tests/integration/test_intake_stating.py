"""A return that may stand is kept with all that belongs to it, and answered once it has been committed."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select

from services.intake import tables
from shared.events import INTAKE_SOURCE, RETURN_ACCEPTED, SUBMISSIONS_TOPIC, ReturnAccepted
from tests.builders import EAST_SUSSEX, FINANCE_ESX
from tests.intake_deployment import IntakeDeployment

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
    assert told == {
        "id": told["id"],
        "workstream": "ict",
        "scope": EAST_SUSSEX,
        "version": 1,
        "as_at": "2011-12-07",
        "recorded_at": "2012-01-26T12:00:00.000000Z",
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
    async with intake.intake.database.read() as connection:
        row = (await connection.execute(select(tables.outbox.rows))).one()
    assert (row.topic, row.key) == (SUBMISSIONS_TOPIC, f"ict/{EAST_SUSSEX}")

    [event] = await intake.published()
    assert (event.id, event.source, event.type) == (answer["id"], INTAKE_SOURCE, RETURN_ACCEPTED)
    assert event.correlation_id == "request-7"
    said = ReturnAccepted.model_validate_json(event.data)
    assert (said.submission_id, said.version, said.as_at) == (answer["id"], 1, date(2011, 12, 7))
    assert (said.partnership, said.stated_by.name, said.source.reference) == ("se7", "finance-ESX", "P08")
    assert said.update == "Procurement is on course."
    assert [line.amount_pence for line in said.lines] == [300_000_00, 200_000_00]
    assert (said.lines[1].initiative, said.lines[1].note) == ("Data Centres", "two sites into one")
