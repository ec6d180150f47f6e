"""Bad input gets a clear answer and leaves nothing behind: what the user reads, and what was kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shared.principal import Principal
from tests.builders import (
    AUDITOR,
    AUTHOR_ESX,
    FINANCE_ESX,
    FINANCE_KEN,
    KENT,
    LEAD_ICT,
    OFFICE,
    a_line,
    a_return,
)
from tests.intake_deployment import IntakeDeployment

# What the user reads does not depend on the database; that nothing is kept is held on both in the other files.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOTHING = {"returns": 0, "accounts": 0, "figures": 0, "heads": 0, "outbox": 0}


def as_json(document: Any, *, replaced: tuple[str, str] = ("", "")) -> bytes:
    return json.dumps(document).replace(*replaced).encode()


def problem(status: int, type_: str, title: str, detail: str) -> dict[str, Any]:
    return {"status": status, "type": type_, "title": title, "detail": detail}


REFUSED = {
    "unknown workstream": (a_return(workstream="roads"), "/workstream", "unknown-workstream", "no workstream 'roads'"),
    "unknown council": (a_return(scope="E10000099"), "/scope", "unknown-scope", "no scope 'E10000099'"),
    "unknown year": (a_return(a_line(year="2031/32")), "/lines/0/year", "year-outside-table", "2011/12 to 2014/15"),
    "year 2011/13": (a_return(a_line(year="2011/13")), "/lines/0/year", "not-a-year", "is written 2011/12"),
    "unknown field": (a_return(a_line(ammount="1")), "/lines/0/ammount", "unknown-field", "no field 'ammount'"),
    "a float": (a_return(a_line(amount=300000.0)), "/lines/0/amount", "amount-not-text", "300000.0"),
    "an integer": (a_return(a_line(amount=300000)), "/lines/0/amount", "amount-not-text", "300000"),
    "NaN as text": (a_return(a_line(amount="NaN")), "/lines/0/amount", "not-an-amount", "'NaN'"),
    "three decimals": (a_return(a_line(amount="1.005")), "/lines/0/amount", "not-an-amount", "at most two decimals"),
    "10^15": (a_return(a_line(amount="1" + "0" * 15)), "/lines/0/amount", "not-an-amount", "less than £1 trillion"),
    "a negative saving without reason": (
        a_return(a_line(amount="-£50k")),
        "/lines/0/amount",
        "negative-without-reason",
        "A saving of -£50k",
    ),
    "a cumulative that disagrees": (
        a_return(a_line(), a_line(year="2012/13", amount="£200k", cumulative="£450k")),
        "/lines/1/cumulative",
        "cumulative-disagrees",
        "stated as £450k; the amounts of the years up to 2012/13, with those that stand from before, add up to £500k",
    ),
    "a line given twice": (
        a_return(a_line(), a_line()),
        "/lines/1",
        "line-given-twice",
        "the same account as /lines/0",
    ),
    "an actual about a year not ended": (
        a_return(a_line(basis="actual")),
        "/lines/0/basis",
        "actual-before-year-end",
        "2011/12 ends on 2012-03-31, after 2011-12-07",
    ),
    "a wrong type": (a_return(lines="none"), "/lines", "wrong-type", "Here stands text; it must be a list."),
    "501 lines": (a_return(lines=[a_line()] * 501), "/lines", "too-many-lines", "501 lines, more than the 500"),
    "a day that has not come": (a_return(as_at="2031-01-01"), "/as_at", "as-at-in-future", "2012-01-26 today"),
}


@pytest.mark.parametrize(("document", "pointer", "code", "words"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_return_that_may_not_stand_is_refused_with_its_place_and_how_to_mend_it(
    intake: IntakeDeployment, document: Any, pointer: str, code: str, words: str
) -> None:
    answer = await intake.post(document, FINANCE_ESX)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    [fault] = told.pop("errors")
    assert told == problem(
        422,
        "refused",
        "It may not stand as it is",
        "1 thing is wrong with the return; nothing of it was kept.",
    )
    assert fault.keys() == {"pointer", "code", "detail", "given", "allowed", "fix"}
    assert (fault["pointer"], fault["code"]) == (pointer, code)
    assert words in fault["detail"]
    assert fault["fix"]
    assert await intake.kept() == NOTHING


DEEP = b'{"lines":' + b"[" * 50_000 + b"]" * 50_000 + b"}"
UNREADABLE = {
    "empty": (b"", 400, "unreadable", "The body is empty."),
    "no JSON": (
        b'{"workstream": ict}',
        400,
        "unreadable",
        "not JSON: Expecting value, in line 1, column 16.",
    ),
    "no object": (b'["ict"]', 400, "unreadable", "A return is a JSON object; here stands a list."),
    "in another encoding": (
        '{"reason": "Über"}'.encode("latin-1"),
        400,
        "unreadable",
        "The body is not UTF-8: byte 13",
    ),
    "deeply nested": (DEEP, 400, "unreadable", "The body is nested too deep to be a return."),
    "nested a little too deep": (as_json(a_return([[[[[[[[1]]]]]]]])), 400, "unreadable", "nested too deep"),
    "NaN": (as_json(a_return(a_line(amount=float("nan")))), 400, "unreadable", "NaN is no number of JSON"),
    "a name twice": (b'{"scope": "a", "scope": "b"}', 400, "unreadable", "'scope' stands twice in one object"),
    "oversized": (b" " * 1_000_001, 413, "too-large", "The body is larger than 1,000,000 bytes."),
}


@pytest.mark.parametrize(("body", "status", "type_", "words"), UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_a_body_that_cannot_be_read_is_answered_with_the_reason(
    intake: IntakeDeployment, body: bytes, status: int, type_: str, words: str
) -> None:
    answer = await intake.post_bytes(body, FINANCE_ESX)
    told = answer.json()
    assert (answer.status_code, told["status"], told["type"]) == (status, status, type_)
    assert words in told["detail"]
    assert told["fix"]
    assert await intake.kept() == NOTHING


async def test_a_body_of_another_type_is_not_taken(intake: IntakeDeployment) -> None:
    answer = await intake.post_bytes(b"year,amount", FINANCE_ESX, content_type="text/csv")
    assert (answer.status_code, answer.json()["detail"]) == (
        415,
        "The body says it is text/csv; a return is taken as application/json.",
    )
    assert await intake.kept() == NOTHING


async def test_a_body_that_says_it_is_too_large_is_not_read_at_all(intake: IntakeDeployment) -> None:
    headers = intake.credential(FINANCE_ESX) | {"Content-Length": "1000001"}
    answer = await intake.http.post("/v1/submissions", content=b"{}", headers=headers)
    assert answer.status_code == 413
    batch = intake.credential(FINANCE_ESX) | {"Content-Length": "10000001"}
    assert (await intake.http.post("/v1/submissions/batch", content=b"[]", headers=batch)).status_code == 413


@pytest.mark.parametrize(
    ("by", "document", "words"),
    [
        (FINANCE_KEN, a_return(), "The share of East Sussex County Council of ICT is stated by that council alone"),
        (FINANCE_ESX, a_return(scope="partnership"), "stated by its lead council, Brighton & Hove City Council"),
        (LEAD_ICT, a_return(workstream="waste", scope="partnership"), "its lead council, Kent County Council"),
        (AUTHOR_ESX, a_return(), "author-ESX has the role author"),
        (OFFICE, a_return(), "office has the role office"),
        (AUDITOR, a_return(), "auditor has the role auditor"),
    ],
)
async def test_a_figure_that_is_not_yours_is_refused_by_name(
    intake: IntakeDeployment, by: Principal, document: Any, words: str
) -> None:
    for dry_run in ("false", "true"):
        answer = await intake.post(document, by, dry_run=dry_run)
        assert answer.status_code == 403
        assert words in answer.json()["detail"]
    assert await intake.kept() == NOTHING


@pytest.mark.parametrize("path", ["/v1/submissions", "/v1/submissions/batch"])
async def test_nobody_states_anything_without_a_key(intake: IntakeDeployment, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer sav_unknown"}):
        answer = await intake.http.post(path, json=a_return(), headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="savings"')
    assert await intake.kept() == NOTHING


@pytest.mark.parametrize("key", ["", "x" * 201, "naïve"])
async def test_an_idempotency_key_is_printable_and_not_too_long(intake: IntakeDeployment, key: str) -> None:
    headers = {**intake.credential(FINANCE_ESX), "Idempotency-Key": key.encode()}
    answer = await intake.http.post("/v1/submissions", json=a_return(), headers=headers)
    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/header/Idempotency-Key"]
    assert await intake.kept() == NOTHING


async def test_a_changed_figure_needs_a_reason_and_nothing_of_the_return_is_kept(intake: IntakeDeployment) -> None:
    await intake.post(a_return(), FINANCE_ESX)
    before = await intake.kept()
    answer = await intake.post(a_return(a_line(amount="£400k"), a_line(year="2012/13")), FINANCE_ESX)
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault == {
        "pointer": "/lines/0/amount",
        "code": "change-without-reason",
        "detail": "2011/12 was stated as £300k, and now as £400k; a change needs a reason.",
        "fix": "Give the reason, on the line or for the whole return, or state £300k as before.",
        "given": "£400k",
        "allowed": "£300k",
    }
    assert await intake.kept() == before


async def test_all_that_is_wrong_is_told_at_once_by_the_form_and_by_the_rules(intake: IntakeDeployment) -> None:
    await intake.post(a_return(), FINANCE_ESX)
    before = await intake.kept()
    wrong = a_return(a_line(amount="£400k"), a_line(year="2011-12"), a_line(basis="actual", year="2013/14"), note="?")
    answer = await intake.post(wrong, FINANCE_ESX)
    assert [(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]] == [
        ("/lines/1/year", "not-a-year"),
        ("/note", "unknown-field"),
        ("/lines/0/amount", "change-without-reason"),
        ("/lines/2/basis", "actual-before-year-end"),
    ]
    assert answer.json()["detail"] == "4 things are wrong with the return; nothing of it was kept."
    assert await intake.kept() == before


async def test_somebody_else_learns_no_figure_from_the_faults(intake: IntakeDeployment) -> None:
    await intake.post(a_return(a_line(amount="£123,456")), FINANCE_ESX)
    answer = await intake.post(a_return(a_line(amount="£1"), a_line(year="?")), FINANCE_KEN)
    assert answer.status_code == 422
    assert "123" not in answer.text


async def test_a_refused_return_leaves_its_key_free(intake: IntakeDeployment) -> None:
    assert (await intake.post(a_return(a_line(amount="-1")), FINANCE_ESX, key="k")).status_code == 422
    mended = await intake.post(a_return(a_line(amount="-1"), reason="Undone."), FINANCE_ESX, key="k")
    assert mended.status_code == 201
    assert "Idempotent-Replayed" not in mended.headers


@pytest.mark.parametrize("parameter", ["dry_run", "atomic"])
async def test_a_parameter_that_is_neither_true_nor_false_is_refused(intake: IntakeDeployment, parameter: str) -> None:
    answer = await intake.post([a_return()], FINANCE_ESX, "/v1/submissions/batch", **{parameter: "maybe"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/query/{parameter}"
    assert await intake.kept() == NOTHING


@pytest.mark.parametrize("path", ["/v1/submissions", "/v1/submissions/batch"])
async def test_a_dry_run_that_is_misspelt_keeps_nothing(intake: IntakeDeployment, path: str) -> None:
    answer = await intake.post(a_return(), FINANCE_ESX, path, dryrun="true")
    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/query/dryrun", "unknown-parameter")
    assert "dry_run" in fault["allowed"]
    assert await intake.kept() == NOTHING


async def test_the_share_of_another_is_not_kept_for_being_in_the_payload(intake: IntakeDeployment) -> None:
    """Who you are comes from the credential; a payload has no place to say it."""
    answer = await intake.post(a_return(council=KENT, stated_by=FINANCE_KEN.name), FINANCE_ESX)
    assert {fault["code"] for fault in answer.json()["errors"]} == {"unknown-field"}
