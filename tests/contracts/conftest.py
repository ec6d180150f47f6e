"""Every adapter of the bus, to be put through the same behaviour."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import migrations
from shared.bus.embedded import EmbeddedBus
from shared.bus.port import Bus
from shared.database import Database


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/bus.db")
    await migrations.upgrade("bus", database)
    yield EmbeddedBus(database, partitions=3)
    await database.close()
