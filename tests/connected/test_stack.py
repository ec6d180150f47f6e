"""The product on real parts, as ``make stack`` starts it: the table, the way there, and what a crash does to it."""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.processes import Unavailable
from deploy.local.stack import Stack
from savings.demonstration import RETURNS
from savings.loading import read_returns
from savings.process import SERVICES

pytestmark = pytest.mark.long

PRINTED = Path("tests/reference/se7-2012-01-26-appendix-1.csv").read_bytes()
EAST_SUSSEX = "E10000011"
TIMED_RETURNS = 40
KILLS = int(os.environ.get("SAVINGS_STACK_KILLS", "6"))
SEED = int(os.environ.get("SAVINGS_SEED", "7"))
#: Long enough for a consumer that was killed to be missed by its group.
DEADLINE_SECONDS = 60

PRINTED_CSV = f"/v1/tracker.csv?council={EAST_SUSSEX}&layout=printed"
#: The printed table is of that day; what tests state comes later.
AS_PRINTED = f"{PRINTED_CSV}&as_at=2012-01-26"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack"), progress=lambda _: None)
    try:
        with stack:
            stack.load()
            yield stack
    except Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have it: {error}")
        pytest.skip(str(error))


@pytest.fixture
async def http(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url, timeout=10, trust_env=False) as client:
        yield client


async def tidy_total(http: httpx.AsyncClient, stack: Stack) -> str:
    """The forecast of highways in 2014/15, as the table has it just now."""
    answer = await http.get("/v1/tracker.csv?council=none&basis=forecast", headers=stack.credential("office"))
    answer.raise_for_status()
    header, *rows = (line.split(",") for line in answer.text.splitlines())
    return next(
        cells["in_year"]
        for cells in (dict(zip(header, row, strict=False)) for row in rows)
        if (cells["workstream_code"], cells["scope"], cells["year"]) == ("highways", "partnership", "2014/15")
    )


async def state(
    http: httpx.AsyncClient, stack: Stack, pounds: int, key: str | None = None, request_id: str | None = None
) -> None:
    """State it anew, again and again until it has been acknowledged, as a finance system does."""
    document = {
        "workstream": "highways",
        "scope": "partnership",
        "as_at": "2012-02-01",
        "reason": "A test of the way.",
        "lines": [{"year": "2014/15", "amount": f"{pounds}.00", "basis": "forecast"}],
    }
    headers = {**stack.credential("lead-highways"), "Idempotency-Key": key or uuid4().hex}
    headers |= {"X-Request-ID": request_id} if request_id else {}
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                answer = await http.post("/v1/submissions", json=document, headers=headers)
            except httpx.TransportError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code not in (502, 503):
                assert answer.status_code == 201, answer.text
                return
            await asyncio.sleep(0.05)


