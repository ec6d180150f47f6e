"""From bytes to a document, or the reason why they cannot be read; and how what was given is shown back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import Unreadable, WrongType
from shared.web import no_duplicates

#: A return is three levels deep, a batch five; what goes deeper than this is no attempt at either.
DEEPEST: Final = 8
_SHOWN_CHARACTERS: Final = 100
_SEND_JSON: Final = "Send one JSON object in UTF-8; the OpenAPI document has its form."


@dataclass(frozen=True, slots=True)
class JsonNumber:
    """A number as it was written in JSON. It never becomes a float: amounts are text, and nothing else is a number."""

    written: str


def read_json(body: bytes, content_type: str | None) -> object:
    """Read a body that says it is JSON, or says nothing of what it is.

    Raises:
        WrongType: it says that it is something else.
        Unreadable: naming the place, where there is one.
    """
    if content_type is not None and not _is_json(content_type):
        raise WrongType(
            f"The body says it is {shown(content_type)}; a return is taken as application/json.",
            "Send 'Content-Type: application/json'.",
        )
    if not body.strip():
        raise Unreadable("The body is empty.", _SEND_JSON)
    try:
        # Some systems begin a file with a byte order mark; it says nothing here.
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"The body is not UTF-8: byte {error.start + 1} does not belong there.", _SEND_JSON) from error
    try:
        return json.loads(
            text,
            object_pairs_hook=no_duplicates,
            parse_float=JsonNumber,
            parse_int=JsonNumber,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"The body is not JSON: {error.msg}, in line {error.lineno}, column {error.colno}.", _SEND_JSON
        ) from error
    except ValueError as error:
        raise Unreadable(f"The body is not JSON that can be taken: {shown(str(error))}.", _SEND_JSON) from error
    except RecursionError:
        raise nested_too_deep() from None


def nested_too_deep() -> Unreadable:
    return Unreadable("The body is nested too deep to be a return.", _SEND_JSON)


def goes_too_deep(document: object) -> bool:
    """Whether lists and objects stand in each other more than :data:`DEEPEST` levels deep."""
    level = [document]
    for _ in range(DEEPEST):
        level = [
            part
            for value in level
            if isinstance(value, (dict, list))
            for part in (value.values() if isinstance(value, dict) else value)
        ]
    return any(isinstance(value, (dict, list)) for value in level)


def shown(value: object) -> Any:
    """What was given, short enough to be shown back, and free of what cannot be sent."""
    match value:
        case str():
            text = value.encode("utf-8", "backslashreplace").decode()
            return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
        case JsonNumber():
            return shown(value.written)
        case list():
            return f"a list of {len(value)}"
        case Mapping():
            return f"an object of {len(value)} fields"
        case _:
            return value


def pointer_to(*parts: int | str) -> str:
    """The JSON pointer (RFC 6901) to what stands under these names and places."""
    return "".join("/" + shown(str(part)).replace("~", "~0").replace("/", "~1") for part in parts)


def kind_of(value: object) -> str:
    """What a value is in JSON, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "text"
        case JsonNumber():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
