"""The services, each alone on its own databases, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.intake_deployment import IntakeDeployment, UrlOf, deployed_intake
from tests.tracker_deployment import TrackerDeployment, deployed_tracker


@pytest.fixture
async def intake(database_url: UrlOf, tmp_path: Path) -> AsyncIterator[IntakeDeployment]:
    async with deployed_intake(database_url, tmp_path) as deployment:
        yield deployment


@pytest.fixture
async def tracker(database_url: UrlOf, tmp_path: Path) -> AsyncIterator[TrackerDeployment]:
    async with deployed_tracker(database_url, tmp_path) as deployment:
        yield deployment