async def shown(http: httpx.AsyncClient, stack: Stack, pounds: int) -> None:
    """Return once the table shows it."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                if float(await tidy_total(http, stack) or 0) == pounds:
                    return
            except (httpx.TransportError, httpx.HTTPStatusError):
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.005)


async def entries(http: httpx.AsyncClient, stack: Stack) -> list[dict[str, Any]]:
    """Every entry of the cumulative ledger, page by page."""
    found: list[dict[str, Any]] = []
    url: str | None = "/v1/ledgers/cumulative/entries?limit=500"
    while url:
        answer = await http.get(url, headers=stack.credential("auditor"))
        answer.raise_for_status()
        found += answer.json()["entries"]
        url = answer.json()["next"]
    return found


async def test_the_printed_table_comes_out_to_the_letter(stack: Stack, http: httpx.AsyncClient) -> None:
    answer = await http.get(AS_PRINTED, headers=stack.credential("author-ESX"))
    assert answer.content == PRINTED


def test_the_env_file_works_in_a_shell_and_is_its_owners_alone(stack: Stack) -> None:
    command = f'. {stack.env_file}; curl -fsS -H "Authorization: Bearer $KEY_AUTHOR_ESX" "$URL{AS_PRINTED}"'
    assert subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout == PRINTED
    command = f'. {stack.env_file}; psql -XAtq "$DATABASE_URL_TRACKER" -c "SELECT count(*) FROM entries"'
    assert int(subprocess.run(["sh", "-c", command], capture_output=True, check=True).stdout) > 0
    assert stack.env_file.stat().st_mode & 0o777 == 0o600


def test_a_service_finds_only_its_own_credentials_in_its_environment(stack: Stack) -> None:
    for name, service in stack.services.items():
        text = Path(f"/proc/{service.pid}/environ").read_text()
        assert stack.passwords[name] in text
        others = [password for user, password in stack.passwords.items() if user != name]
        others += [stack.database.url(role) for role in (*SERVICES, "access") if role != name]
        others += [stack.broker.admin.password, stack.database.superuser_url, *stack.keys.values()]
        assert not [secret for secret in others if secret in text]


async def test_one_origin_leads_to_each_service_and_each_answers_for_itself(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    for path in ("/v1/submissions", "/v1/ledgers/cumulative", "/v1/checks", "/v1/tracker", "/tracker"):
        assert (await http.get(path, headers=stack.credential("auditor"))).status_code == 200, path
    for service in stack.services.values():
        ready = (await http.get(f"{service.url}/readyz")).json()
        assert ready["ready"] is True
        assert {check.split(".")[0] for check in ready["checks"]} == {"access", service.name}
    checks = (await http.get("/v1/checks", params={"full": "true"}, headers=stack.credential("auditor"))).json()
    assert checks["holds"] is True


async def test_each_process_tells_its_own_metrics_and_the_one_origin_none(
    stack: Stack, http: httpx.AsyncClient
) -> None:
    assert (await http.get("/metrics")).status_code == 404
    told: dict[str, dict[str, float]] = {}
    for service in stack.services.values():
        told[service.name] = {}
        for family in text_string_to_metric_families((await http.get(f"{service.url}/metrics")).text):
            for sample in family.samples:
                told[service.name].setdefault(sample.name, 0)
                told[service.name][sample.name] += sample.value
    returns = len(read_returns(Path(RETURNS)))
    assert told["intake"]["savings_returns_accepted_total"] == returns
    assert told["tracker"]["savings_returns_posted_total"] == returns
    assert told["reporting"]["savings_end_to_end_seconds_count"] == returns
    assert told["tracker"]["savings_returns_accepted_total"] == told["intake"]["savings_returns_posted_total"] == 0
    for name in SERVICES:
        assert told[name]["savings_lag_messages"] == told[name]["savings_lag_seconds"] == 0
        assert told[name]["savings_parked"] == 0
        assert told[name]["process_cpu_seconds_total"] > 0


async def test_the_id_of_a_request_is_in_the_log_of_each_service(stack: Stack, http: httpx.AsyncClient) -> None:
    name = f"finance/{uuid4().hex}"
    await state(http, stack, 999_000, request_id=name)
    async with asyncio.timeout(DEADLINE_SECONDS):
        for service in SERVICES:
            log = stack.directory / f"{service}.log"
            # It is a file: it calls nobody when it has grown.
            while not [line for line in logged(log) if name in line.get("correlation_ids", [])]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


def logged(log: Path) -> list[dict[str, Any]]:
    """The lines of a log that are whole."""
    lines = log.read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line[0] == "{" and line[-1] == "\n"]


async def test_from_the_send_to_the_table(
    stack: Stack, http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    took: list[float] = []
    for number in range(TIMED_RETURNS):
        started = time.monotonic()
        await state(http, stack, 1_000_000 + number)
        await shown(http, stack, 1_000_000 + number)
        took.append(time.monotonic() - started)
    median, p99 = statistics.median(took), sorted(took)[round(0.99 * (len(took) - 1))]
    with capsys.disabled():
        print(
            f"\n{TIMED_RETURNS} returns one by one, from the send to the table: "
            f"median {1000 * median:.0f} ms, p99 {1000 * p99:.0f} ms"
        )
    assert median < 1


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_stopped_and_started_again_carries_on(stack: Stack, http: httpx.AsyncClient, name: str) -> None:
    service = next(service for service in stack.services.values() if service.name == name)
    pounds = 2_000_000 + SERVICES.index(service.name)  # type: ignore[arg-type]
    if name == "intake":
        await asyncio.to_thread(service.restart)
        await state(http, stack, pounds)
    else:
        assert await asyncio.to_thread(service.stop), f"{name} did not stop by itself"
        await state(http, stack, pounds)
        await asyncio.to_thread(service.start)
    await shown(http, stack, pounds)


@pytest.mark.parametrize("what", ["broker stopped", "broker killed", "database stopped at once"])
async def test_what_it_stands_on_may_go_and_come_back_and_nobody_intervenes(
    stack: Stack, http: httpx.AsyncClient, what: str
) -> None:
    pounds = 3_000_000 + len(what)
    pids = {name: service.pid for name, service in stack.services.items()}
    match what:
        case "broker stopped":
            await asyncio.to_thread(stack.broker.stop)
            back = stack.broker.start
        case "broker killed":
            await asyncio.to_thread(stack.broker.kill)
            back = stack.broker.start
        case _:
            await asyncio.to_thread(stack.database.stop, "immediate")
            back = stack.database.start
    sending = asyncio.create_task(state(http, stack, pounds))
    await asyncio.sleep(2)  # an outage that lasts: every loop has met it by then
    await asyncio.to_thread(back)
    await sending
    await shown(http, stack, pounds)
    assert {name: service.pid for name, service in stack.services.items()} == pids


async def test_killed_while_returns_are_on_their_way_nothing_is_lost_or_counted_twice(
    stack: Stack, http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    before = {entry["submission_id"] for entry in await entries(http, stack)}
    sent = 0

    async def send(stop: asyncio.Event) -> None:
        nonlocal sent
        while not stop.is_set():
            sent += 1
            await state(http, stack, 4_000_000 + sent, key=f"kill-{sent}")

    stop = asyncio.Event()
    sending = asyncio.create_task(send(stop))
    for number in range(KILLS):
        service = stack.services[SERVICES[number % len(SERVICES)]]
        await asyncio.sleep(chance.uniform(0.05, 0.5))
        await asyncio.to_thread(service.kill)
        await asyncio.to_thread(service.start)
    stop.set()
    await sending
    await shown(http, stack, 4_000_000 + sent)
    # Each return has one line, so each stands once.
    counted = [found for entry in await entries(http, stack) if (found := entry["submission_id"]) not in before]
    checks = (await http.get("/v1/checks", params={"full": "true"}, headers=stack.credential("auditor"))).json()
    with capsys.disabled():
        print(
            f"\n{KILLS} kills, {sent} returns acknowledged: {sent - len(set(counted))} lost, "
            f"{len(counted) - len(set(counted))} doubled, checks {'hold' if checks['holds'] else 'FAIL'}"
        )
    assert len(counted) == len(set(counted)) == sent
    assert checks["holds"] is True, checks
