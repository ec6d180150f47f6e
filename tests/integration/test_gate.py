"""The gate before every endpoint: whose key works until when, and what is answered directly stands behind it too."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, Response

import migrations
from shared.access import CACHE_SECONDS, Access
from shared.database import Database
from shared.direct import direct
from shared.errors import NotFound
from shared.principal import Principal, Role
from shared.settings import Settings
from shared.web import caller_of, create_app, permits
from tests.conftest import UrlOf

NOON = datetime(2012, 1, 26, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
REMEMBERED = timedelta(seconds=CACHE_SECONDS)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def access(database_url: UrlOf, clock: Clock) -> AsyncIterator[Access]:
    database = Database(database_url("access"), schema="access")
    await migrations.upgrade("access", database)
    yield Access(database, clock)
    await database.close()


@pytest.fixture
async def elsewhere(access: Access, database_url: UrlOf, clock: Clock) -> AsyncIterator[Access]:
    """The same keys, as another process has them."""
    database = Database(database_url("access"), schema="access")
    yield Access(database, clock)
    await database.close()


async def test_a_key_revoked_in_another_process_stops_within_the_time_promised(
    access: Access, elsewhere: Access, clock: Clock
) -> None:
    key, presented = await access.create(Principal("auditor", Role.AUDITOR), timedelta(days=1))
    assert await access.principal_of(presented) == key.principal
    assert await access.principal_of_id(key.id) == key.principal
    await elsewhere.revoke(key.id)
    clock.now += REMEMBERED + MOMENT
    assert await access.principal_of(presented) is None
    assert await access.principal_of_id(key.id) is None


async def test_a_key_revoked_here_stops_at_once(access: Access) -> None:
    key, presented = await access.create(Principal("auditor", Role.AUDITOR), timedelta(days=1))
    assert await access.principal_of(presented) is not None
    await access.revoke(key.id)
    assert await access.principal_of(presented) is None
    assert await access.principal_of_id(key.id) is None


async def test_a_key_revoked_while_it_is_looked_up_stops_in_time(
    access: Access, elsewhere: Access, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, presented = await access.create(Principal("auditor", Role.AUDITOR), timedelta(days=1))
    find = Access._find

    async def slowly(self: Access, condition: object) -> object:
        found = await find(self, condition)  # type: ignore[arg-type]
        await elsewhere.revoke(key.id)
        clock.now += REMEMBERED
        return found

    monkeypatch.setattr(Access, "_find", slowly)
    await access.principal_of(presented)
    monkeypatch.undo()
    clock.now += MOMENT
    assert await access.principal_of(presented) is None


async def test_a_key_expires_at_its_moment_however_lately_it_was_looked_up(access: Access, clock: Clock) -> None:
    key, presented = await access.create(Principal("auditor", Role.AUDITOR), timedelta(hours=1))
    clock.now = key.expires_at - MOMENT
    assert await access.principal_of(presented) is not None
    assert await access.principal_of_id(key.id) is not None
    clock.now = key.expires_at
    assert await access.principal_of(presented) is None
    assert await access.principal_of_id(key.id) is None


async def test_a_key_made_in_another_process_works_within_the_same_time(
    access: Access, elsewhere: Access, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.access.secrets.token_urlsafe", lambda _: "presented-too-early")
    assert await access.principal_of("sav_presented-too-early") is None
    await elsewhere.create(Principal("auditor", Role.AUDITOR), timedelta(days=1))
    clock.now += REMEMBERED + MOMENT
    assert await access.principal_of("sav_presented-too-early") is not None


# What is answered directly


@direct
@permits(Role.AUDITOR)
async def for_auditors(request: Request) -> Response:
    if "missing" in request.query_params:
        raise NotFound("There is no such thing.")
    if "broken" in request.query_params:
        raise ZeroDivisionError("the inside")
    return Response(caller_of(request).name)


@direct
async def forgotten(request: Request) -> Response:
    return Response("should not be read")


@pytest.fixture
async def http(access: Access) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(title="Test", access=access, settings=Settings(requests_per_minute=4, failures_per_minute=3))
    app.get("/for-auditors")(for_auditors)
    app.get("/forgotten")(forgotten)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://savings.test") as client:
        yield client


async def credential(access: Access, name: str, role: Role) -> dict[str, str]:
    _, presented = await access.create(Principal(name, role), timedelta(days=1))
    return {"Authorization": f"Bearer {presented}"}


async def test_what_is_answered_directly_is_answered_without_the_framework(
    access: Access, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        raise AssertionError("the framework was asked")

    monkeypatch.setattr(FastAPI, "build_middleware_stack", lambda _: never)
    answer = await http.get("/for-auditors", headers=await credential(access, "auditor", Role.AUDITOR))
    assert (answer.status_code, answer.text) == (200, "auditor")
    assert answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"


async def test_what_is_answered_directly_is_closed_to_who_is_not_named(access: Access, http: httpx.AsyncClient) -> None:
    assert (await http.get("/for-auditors")).status_code == 401
    author = await credential(access, "author", Role.AUTHOR)
    assert (await http.get("/for-auditors", headers=author)).status_code == 403
    auditor = await credential(access, "auditor", Role.AUDITOR)
    assert (await http.get("/forgotten", headers=auditor)).status_code == 403


async def test_what_is_answered_directly_has_its_limits(access: Access, http: httpx.AsyncClient) -> None:
    auditor = await credential(access, "auditor", Role.AUDITOR)
    assert [(await http.get("/for-auditors", headers=auditor)).status_code for _ in range(5)] == [200] * 4 + [429]
    wrong = {"Authorization": "Bearer sav_wrong"}
    assert [(await http.get("/for-auditors", headers=wrong)).status_code for _ in range(4)] == [401] * 3 + [429]


async def test_an_error_in_what_is_answered_directly_is_a_problem(access: Access, http: httpx.AsyncClient) -> None:
    auditor = await credential(access, "auditor", Role.AUDITOR)
    answer = await http.get("/for-auditors?missing", headers=auditor)
    assert (answer.status_code, answer.json()["type"]) == (404, "not-found")


async def test_what_nobody_foresaw_is_answered_and_told_to_the_server(access: Access, http: httpx.AsyncClient) -> None:
    auditor = await credential(access, "auditor", Role.AUDITOR)
    with pytest.raises(ZeroDivisionError):
        await http.get("/for-auditors?broken", headers=auditor)
    http._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
    answer = await http.get("/for-auditors?broken", headers=auditor)
    assert (answer.status_code, answer.json()["type"]) == (500, "internal")
    assert "inside" not in answer.text
    assert answer.headers["x-request-id"]


async def test_another_method_is_answered_by_the_framework(access: Access, http: httpx.AsyncClient) -> None:
    auditor = await credential(access, "auditor", Role.AUDITOR)
    assert (await http.post("/for-auditors", headers=auditor)).status_code == 405


async def test_an_address_that_there_is_not_is_answered_with_where_they_stand(http: httpx.AsyncClient) -> None:
    answer = await http.get("/for-auditor")
    assert (answer.status_code, answer.json()["type"]) == (404, "no-such-address")
    assert answer.json()["detail"] == "There is nothing at /for-auditor."
    assert "/openapi.json" in answer.json()["fix"]


async def test_a_method_that_there_is_not_is_answered_with_those_there_are(
    access: Access, http: httpx.AsyncClient
) -> None:
    http._transport.app.post("/for-auditors")(forgotten)  # type: ignore[attr-defined]
    answer = await http.delete("/for-auditors")
    assert (answer.status_code, answer.json()["type"]) == (405, "wrong-method")
    assert answer.json()["detail"] == "DELETE cannot be sent to /for-auditors."
    assert "GET, POST" in answer.json()["fix"]
    assert answer.headers["allow"] == "GET, POST"
    assert (await http.post("/openapi.json")).headers["allow"] == "GET, HEAD"


# What a database says of its commits


async def test_an_sqlite_file_tells_at_once_that_somebody_committed(tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    database = Database(f"sqlite+aiosqlite:///{file}")
    async with database.write() as connection:
        await connection.exec_driver_sql("CREATE TABLE things (name TEXT)")
    at_first = database.commits()
    assert at_first is not None
    assert database.commits() == at_first
    async with database.write() as connection:
        await connection.exec_driver_sql("INSERT INTO things VALUES ('ours')")
        assert database.commits() == at_first, "not committed yet"
    ours = database.commits()
    assert ours != at_first
    # Nor does it wait, while somebody else writes.
    another = sqlite3.connect(file)
    another.execute("BEGIN IMMEDIATE")
    another.execute("INSERT INTO things VALUES ('another process')")
    assert database.commits() == ours
    another.commit()
    another.close()
    assert database.commits() != ours
    await database.close()
