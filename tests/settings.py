"""Settings as tests want them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shared.settings import Settings

#: One caller sends as fast as it can.
RATE_LIMIT_OUT_OF_THE_WAY = 10_000_000


def settings_in(folder: Path, **others: Any) -> Settings:
    """The embedded default in a folder, or with ``others`` what they say."""
    return Settings(data_directory=folder, requests_per_minute=RATE_LIMIT_OUT_OF_THE_WAY, **others)
