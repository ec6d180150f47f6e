"""The contracts of events as JSON Schemas, made from the models: what stands in ``docs/events``.

They are for those who write or read events in other languages, and they are what a change of a model is held against
(``tests/contracts``). Each describes the data of one type of event; its attributes are CloudEvents' own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from services.intake.schemas import ReturnIn
from shared.events import (
    ENTRIES_POSTED,
    RETURN_ACCEPTED,
    RETURN_POSTED,
    RETURN_REJECTED,
    EntriesPosted,
    ReturnAccepted,
    ReturnRejected,
)

#: Every type of event, and the form of its data.
EVENTS: Final[Mapping[str, type[BaseModel]]] = {
    # The data is a return, the same as over HTTP: one form for both, so that they cannot part.
    RETURN_POSTED: ReturnIn,
    RETURN_ACCEPTED: ReturnAccepted,
    ENTRIES_POSTED: EntriesPosted,
    RETURN_REJECTED: ReturnRejected,
}
SUFFIX: Final = ".schema.json"


class _WithoutTitles(GenerateJsonSchema):
    """Leaves out the titles that would say each field's name again."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def event_schema(event_type: str) -> dict[str, Any]:
    """The JSON Schema of the data of that type of event.

    Raises:
        KeyError: for a type that there is not.
    """
    schema = EVENTS[event_type].model_json_schema(schema_generator=_WithoutTitles)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": event_type}


def schema_texts() -> dict[str, str]:
    """By the name of its file in ``docs/events``, the text of every schema."""
    return {
        f"{event_type}{SUFFIX}": json.dumps(event_schema(event_type), indent=1, ensure_ascii=False) + "\n"
        for event_type in EVENTS
    }


def write_schemas(directory: Path) -> None:
    """Write every schema into the directory. What else lies there is left alone."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in schema_texts().items():
        (directory / name).write_text(text, encoding="utf-8")
