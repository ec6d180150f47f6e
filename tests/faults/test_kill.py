"""``kill -9`` at random moments under load: no acknowledged return is lost, and none is counted twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.deployment import deployed
from tests.faults.load import Acknowledged, Sender

KILLS = int(os.environ.get("SAVINGS_KILLS", "3"))
SEED = int(os.environ.get("SAVINGS_SEED", "7"))

LEDGERS = ("cumulative", "councils/E10000011", "councils/E10000016")
SENDERS = (
    *((f"lead-{workstream}", workstream, "partnership") for workstream in ("ict", "waste", "highways", "sen")),
    *(("finance-ESX", workstream, "E10000011") for workstream in ("ict", "waste", "highways", "sen")),
    *(("finance-KEN", workstream, "E10000016") for workstream in ("ict", "waste", "highways", "sen")),
)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@asynccontextmanager
async def served(folder: Path, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The real command as a process of its own, answering; killed without warning on leaving."""
    with (folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "savings", "serve", "--port", str(port)),
            env={**os.environ, "SAVINGS_DATA_DIRECTORY": str(folder), "SAVINGS_REQUESTS_PER_MINUTE": "10000000"},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=log,
        )
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, asyncio.timeout(120):
            while True:
                assert process.returncode is None, (folder / "log").read_text()
                try:
                    await client.get("/healthz")
                    break
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
        yield process
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()


@pytest.mark.faults
async def test_killed_at_random_under_load_it_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(SEED)
    async with deployed(tmp_path) as deployment:
        keys = deployment.keys
    port, stop, acknowledged = free_port(), asyncio.Event(), Acknowledged()
    senders = [
        Sender(name, keys[name], workstream, scope, random.Random(SEED + number))
        for number, (name, workstream, scope) in enumerate(SENDERS)
    ]
    async with asyncio.TaskGroup() as group:
        for sender in senders:
            group.create_task(sender.send_until(stop, f"http://127.0.0.1:{port}", acknowledged))
        for _ in range(KILLS):
            async with served(tmp_path, port):
                await asyncio.sleep(chance.uniform(0.05, 1.2))
        # A last life in which every sender gets its answer.
        async with served(tmp_path, port):
            stop.set()
            await asyncio.sleep(1)

    async with deployed(tmp_path) as deployment:
        await deployment.settle()
        counted = Counter(await posted_submissions(deployment.http, keys["auditor"]))
        checks = (await deployment.get("/v1/checks", "auditor", full="true")).json()
    lost = acknowledged.ids.keys() - {key for key, told in acknowledged.ids.items() if told in counted}
    doubled = [submission for submission, entries in counted.items() if entries != 4]
    with capsys.disabled():
        print(
            f"\n{KILLS} kills, {len(acknowledged.ids)} returns acknowledged ({acknowledged.retried} retries): "
            f"{len(lost)} lost, {len(doubled)} doubled, checks {'hold' if checks['holds'] else 'FAIL'}"
        )
    assert len(acknowledged.ids) > KILLS
    assert not lost
    assert not doubled
    assert checks["holds"], checks


async def posted_submissions(http: httpx.AsyncClient, key: str) -> list[str]:
    """The submission of every entry of every ledger used here, page by page."""
    found: list[str] = []
    for ledger in LEDGERS:
        url: str | None = f"/v1/ledgers/{ledger}/entries?limit=500"
        while url:
            page = (await http.get(url, headers={"Authorization": f"Bearer {key}"})).json()
            found.extend(entry["submission_id"] for entry in page["entries"])
            url = page["next"]
    return found
