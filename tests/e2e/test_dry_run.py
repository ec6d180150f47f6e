"""A dry run says what the totals would become, and they become that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tests.builders import a_line, a_return
from tests.deployment import Deployment, deployed
from tests.settings import settings_in

CORRECTION = a_return(a_line(amount="£1m"), a_line(year="2013/14", amount="£50k"), reason="found more")


async def totals_after(deployment: Deployment, document: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a dry run says that the totals are, and what they would become."""
    answer = await deployment.post("/v1/submissions?dry_run=true", "finance-ESX", document)
    assert answer.status_code == 200, answer.text
    effect = answer.json()["effect"]
    scope = {one["year"]: one for one in effect["scope_totals"]}
    parts = {**scope, "workstream": effect["workstream_total"], "ledger": effect["ledger_total"]}
    before, after = ({name: part[when] for name, part in parts.items()} for when in ("before", "after"))
    return before, after


async def test_the_totals_become_what_a_dry_run_said(tmp_path: Path) -> None:
    async with deployed(tmp_path) as deployment:
        await deployment.post("/v1/submissions", "finance-ESX", a_return(a_line(), a_line(year="2012/13")))
        await deployment.settle()
        before, after = await totals_after(deployment, CORRECTION)
        assert before != after

        # Nothing was kept: asked again, it says the same.
        assert await totals_after(deployment, CORRECTION) == (before, after)

        assert (await deployment.post("/v1/submissions", "finance-ESX", CORRECTION)).status_code == 201
        await deployment.settle()
        now, _ = await totals_after(deployment, a_return(a_line(year="2014/15")))
        assert now == after


async def test_a_reader_signed_in_is_told_the_totals_too(tmp_path: Path) -> None:
    own_page = {"Sec-Fetch-Site": "same-origin"}
    settings = settings_in(tmp_path, session_secret=SecretStr("a secret of a test"))
    async with deployed(tmp_path, settings=settings) as deployment:
        await deployment.http.post("/sign-in", data={"key": deployment.keys["finance-ESX"]}, headers=own_page)
        answer = await deployment.http.post("/v1/submissions?dry_run=true", json=a_return(a_line()), headers=own_page)
        assert answer.json()["effect"]["ledger_total"]["before"] is not None
