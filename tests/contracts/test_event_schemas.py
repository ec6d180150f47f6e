"""The schemas of events that are kept in the repository, against the models that the services read and write with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

import shared.events
from savings.commands import app
from savings.contracts import EVENTS, event_schema, schema_texts
from tests.builders import a_line, a_return, read

KEPT = Path("docs/events")
RETURN = shared.events.RETURN_POSTED


def test_the_kept_schemas_are_current() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in KEPT.glob("*.json")}
    assert kept == schema_texts(), "write them again with 'make docs'"


def test_the_command_writes_what_is_kept(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["events", "--write", str(tmp_path / "events")]).exit_code == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "events").iterdir()}
    assert written == schema_texts()


def test_the_command_prints_every_schema() -> None:
    printed = CliRunner().invoke(app, ["events"])
    assert json.loads(printed.stdout) == {event_type: event_schema(event_type) for event_type in EVENTS}


def test_every_type_of_event_has_a_schema() -> None:
    types = {value for value in vars(shared.events).values() if isinstance(value, str) and value.startswith("uk.")}
    assert set(EVENTS) == types


@pytest.mark.parametrize("event_type", EVENTS)
def test_a_kept_schema_is_a_schema(event_type: str) -> None:
    Draft202012Validator.check_schema(event_schema(event_type))


@pytest.mark.parametrize(
    "document",
    [
        a_return(),
        a_return(a_line(amount="£1.25m", cumulative="£1,250,000", cell="B7", note="Two sites."), reason="Recounted."),
        a_return(a_line(amount=..., status="nil"), a_line(amount=..., status="see_narrative", year="2012/13")),
        a_return(scope="partnership", update="Signed.\nMoving in May.", source={"system": "ledger"}),
    ],
)
def test_a_return_that_is_taken_is_one_by_its_schema(document: Any) -> None:
    assert read(document).is_fine
    Draft202012Validator(event_schema(RETURN)).validate(document)


@pytest.mark.parametrize(
    "document",
    [
        a_return(scope="East Sussex"),
        a_return(lines=[]),
        a_return(a_line(amount=300000)),
        a_return(a_line(year="2011")),
        a_return(a_line(basis="guess")),
        a_return(Scope="partnership"),
        a_return(as_at=...),
        a_return(reason="x" * 2001),
    ],
)
def test_what_is_no_return_by_its_schema_is_not_taken(document: Any) -> None:
    assert not Draft202012Validator(event_schema(RETURN)).is_valid(document)
    assert not read(document).is_fine
