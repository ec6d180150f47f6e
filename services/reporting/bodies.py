"""Reading what the office sends: JSON into a model, with all that is wrong with it told at once."""

from __future__ import annotations

import json
from typing import Any, Final, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from shared.errors import Fault, Refused, Unreadable, WrongType
from shared.plain_words import in_plain_words
from shared.web import no_duplicates, read_body

LIMIT_BYTES: Final = 200_000

Model = TypeVar("Model", bound=BaseModel)


async def read_model(request: Request, model: type[Model]) -> Model:
    """The body of a request as a model.

    Raises:
        WrongType: where it says that it is something else than JSON.
        TooLarge: beyond the limit.
        Unreadable: where it is no JSON object.
        Refused: naming everything that is wrong in it, by JSON pointer.
    """
    said = request.headers.get("content-type")
    if said is not None and said.partition(";")[0].strip().lower() != "application/json":
        raise WrongType(
            f"The body says it is {said[:100]}; it is taken as application/json.",
            "Send 'Content-Type: application/json'.",
        )
    body = await read_body(request, LIMIT_BYTES)
    try:
        document: Any = json.loads(body, object_pairs_hook=no_duplicates)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The body is not JSON: {error}.", "Send one JSON object, in UTF-8.") from error
    try:
        # As JSON, so that a date is a text; and strictly, so that nothing is guessed.
        return model.model_validate_json(json.dumps(document))
    except ValidationError as error:
        faults = [
            Fault(
                pointer="".join(f"/{part}" for part in fault["loc"]),
                code=fault["type"].replace("_", "-"),
                detail=told.detail,
                fix=told.fix,
                allowed=told.allowed,
                given=fault["input"] if isinstance(fault["input"], (str, int, float, bool)) else None,
            )
            for fault in error.errors()
            for told in [in_plain_words(fault)]
        ]
        raise Refused(f"{len(faults)} thing{'s are' if len(faults) > 1 else ' is'} wrong in it.", faults) from error


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The part of the OpenAPI document that tells the body of an address; bodies are read by hand."""
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
