"""Returns are found again, by whoever may see them, as they were stated and as they were answered."""

from __future__ import annotations

from typing import Any

import pytest

from services.intake.schemas import SubmissionOut, SubmissionsOut
from shared.principal import Principal
from tests.builders import (
    AUDITOR,
    AUTHOR_ESX,
    AUTHOR_KEN,
    BRIGHTON,
    EAST_SUSSEX,
    FINANCE_ESX,
    FINANCE_KEN,
    KENT,
    LEAD_ICT,
    OFFICE,
    a_line,
    a_return,
)
from tests.intake_deployment import IntakeDeployment

#: For what is decided before the database is asked, or after.
ON_ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

OF_KENT_SEEN_BY = {FINANCE_KEN: 200, AUTHOR_KEN: 200, OFFICE: 200, AUDITOR: 200}


async def state_three(intake: IntakeDeployment) -> tuple[str, str, str]:
    """One for the partnership by the lead, one share of Kent's, one of East Sussex's; their ids in this order."""
    sent: list[tuple[Any, Principal]] = [
        (a_return(scope="partnership", as_at="2011-12-01"), LEAD_ICT),
        (a_return(scope=KENT, workstream="waste", as_at="2011-12-05"), FINANCE_KEN),
        (a_return(as_at="2011-12-09"), FINANCE_ESX),
    ]
    lead, kent, esx = [(await intake.post(document, by)).json()["id"] for document, by in sent]
    return lead, kent, esx


async def ids(intake: IntakeDeployment, by: Principal, **parameters: Any) -> list[str]:
    answer = await intake.get("/v1/submissions", by, **parameters)
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["submissions"]]


async def test_a_return_is_given_as_stated_with_who_stated_it_and_what_was_answered(intake: IntakeDeployment) -> None:
    sent = a_return(a_line(amount="£300k", initiative="data centres"), source={"system": "ledger"}, update="On course.")
    answer = (await intake.post(sent, FINANCE_ESX)).json()
    found = await intake.get(f"/v1/submissions/{answer['id']}", FINANCE_ESX)
    assert found.status_code == 200
    told = found.json()
    assert told.keys() == SubmissionOut.model_fields.keys()
    assert (told["id"], told["version"], told["recorded_at"]) == (answer["id"], 1, answer["recorded_at"])
    assert told["stated_by"] == {"name": "finance-ESX", "role": "finance", "council": EAST_SUSSEX}
    assert told["answer"] == answer
    stated = told["stated"]
    assert (stated["update"], stated["source"]) == (
        "On course.",
        {"system": "ledger", "reference": None, "file": None},
    )
    assert (stated["lines"][0]["amount"], stated["lines"][0]["initiative"]) == ("300000.00", "Data Centres")
    # As it is given it may be stated again: it is the same return.
    assert (await intake.post(stated, FINANCE_ESX)).headers["Idempotent-Replayed"] == "true"


@ON_ONE_DATABASE
@pytest.mark.parametrize("by", [LEAD_ICT, FINANCE_ESX, FINANCE_KEN, AUTHOR_ESX, AUTHOR_KEN, OFFICE, AUDITOR])
async def test_the_partnerships_figures_are_seen_by_all_and_a_share_by_its_council_the_office_and_auditors(
    intake: IntakeDeployment, by: Principal
) -> None:
    lead, kent, _ = await state_three(intake)
    assert (await intake.get(f"/v1/submissions/{lead}", by)).status_code == 200
    of_kent = await intake.get(f"/v1/submissions/{kent}", by)
    assert of_kent.status_code == OF_KENT_SEEN_BY.get(by, 403)
    if of_kent.status_code == 403:
        assert "The share of Kent County Council is seen by that council" in of_kent.json()["detail"]
        assert by.name in of_kent.json()["detail"]


@pytest.mark.parametrize("unknown", ["01351a06-1c00-7000-8000-000000000000", "7", "%00", "' or 1=1"])
async def test_an_id_that_stands_for_nothing_is_not_found(intake: IntakeDeployment, unknown: str) -> None:
    answer = await intake.get(f"/v1/submissions/{unknown}", OFFICE)
    assert (answer.status_code, answer.json()["type"]) == (404, "not-found")


