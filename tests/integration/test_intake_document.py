"""The OpenAPI document of intake says what it takes and what it answers."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.builders import FINANCE_ESX, FINANCE_KEN, a_line, a_return
from tests.intake_deployment import IntakeDeployment

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FULL = a_return(
    a_line(
        cumulative="£300k",
        benefit="avoided_cost",
        recurrence="one_off",
        flow="cost",
        confidence="firm",
        status="quantified",
        initiative="Data Centres",
        note="Two sites\ninto one.",
        reason="Reviewed.",
        cell="B7",
    ),
    a_line(status="nil", amount=None),
    source={"system": "ledger", "reference": "P08", "file": "returns.xlsx"},
    reason="Reviewed.",
    update="Procurement is on course.",
)


def document_of(intake: IntakeDeployment) -> dict[str, Any]:
    document: dict[str, Any] = intake.app.openapi()
    return document


def validator(document: dict[str, Any], path: str, *to_schema: str) -> Draft202012Validator:
    schema: Any = document["paths"][path]
    for name in to_schema:
        schema = schema[name]
    return Draft202012Validator(schema | {"components": document["components"]})


def body_of(document: dict[str, Any], path: str) -> Draft202012Validator:
    return validator(document, path, "post", "requestBody", "content", "application/json", "schema")


def answer_of(document: dict[str, Any], method: str, path: str, status: str) -> Draft202012Validator:
    form = "application/json" if status < "300" else "application/problem+json"
    return validator(document, path, method, "responses", status, "content", form, "schema")


async def test_what_it_takes_fits_the_form_that_is_published(intake: IntakeDeployment) -> None:
    document = document_of(intake)
    single, batch = body_of(document, "/v1/submissions"), body_of(document, "/v1/submissions/batch")
    for sent in (a_return(), FULL):
        single.validate(sent)
        batch.validate({"submissions": [{**sent, "idempotency_key": "P08"}]})
        assert (await intake.post(sent, FINANCE_ESX)).status_code == 201


@pytest.mark.parametrize(
    "wrong",
    [
        a_return(a_line(amount=300000)),
        a_return(a_line(basis="guess")),
        a_return(a_line(year="2011-12")),
        a_return(a_line(note="x" * 1001)),
        a_return(colour="red"),
        a_return(lines=[]),
        a_return(scope=...),
    ],
)
async def test_what_does_not_fit_the_published_form_is_refused(intake: IntakeDeployment, wrong: Any) -> None:
    assert not body_of(document_of(intake), "/v1/submissions").is_valid(wrong)
    assert (await intake.post(wrong, FINANCE_ESX)).status_code == 422


async def test_every_answer_is_of_the_form_that_is_published(intake: IntakeDeployment) -> None:
    document = document_of(intake)
    paths = {"one": "/v1/submissions", "batch": "/v1/submissions/batch", "found": "/v1/submissions/{submission_id}"}

    accepted = await intake.post(FULL, FINANCE_ESX)
    answers = [
        ("post", paths["one"], accepted),
        ("post", paths["one"], await intake.post(FULL, FINANCE_ESX, dry_run="true")),
        ("post", paths["one"], await intake.post(a_return(a_line(amount="1"), reason="found"), FINANCE_ESX)),
        ("post", paths["one"], await intake.post(a_return(a_line(amount=1)), FINANCE_ESX)),
        ("post", paths["one"], await intake.post(FULL, FINANCE_KEN)),
        ("post", paths["one"], await intake.post([], FINANCE_ESX)),
        ("post", paths["batch"], await intake.post([FULL, a_return(), 7], FINANCE_ESX, paths["batch"])),
        ("post", paths["batch"], await intake.post([FULL, 7], FINANCE_ESX, paths["batch"], atomic="true")),
        ("get", paths["one"], await intake.get(paths["one"], FINANCE_ESX)),
        ("get", paths["one"], await intake.get(paths["one"], FINANCE_ESX, limit="0")),
        ("get", paths["found"], await intake.get(accepted.headers["Location"], FINANCE_ESX)),
        ("get", paths["found"], await intake.get(accepted.headers["Location"], FINANCE_KEN)),
        ("get", paths["found"], await intake.get("/v1/submissions/7", FINANCE_ESX)),
    ]
    statuses = [answer.status_code for _, _, answer in answers]
    assert statuses == [201, 200, 201, 422, 403, 400, 200, 422, 200, 422, 200, 403, 404]
    for method, path, answer in answers:
        answer_of(document, method, path, str(answer.status_code)).validate(answer.json())


async def test_every_status_that_may_be_met_is_published(intake: IntakeDeployment) -> None:
    paths = document_of(intake)["paths"]
    refusals = {"400", "401", "403", "413", "415", "422", "429"}
    assert paths["/v1/submissions"]["post"]["responses"].keys() == {"200", "201"} | refusals
    assert paths["/v1/submissions/batch"]["post"]["responses"].keys() == {"200"} | refusals
