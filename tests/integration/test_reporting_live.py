"""The draft's versions as they come: server-sent events over a real socket."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.proxy import proxy
from savings.demonstration import make_keys
from savings.process import Process
from savings.serving import serving
from services.reporting.live import Live, Pace
from services.reporting.live_api import Stream
from services.reporting.store import LedgerVersion
from shared.errors import TooMany
from tests.listening import DEADLINE_SECONDS, Events, events_of, listening
from tests.reporting_service import Service, Streams, line, served
from tests.settings import settings_in

EVENTS = "/v1/tracker/events"
CADDYFILE = Path("deploy/proxy/Caddyfile").read_text(encoding="utf-8")
#: So quick that a test need not wait; the poll is not what brings the news, unless a test says so.
QUICK = Pace(heartbeat=0.1, poll=60, gather=0)


class Listening:
    """Reporting on a socket, and whoever listens to it."""

    def __init__(self, service: Service, url: str, http: httpx.AsyncClient) -> None:
        self.service = service
        self.url = url
        self.http = http
        self.streams = Streams()

    async def post(self, amount: str = "£1m") -> None:
        await self.service.send(self.streams.posting("ict", line("2011/12", amount, reason="so")))

    def events(self, by: str = "author-ESX", **headers: str) -> Any:
        return events_of(self.http, self.url + EVENTS, **self.service.credential(by), **headers)


@asynccontextmanager
async def live_in(folder: Path, pace: Pace = QUICK, **settings: Any) -> AsyncIterator[Listening]:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(served(folder, **settings))
        live = service.reporting.live
        live.pace = pace
        running = asyncio.create_task(live.run())
        url = await stack.enter_async_context(listening(service.app))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=DEADLINE_SECONDS))
        try:
            yield Listening(service, url, http)
        finally:
            live.close()
            running.cancel()


@pytest.fixture
async def reporting(tmp_path: Path) -> AsyncIterator[Listening]:
    async with live_in(tmp_path) as found:
        yield found


async def until_open(live: Live, count: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while live.open_count != count:  # noqa: ASYNC110 - it calls nobody back
            await asyncio.sleep(0.01)


async def test_a_return_that_is_folded_is_told_at_once(reporting: Listening) -> None:
    async with reporting.events() as events:
        assert events.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert events.answer.headers["cache-control"] == "no-store, no-transform"
        first = await events.next_moved()
        assert json.loads(first["data"]) == {"version": 0}
        await reporting.post()
        second = await events.next_moved()
        assert (second["event"], json.loads(second["data"])) == ("moved", {"version": 1})
        assert second["id"] != first["id"]


async def test_what_another_process_folds_is_seen_too(tmp_path: Path) -> None:
    """Two processes on one database: the one that folds is not the one that is listened to."""
    async with (
        live_in(tmp_path, Pace(heartbeat=60, poll=0.05, gather=0)) as listened,
        served(tmp_path) as folding,
        listened.events() as events,
    ):
        await events.next_moved()
        await folding.send(listened.streams.posting("ict", line("2011/12", "£1m")))
        assert json.loads((await events.next_moved())["data"]) == {"version": 1}


async def test_a_version_that_was_read_is_not_told_again(reporting: Listening) -> None:
    async with reporting.events() as events:
        known = (await events.next_moved())["id"]
    async with reporting.events(**{"Last-Event-ID": known}) as events:
        # Two heartbeats and nothing else.
        assert [await events.next(), await events.next()] == [{"": "ping"}, {"": "ping"}]
        await reporting.post()
        assert (await events.next_moved())["id"] != known
    async with reporting.events(**{"Last-Event-ID": known}) as events:
        assert json.loads((await events.next())["data"]) == {"version": 1}


async def test_returns_that_come_together_are_told_together(tmp_path: Path) -> None:
    async with live_in(tmp_path, Pace(heartbeat=60, poll=60, gather=0.5)) as reporting, reporting.events() as events:
        await events.next_moved()
        for number in range(1, 9):
            await reporting.post(f"£{number}m")
        told = [json.loads((await events.next_moved())["data"])["version"]]
        while told[-1] < 8:
            told.append(json.loads((await events.next_moved())["data"])["version"])
        assert len(told) <= 3


async def test_without_a_credential_nothing_is_told(reporting: Listening) -> None:
    for headers in ({}, {"Authorization": "Bearer sav_wrong"}, {"Cookie": "savings_session=none"}):
        answer = await reporting.http.get(reporting.url + EVENTS, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "unauthenticated")
    assert reporting.service.reporting.live.open_count == 0


async def test_a_parameter_that_means_nothing_is_refused(reporting: Listening) -> None:
    answer = await reporting.http.get(
        f"{reporting.url}{EVENTS}?council=E10000011", headers=reporting.service.credential("office")
    )
    assert answer.status_code == 422
    assert reporting.service.reporting.live.open_count == 0


async def test_a_session_listens_as_a_key_does(reporting: Listening) -> None:
    service = reporting.service
    signed_in = await reporting.http.post(
        f"{reporting.url}/sign-in", data={"key": service.keys["office"]}, headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert signed_in.status_code == 303
    async with events_of(reporting.http, reporting.url + EVENTS) as events:
        assert (await events.next_moved())["event"] == "moved"


async def test_a_revoked_key_ends_the_streams_it_opened(reporting: Listening) -> None:
    access = reporting.service.reporting.door._access
    async with reporting.events("author-KEN") as theirs, reporting.events("office") as others:
        await theirs.next_moved()
        await others.next_moved()
        (key,) = [each for each in await access.all_keys() if each.principal.name == "author-KEN"]
        await access.revoke(key.id)
        await theirs.ended()
        await reporting.post()
        assert json.loads((await others.next_moved())["data"]) == {"version": 1}


async def test_a_stream_ends_after_its_time_and_is_opened_again(tmp_path: Path) -> None:
    async with live_in(tmp_path, stream_seconds=0.2) as reporting, reporting.events() as events:
        await events.next_moved()
        await events.ended()
        await until_open(reporting.service.reporting.live, 0)


async def test_one_caller_opens_so_many_and_then_others_still_may(tmp_path: Path) -> None:
    async with live_in(tmp_path, streams_per_caller=2, streams_in_all=3) as reporting, AsyncExitStack() as stack:
        opened: list[Events] = [await stack.enter_async_context(reporting.events("author-ESX")) for _ in range(2)]
        refused = await reporting.http.get(reporting.url + EVENTS, headers=reporting.service.credential("author-ESX"))
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        await stack.enter_async_context(reporting.events("office"))
        full = await reporting.http.get(reporting.url + EVENTS, headers=reporting.service.credential("auditor"))
        assert (full.status_code, full.json()["type"]) == (503, "unavailable")
        # A place that is left is free at once.
        await opened[0].answer.aclose()
        await until_open(reporting.service.reporting.live, 2)
        async with reporting.events("author-ESX") as again:
            assert again.answer.status_code == 200


async def test_who_goes_away_leaves_nothing_behind(reporting: Listening) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(20):
            await (await stack.enter_async_context(reporting.events())).next()
    live = reporting.service.reporting.live
    await until_open(live, 0)
    assert not live._open


async def test_through_the_developers_proxy_events_come_as_they_happen(reporting: Listening, tmp_path: Path) -> None:
    addresses = dict.fromkeys(("intake", "tracker", "reporting"), reporting.url)
    async with listening(proxy(addresses, tmp_path / "none.json"), lifespan="on") as front:
        async with events_of(reporting.http, front + EVENTS, **reporting.service.credential("office")) as events:
            await events.next_moved()
            await reporting.post()
            assert json.loads((await events.next_moved())["data"]) == {"version": 1}
        # Who goes away from the proxy goes away from the service.
        await until_open(reporting.service.reporting.live, 0)


@pytest.mark.skipif(shutil.which("caddy") is None, reason="no caddy here")
async def test_through_the_deployed_proxy_events_come_as_they_happen(reporting: Listening, tmp_path: Path) -> None:
    """The very file that is deployed, but for the certificate: plain HTTP on a port of this machine."""
    port = free_port()
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "SAVINGS_REPORTING": reporting.url.removeprefix("http://"),
    }
    file = tmp_path / "Caddyfile"
    adapted = CADDYFILE.replace("{$SAVINGS_ADDRESS:localhost}", f"http://127.0.0.1:{port}")
    adapted = adapted.replace("\ttls {$SAVINGS_TLS:internal}\n", "").replace(":8081", f":{free_port()}")
    file.write_text(adapted, encoding="utf-8")
    caddy = await asyncio.create_subprocess_exec(
        "caddy", "run", "--config", str(file), "--adapter", "caddyfile", env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        front = f"http://127.0.0.1:{port}"
        await until_answering(reporting.http, f"{front}/healthz")
        async with events_of(reporting.http, front + EVENTS, **reporting.service.credential("office")) as events:
            await events.next_moved()
            await reporting.post()
            assert json.loads((await events.next_moved())["data"]) == {"version": 1}
    finally:
        caddy.terminate()
        await caddy.wait()


async def test_a_process_that_stops_does_not_wait_for_who_listens(tmp_path: Path) -> None:
    process = Process(settings_in(tmp_path))
    async for _ in process.migrate():
        pass
    keys = await make_keys(process.access, process.partnership, tmp_path / "keys.json")
    port = free_port()
    async with httpx.AsyncClient(timeout=DEADLINE_SECONDS) as http, AsyncExitStack() as stack:
        # Far below the grace that a request under way is given.
        async with asyncio.timeout(5), serving(process, "127.0.0.1", port):
            url = f"http://127.0.0.1:{port}{EVENTS}"
            streams = [
                await stack.enter_async_context(events_of(http, url, Authorization=f"Bearer {keys['office']}"))
                for _ in range(5)
            ]
            for events in streams:
                await events.next_moved()
        for events in streams:
            await events.ended()


async def test_a_reader_that_takes_nothing_holds_one_version_and_is_let_go() -> None:
    """Nothing queues up for it: after a thousand versions it is told the last, and at the end its place is free."""
    version = LedgerVersion("epoch", number=0, rounds=0, editions=0)

    async def newest() -> LedgerVersion:
        return version

    async def always() -> bool:
        return True

    live = Live(newest, settings_in(Path()), Pace(heartbeat=0.05, poll=0.001, gather=0))
    running = asyncio.create_task(live.run())
    await live.enter("office")
    stream = live.stream(None, always)
    await anext(stream)
    for number in range(1, 1001):
        version = LedgerVersion("epoch", number, rounds=0, editions=0)
        live._see(version)
        await asyncio.sleep(0)
    assert b'"version": 1000' in await anext(stream)
    assert await anext(stream) == b": ping\n\n"

    async def takes_nothing(_: Any) -> None:
        await asyncio.Event().wait()

    async def stays() -> Any:
        await asyncio.Event().wait()

    async with asyncio.timeout(DEADLINE_SECONDS):
        await Stream(stream, live, "office")({"type": "http", "asgi": {}}, stays, takes_nothing)
    assert live.open_count == 0
    running.cancel()


async def test_a_stream_that_cannot_be_begun_takes_no_place() -> None:
    async def newest() -> LedgerVersion:
        raise TooMany("as an outage would", 1)

    live = Live(newest, settings_in(Path()), QUICK)
    with pytest.raises(TooMany):
        await live.enter("office")
    assert live.open_count == 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


async def until_answering(http: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                if (await http.get(url)).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
