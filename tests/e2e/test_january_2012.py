"""The main job: January 2012 goes in as returns and comes out as the table that was printed, on either back end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from savings.demonstration import RETURNS
from savings.loading import read_returns
from shared.settings import Settings
from tests.deployment import Deployment, deployed

PRINTED = Path("tests/reference/se7-2012-01-26-appendix-1.csv").read_bytes()
EAST_SUSSEX = "E10000011"


@pytest.fixture
async def january_2012(tmp_path: Path, settings: Settings) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path, settings=settings) as deployment:
        await send_all(deployment)
        yield deployment


async def send_all(deployment: Deployment) -> list[bool]:
    """Send the returns as their senders would; for each, whether it was answered as a replay."""
    replayed: list[bool] = []
    for prepared in read_returns(RETURNS):
        answer = await deployment.post(
            "/v1/submissions", prepared.sent_by, prepared.content, **{"Idempotency-Key": prepared.idempotency_key}
        )
        assert answer.status_code == 201, answer.text
        replayed.append(answer.headers.get("Idempotent-Replayed") == "true")
    await deployment.settle()
    return replayed


async def printed(deployment: Deployment, by: str = "author-ESX") -> bytes:
    answer = await deployment.get("/v1/tracker.csv", by, council=EAST_SUSSEX, layout="printed")
    assert answer.status_code == 200, answer.text
    return answer.content


async def test_the_printed_table_comes_out_to_the_letter(january_2012: Deployment) -> None:
    assert await printed(january_2012) == PRINTED


async def test_the_totals_are_those_of_the_cabinet_report(january_2012: Deployment) -> None:
    lines = (await printed(january_2012)).decode().splitlines()
    assert lines[-2:] == ["Total potential savings,SE7,,,,,£83.85m", "Total potential savings,ESCC,,,,,£6.944m"]


async def test_every_check_holds(january_2012: Deployment) -> None:
    checks = (await january_2012.get("/v1/checks", "auditor", full="true")).json()
    assert checks["holds"] is True, checks


async def test_sending_it_all_again_changes_nothing(january_2012: Deployment) -> None:
    entries = (await january_2012.get("/v1/ledgers/cumulative/entries", "office")).json()
    assert all(await send_all(january_2012))
    assert (await january_2012.get("/v1/ledgers/cumulative/entries", "office")).json() == entries
    assert await printed(january_2012) == PRINTED


async def test_the_same_data_is_there_after_a_restart(
    january_2012: Deployment, tmp_path: Path, settings: Settings
) -> None:
    async with deployed(tmp_path, settings=settings) as restarted:
        assert await printed(restarted) == PRINTED


async def test_a_later_figure_shows_now_and_not_as_at_the_date_before(january_2012: Deployment) -> None:
    correction = {
        "workstream": "highways",
        "scope": "partnership",
        "as_at": "2012-03-28",
        "reason": "The supply chain review found more.",
        "lines": [{"year": "2011/12", "amount": "£350k", "basis": "estimate"}],
    }
    answer = await january_2012.post("/v1/submissions", "lead-highways", correction)
    assert answer.status_code == 201, answer.text
    await january_2012.settle()
    assert b"SE7,\xc2\xa3350k,\xc2\xa36m (\xc2\xa36.35m)" in await printed(january_2012)
    before = await january_2012.get(
        "/v1/tracker.csv", "author-ESX", council=EAST_SUSSEX, layout="printed", as_at="2012-01-26"
    )
    assert before.content == PRINTED