async def test_each_sees_in_the_list_what_they_may_see_newest_first(intake: IntakeDeployment) -> None:
    lead, kent, esx = await state_three(intake)
    assert await ids(intake, OFFICE) == await ids(intake, AUDITOR) == [esx, kent, lead]
    assert await ids(intake, FINANCE_ESX) == await ids(intake, AUTHOR_ESX) == [esx, lead]
    assert await ids(intake, FINANCE_KEN) == [kent, lead]
    assert await ids(intake, LEAD_ICT) == [lead]


async def test_a_return_in_the_list_says_what_it_is_about_by_whom_from_where_and_why(intake: IntakeDeployment) -> None:
    source = {"system": "ledger", "reference": "P08", "file": "returns.xlsx"}
    answer = (await intake.post(a_return(source=source, reason="Reviewed."), FINANCE_ESX)).json()
    assert (await intake.get("/v1/submissions", FINANCE_ESX)).json()["submissions"] == [
        {name: answer[name] for name in ("id", "workstream", "scope", "version", "as_at", "recorded_at", "stated_by")}
        | {"source": source, "reason": "Reviewed."}
    ]


async def test_the_list_is_narrowed_by_workstream_scope_council_and_date(intake: IntakeDeployment) -> None:
    lead, kent, esx = await state_three(intake)
    assert await ids(intake, OFFICE, workstream="ict") == [esx, lead]
    assert await ids(intake, OFFICE, scope="partnership") == [lead]
    assert await ids(intake, OFFICE, scope=KENT) == [kent]
    assert await ids(intake, OFFICE, council=BRIGHTON) == [lead]
    assert await ids(intake, OFFICE, as_at_from="2011-12-05") == [esx, kent]
    assert await ids(intake, OFFICE, as_at_to="2011-12-05") == [kent, lead]
    assert await ids(intake, FINANCE_ESX, council=KENT) == []


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    ("parameters", "status", "pointer"),
    [
        ({"workstream": "roads"}, 422, "/query/workstream"),
        ({"scope": "E10000099"}, 422, "/query/scope"),
        ({"council": "partnership"}, 422, "/query/council"),
        ({"counsil": "E10000011"}, 422, "/query/counsil"),
        ({"limit": "0"}, 422, "/query/limit"),
        ({"limit": "201"}, 422, "/query/limit"),
        ({"before": "yesterday"}, 422, "/query/before"),
        ({"as_at_from": "soon"}, 422, "/query/as_at_from"),
        ({"scope": KENT}, 403, None),
    ],
)
async def test_what_cannot_be_asked_for_is_told_by_name(
    intake: IntakeDeployment, parameters: dict[str, str], status: int, pointer: str | None
) -> None:
    answer = await intake.get("/v1/submissions", FINANCE_ESX, **parameters)
    assert answer.status_code == status
    if pointer is not None:
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_the_pages_of_a_list_are_all_of_it_whatever_comes_meanwhile(intake: IntakeDeployment) -> None:
    batch = [a_return(a_line(amount=f"{n}.00"), reason="as found") for n in range(7)]
    await intake.post(batch, FINANCE_ESX, "/v1/submissions/batch")
    await intake.post(a_return(scope=KENT), FINANCE_KEN)
    pages: list[list[int]] = []
    url: str | None = "/v1/submissions?limit=3&workstream=ict"
    while url:
        answer = (await intake.get(url, FINANCE_ESX)).json()
        SubmissionsOut.model_validate(answer, extra="forbid")
        pages.append([one["version"] for one in answer["submissions"]])
        await intake.post(a_return(a_line(amount=f"£{len(pages)}k"), reason="meanwhile"), FINANCE_ESX)
        url = answer["next"]
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]


async def test_a_list_of_nothing_is_empty(intake: IntakeDeployment) -> None:
    assert (await intake.get("/v1/submissions", OFFICE)).json() == {"submissions": [], "next": None, "event": None}
