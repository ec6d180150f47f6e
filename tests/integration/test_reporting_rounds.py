"""Rounds over HTTP: made by the office, and what has come in them told to all, in the table and beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.clock import local_day, utc_now
from tests.reporting_figures import EAST_SUSSEX, SE7
from tests.reporting_service import Service, Streams, line, served

EXPECTED = [{"workstream": workstream, "scope": "partnership"} for workstream in ("ict", "waste", "sen")]


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path) as running:
        yield running


async def make(service: Service, by: str = "office", **different: Any) -> httpx.Response:
    """A round that opened yesterday, is due today and closes tomorrow."""
    today = local_day(utc_now())
    days = {
        name: (today + timedelta(days=days)).isoformat() for name, days in (("opens", -1), ("due", 0), ("closes", 1))
    }
    return await service.post("/v1/rounds", by, {"name": "This month", **days} | different)


async def test_a_round_expects_every_figure_of_the_table_unless_it_says_otherwise(service: Service) -> None:
    answer = await make(service)
    assert (answer.status_code, answer.json()["number"]) == (201, 1)
    assert answer.json()["expected"] == len(SE7.workstreams) * (len(SE7.councils) + 1)
    assert (await service.get("/v1/rounds", "author-ESX")).json() == {"rounds": [answer.json()]}
    assert (await make(service, name="Another", expected=EXPECTED)).json()["expected"] == 3


async def test_what_has_come_is_told_to_all_and_marked_in_the_table(service: Service) -> None:
    streams = Streams()
    now = datetime.now(UTC)
    await service.send(
        streams.posting("sen", line("2011/12", "£1m"), recorded_at=now - timedelta(days=9)),
        streams.posting("ict", line("2011/12", "£1m"), recorded_at=now - timedelta(days=9)),
        streams.posting("ict", line("2011/12", "£2m"), recorded_at=now),
    )
    before = await service.get("/v1/tracker", "author-ESX")
    await make(service, expected=EXPECTED)
    for by in ("author-ESX", "lead-ict", "finance-ESX", "office", "auditor"):
        body = (await service.get("/v1/rounds/1/coverage", by)).json()
        assert body["counts"] == {
            "expected": 3,
            "received": 1,
            "on_time": 1,
            "late": 0,
            "carried_forward": 1,
            "missing": 1,
        }
    assert {each["workstream"]: each["presence"] for each in body["streams"]} == {
        "ict": "on_time",
        "sen": "carried_forward",
        "waste": "missing",
    }
    after = await service.get("/v1/tracker", "author-ESX")
    assert after.headers["etag"] != before.headers["etag"], "a round changes what is printed under the table"
    table = after.json()
    assert table["coverage"]["round"] == 1
    assert body["text"] in table["coverage"]["text"]
    marked = [row["workstream"] for row in table["rows"] for cell in row["cells"] if cell["carried_forward"]]
    assert marked == ["sen"]


async def test_an_edition_keeps_the_coverage_of_its_day(service: Service) -> None:
    streams = Streams()
    await service.send(streams.posting("sen", line("2011/12", "£1m")))
    await make(service, expected=EXPECTED)
    await service.post("/v1/editions", "office", {"title": "Cabinet", "meeting_date": "2012-01-26"})
    frozen = await service.get("/v1/tracker", "author-ESX", edition=1)
    assert "0 of 3 returns have come" in frozen.json()["coverage"]["text"]
    await service.send(streams.posting("sen", line("2011/12", "£2m"), recorded_at=datetime.now(UTC)))
    await make(service, name="Made since", expected=EXPECTED[:1])
    assert (await service.get("/v1/editions/1/proof", "auditor")).json()["holds"] is True
    assert (await service.get("/v1/tracker", "author-ESX", edition=1)).content == frozen.content


async def test_there_is_one_round_of_a_name(service: Service) -> None:
    assert (await make(service)).status_code == 201
    assert (await make(service)).status_code == 409


@pytest.mark.parametrize("by", ["author-ESX", "lead-ict", "finance-ESX", "auditor"])
async def test_only_the_office_makes_a_round(service: Service, by: str) -> None:
    assert (await make(service, by)).status_code == 403


async def test_everything_wrong_in_a_round_is_named(service: Service) -> None:
    answer = await make(
        service,
        opens="2012-02-02",
        due="2012-02-01",
        closes="2012-01-31",
        expected=[{"workstream": "ict", "scope": EAST_SUSSEX}, {"workstream": "parks", "scope": "E99999999"}],
    )
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/due",
        "/closes",
        "/expected/1/workstream",
        "/expected/1/scope",
    ]


@pytest.mark.parametrize(
    ("content", "status"), [(b"{", 400), (b'{"name": "a", "name": "b"}', 400), (b"[]", 422), (b"x" * 300_000, 413)]
)
async def test_what_cannot_be_read_is_answered_as_such(service: Service, content: bytes, status: int) -> None:
    answer = await service.http.post("/v1/rounds", content=content, headers=service.credential("office"))
    assert answer.status_code == status


async def test_what_is_wrong_in_a_round_is_told_in_plain_words(service: Service) -> None:
    answer = await make(service, name="a\x01", due="soon", closes="2012-01-31T10:00", expected=[{"scope": 1}], open="x")
    told = {each["pointer"]: (each["detail"], each["allowed"]) for each in answer.json()["errors"]}
    assert told == {
        "/name": ("It has a line break or another character that cannot be printed.", "a text of one line"),
        "/due": ("It is not a date.", "a date, like 2011-12-07"),
        "/closes": ("It is not a date.", "a date, like 2011-12-07"),
        "/expected/0/workstream": ("It is missing.", None),
        "/expected/0/scope": ("It is not a text.", "a text"),
        "/open": ("There is no field of this name.", None),
    }
    answer = await make(service, name="", expected=[])
    told = {each["pointer"]: (each["detail"], each["allowed"]) for each in answer.json()["errors"]}
    assert told["/name"] == ("It is too short.", "at least 1 character")
    assert told["/expected"] == ("There are too few in it.", "at least 1")
    answer = await make(service, name="a" * 201, expected="all")
    told = {each["pointer"]: (each["detail"], each["allowed"]) for each in answer.json()["errors"]}
    assert told["/name"] == ("It is too long.", "at most 200 characters")
    assert told["/expected"] == ("It is not a list.", "a list")


async def test_a_number_that_is_none_is_told_in_plain_words(service: Service) -> None:
    (fault,) = (await service.get("/v1/rounds/two/coverage", "office")).json()["errors"]
    assert (fault["pointer"], fault["given"]) == ("/path/number", "two")
    assert (fault["detail"], fault["allowed"]) == ("It is not a whole number.", "a whole number")


async def test_a_round_is_not_deleted_and_what_can_be_done_is_told(service: Service) -> None:
    answer = await service.http.delete("/v1/rounds", headers=service.credential("office"))
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")


async def test_an_unknown_round_is_answered_with_those_that_there_are(service: Service) -> None:
    await make(service)
    answer = await service.get("/v1/rounds/7/coverage", "office")
    assert (answer.status_code, answer.json()["fix"]) == (404, "There are: 1: This month.")


async def test_the_database_itself_refuses_to_change_a_round(service: Service) -> None:
    await make(service)
    for statement in ("UPDATE rounds SET name = 'Another'", "DELETE FROM expected_streams"):
        with pytest.raises(DBAPIError, match="made once and never changed"):
            async with service.reporting.database.write() as connection:
                await connection.execute(text(statement))
