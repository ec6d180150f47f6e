"""The description of the API that is kept in the repository, against the application itself."""

from __future__ import annotations

import json
from pathlib import Path

from openapi_spec_validator import validate

from savings.commands import openapi_text
from savings.process import Process
from tests.settings import settings_in

KEPT = Path("docs/openapi.json")


def test_the_kept_description_is_current(tmp_path: Path) -> None:
    process = Process(settings_in(tmp_path))
    assert openapi_text(process) == KEPT.read_text(encoding="utf-8"), "write it again with 'make docs'"


def test_the_kept_description_is_valid_openapi() -> None:
    validate(json.loads(KEPT.read_text(encoding="utf-8")))
