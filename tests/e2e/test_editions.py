"""January 2012 from returns to an edition, and what the whole product says once a figure has been corrected."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from shared.settings import Settings
from tests.deployment import deployed
from tests.e2e.test_january_2012 import EAST_SUSSEX, PRINTED, send_all


@pytest.mark.parametrize("corrected_as_at", ["2012-03-28", "2011-12-07", "2011-12-01"])
async def test_an_edition_of_january_2012_stays_as_printed(
    tmp_path: Path, settings: Settings, corrected_as_at: str
) -> None:
    async with deployed(tmp_path, settings=settings) as deployment:
        await send_all(deployment)
        cabinet = {"title": "Cabinet, 26 January 2012", "meeting_date": "2012-01-26"}
        edition = await deployment.post("/v1/editions", "office", cabinet)
        assert edition.status_code == 201, edition.text
        correction = {
            "workstream": "highways",
            "scope": "partnership",
            "as_at": corrected_as_at,
            "reason": "The supply chain review found more.",
            "lines": [{"year": "2011/12", "amount": "£350k", "basis": "estimate"}],
        }
        assert (await deployment.post("/v1/submissions", "lead-highways", correction)).status_code == 201
        await deployment.settle()

        printed = await deployment.get("/v1/tracker.csv", "author-ESX", edition=1, layout="printed")
        assert printed.content == PRINTED
        frozen = await deployment.get("/v1/tracker", "author-ESX", edition=1)
        assert hashlib.sha256(frozen.content).hexdigest() == edition.json()["tables"][EAST_SUSSEX]
        assert (await deployment.get("/v1/editions/1/proof", "auditor")).json()["holds"] is True

        movements = (await deployment.get("/v1/movements", "author-ESX")).json()
        reached_back = (await deployment.get("/v1/corrections", "author-ESX")).json()["editions"]
        assert movements["holds"] is True
        stands = corrected_as_at >= "2011-12-07"
        assert movements["totals"][0]["movement"] == ("100000.00" if stands else "0.00")
        assert [each["edition"] for each in reached_back] == ([1] if corrected_as_at == "2011-12-07" else [])
        # What was stated late and what was stated since are in balance, so the next edition may be published.
        second = await deployment.post("/v1/editions", "office", cabinet | {"title": "Cabinet, April"})
        assert (second.status_code, second.json()["number"]) == (201, 2)
