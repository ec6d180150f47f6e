"""What a library finds wrong in what was sent, in words that its sender understands."""

from __future__ import annotations

from typing import Final, NamedTuple

from pydantic_core import ErrorDetails

#: A text of one line: names and titles stand in tables and at the top of files.
ONE_LINE: Final = r"^[^\x00-\x1f\x7f]+$"

_LOOK: Final = "The OpenAPI document, at /openapi.json, lists what may stand here."


class Told(NamedTuple):
    detail: str
    allowed: str | None
    fix: str


def in_plain_words(error: ErrorDetails) -> Told:
    """What is wrong, what may stand there, and how to mend it."""
    limits = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return Told("It is missing.", None, f"Give it. {_LOOK}")
        case "extra_forbidden":
            return Told("There is no field of this name.", None, f"Check its spelling, or leave it out. {_LOOK}")
        case "string_type":
            return _give("It is not a text.", "a text")
        case "string_too_short":
            return _give("It is too short.", f"at least {_characters(limits['min_length'])}")
        case "string_too_long":
            return _give("It is too long.", f"at most {_characters(limits['max_length'])}")
        case "string_pattern_mismatch" if limits["pattern"] == ONE_LINE:
            return _give("It has a line break or another character that cannot be printed.", "a text of one line")
        case "date_type" | "date_parsing" | "date_from_datetime_parsing" | "date_from_datetime_inexact":
            mend = "Write the year, month and day as numbers: 2011-12-07."
            return Told("It is not a date.", "a date, like 2011-12-07", mend)
        case "int_type" | "int_parsing" | "int_parsing_size" | "int_from_float":
            return _give("It is not a whole number.", "a whole number")
        case "list_type":
            return _give("It is not a list.", "a list")
        case "too_short":
            return _give("There are too few in it.", f"at least {limits['min_length']}")
        case "too_long":
            return _give("There are too many in it.", f"at most {limits['max_length']}")
        case "model_type" | "model_attributes_type":
            return _give("It is not a JSON object.", "a JSON object")
        case _:
            return Told(f"{error['msg']}.", None, f"Correct it. {_LOOK}")


def _give(detail: str, allowed: str) -> Told:
    return Told(detail, allowed, f"Give {allowed}.")


def _characters(number: int) -> str:
    return f"{number} character{'' if number == 1 else 's'}"
