"""An event may gain an optional field, and no change of another kind: each is refused, and in words.

``published`` has every schema as others first had it, and every later one that something was added to; none of them is
ever changed or removed. A version that breaks is another type, with a schema of its own: ``….v2``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from savings.contracts import EVENTS, SUFFIX, event_schema
from shared.events import ENTRIES_POSTED, RETURN_ACCEPTED, RETURN_POSTED, RETURN_REJECTED
from tests.contracts.compatibility import breaking_changes

PUBLISHED = sorted(Path("tests/contracts/published").glob(f"*{SUFFIX}"))
#: Of what councils post we are the readers only: it may be taken more widely, never more narrowly.
TAKEN_ONLY = {RETURN_POSTED}


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.name.removesuffix(SUFFIX))
def test_nothing_that_was_published_is_broken(path: Path) -> None:
    published = json.loads(path.read_text(encoding="utf-8"))
    event_type = published["title"]
    assert event_type in EVENTS, f"{event_type} is gone: what was published is read for ever"
    broken = breaking_changes(published, event_schema(event_type), written=event_type not in TAKEN_ONLY)
    assert not broken, f"{event_type} breaks what others have:\n" + "\n".join(broken)


@pytest.mark.parametrize("event_type", EVENTS)
def test_what_is_current_is_published(event_type: str) -> None:
    """So that a field that was added once is never taken away again."""
    current = event_schema(event_type)
    versions = [json.loads(path.read_text(encoding="utf-8")) for path in PUBLISHED]
    same = [
        published
        for published in versions
        if published["title"] == event_type
        and not breaking_changes(published, current, written=True)
        and not breaking_changes(current, published, written=True)
    ]
    number = 1 + sum(published["title"] == event_type for published in versions)
    assert same, f"{event_type} has something new: keep it, too, as {PUBLISHED[0].parent}/{event_type}-{number}{SUFFIX}"


SCHEMA = {
    "type": "object",
    "required": ["year", "basis", "lines", "kind"],
    "properties": {
        "year": {"type": "string", "maxLength": 20, "minLength": 2, "pattern": r"^\d{4}/\d{2}$"},
        "day": {"type": "string", "format": "date", "default": "2012-01-26"},
        "basis": {"$ref": "#/$defs/Basis", "description": "How sure."},
        "kind": {"const": "posted", "type": "string"},
        "pence": {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 9}, {"type": "null"}], "default": None},
        "given": {"$ref": "#/$defs/JsonValue", "default": None},
        "flag": {"type": ["boolean", "null"], "default": None},
        "more": {"type": "array", "default": []},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/Line"}, "maxItems": 500},
    },
    "$defs": {
        "Basis": {"enum": ["estimate", "actual"], "type": "string"},
        "JsonValue": {},
        "Line": {
            "type": "object",
            "properties": {"note": {"type": "string"}, "cell": {"type": "string", "default": ""}},
            "required": ["note"],
        },
    },
}
CLOSED = SCHEMA | {"additionalProperties": False}

Change = Callable[[dict[str, Any]], object]


def changed(change: Change, schema: dict[str, Any] = SCHEMA) -> dict[str, Any]:
    schema = copy.deepcopy(schema)
    change(schema)
    return schema


def at(*names: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A part of the schema: ``at("lines", "note")`` is that field of the lines."""

    def find(schema: dict[str, Any]) -> dict[str, Any]:
        if names and names[0] == "lines" and len(names) > 1:
            return schema["$defs"]["Line"]["properties"][names[1]]  # type: ignore[no-any-return]
        return schema["properties"][names[0]]  # type: ignore[no-any-return]

    return find


NARROWER: dict[str, tuple[Change, str]] = {
    "a new field is required": (
        lambda s: (s["properties"].update(by={"type": "string"}), s["required"].append("by")),
        "by is new and required: what was sent before has not got it.",
    ),
    "an optional field is required": (
        lambda s: s["required"].append("day"),
        "day could be left out, and is now required.",
    ),
    "a value of an enum is gone": (
        lambda s: s["$defs"]["Basis"].update(enum=["actual"]),
        "basis no longer takes estimate.",
    ),
    "text becomes an enum": (
        lambda s: at("lines", "note")(s).update(enum=["a", "b"]),
        "lines[].note took any value, and now takes a, b only.",
    ),
    "null is no longer taken": (
        lambda s: s["properties"].update(pence={"type": "integer", "minimum": 0, "maximum": 9, "default": None}),
        "pence no longer takes null.",
    ),
    "one of two types is gone": (lambda s: at("flag")(s).update(type="boolean"), "flag no longer takes null."),
    "anything becomes a type": (
        lambda s: s["$defs"].update(JsonValue={"type": "string"}),
        "given took anything, and now takes string only.",
    ),
    "it may be less long": (
        lambda s: at("year")(s).update(maxLength=7),
        "year had the maxLength 20, and has now 7.",
    ),
    "it must be longer": (
        lambda s: at("year")(s).update(minLength=7),
        "year had the minLength 2, and has now 7.",
    ),
    "a limit where there was none": (
        lambda s: at("lines", "note")(s).update(maxLength=9),
        "lines[].note had the maxLength None, and has now 9.",
    ),
    "a list may be less long": (
        lambda s: at("lines")(s).update(maxItems=5),
        "lines had the maxItems 500, and has now 5.",
    ),
    "a number may be less": (
        lambda s: at("pence")(s)["anyOf"][0].update(maximum=5),
        "pence had the maximum 9, and has now 5.",
    ),
    "a pattern where there was none": (
        lambda s: at("lines", "note")(s).update(pattern="^A"),
        "lines[].note had the pattern None, and has now ^A.",
    ),
    "anything in a list becomes a type": (
        lambda s: at("more")(s).update(items={"type": "string"}),
        "more[] took anything, and now takes string only.",
    ),
    "unknown fields are refused": (
        lambda s: s.update(additionalProperties=False),
        "the event ignored fields that it does not know, and now refuses them.",
    ),
}
OTHER: dict[str, tuple[Change, str]] = {
    "a field is removed": (
        lambda s: s["properties"].pop("day"),
        "day is gone: a field is never removed or renamed.",
    ),
    "a required field is removed": (
        lambda s: (s["properties"].pop("year"), s["required"].remove("year")),
        "year is gone: a field is never removed or renamed.",
    ),
    "a field is renamed": (
        lambda s: s["properties"].update(date=s["properties"].pop("day")),
        "day is gone: a field is never removed or renamed.",
    ),
    "a field of a line is removed": (
        lambda s: s["$defs"]["Line"]["properties"].pop("cell"),
        "lines[].cell is gone: a field is never removed or renamed.",
    ),
    "a field is retyped": (
        lambda s: at("lines", "note")(s).update(type="integer"),
        "lines[].note was string, and is now integer.",
    ),
    "a list becomes a single one": (
        lambda s: s["properties"].update(lines={"$ref": "#/$defs/Line"}),
        "lines was array, and is now object.",
    ),
    "a constant is another": (lambda s: at("kind")(s).update(const="folded"), "kind no longer takes posted."),
    "a pattern is another": (
        lambda s: at("year")(s).update(pattern=r"^\d{4}$"),
        r"year had the pattern ^\d{4}/\d{2}$, and has now ^\d{4}$.",
    ),
    "a default is another": (
        lambda s: at("day")(s).update(default="2013-01-26"),
        "day meant 2012-01-26 where it was left out, and would now mean 2013-01-26.",
    ),
    "a default is gone": (
        lambda s: at("lines", "cell")(s).pop("default"),
        "lines[].cell meant  where it was left out, and would now mean nothing.",
    ),
    "a keyword that is not known here": (
        lambda s: at("year")(s).update({"not": {"const": "2011/12"}}),
        "year had the not None, and has now {'const': '2011/12'}.",
    ),
    "a type in two forms": (
        lambda s: s["properties"].update(year={"anyOf": [{"type": "string"}, {"type": "string", "maxLength": 9}]}),
        "year is of a form that cannot be compared, and has changed.",
    ),
    "something beside the alternatives": (
        lambda s: at("pence")(s).update(minimum=3),
        "pence is of a form that cannot be compared, and has changed.",
    ),
    "the further fields are of another form": (
        lambda s: s.update(additionalProperties={"type": "string"}),
        "the event has changed in what its further fields may be.",
    ),
}
WIDER: dict[str, tuple[Change, str]] = {
    "a required field may be left out": (
        lambda s: s["required"].remove("year"),
        "year was always there, and may now be left out.",
    ),
    "a value more in an enum": (
        lambda s: s["$defs"]["Basis"].update(enum=["estimate", "forecast", "actual"]),
        "basis may now be forecast, which its readers do not know.",
    ),
    "an enum becomes text": (
        lambda s: s["$defs"]["Basis"].pop("enum"),
        "basis was estimate, actual, and may now be any other.",
    ),
    "null is taken too": (
        lambda s: at("lines", "note")(s).update(type=["string", "null"]),
        "lines[].note may now be null.",
    ),
    "a type becomes anything": (
        lambda s: s["$defs"]["Line"]["properties"].update(note={}),
        "lines[].note was string, and may now be anything.",
    ),
    "a type in a list becomes anything": (
        lambda s: at("lines")(s).pop("items"),
        "lines[] was object, and may now be anything.",
    ),
    "it may be longer": (lambda s: at("year")(s).update(maxLength=70), "year had the maxLength 20, and has now 70."),
    "a limit is gone": (lambda s: at("year")(s).pop("minLength"), "year had the minLength 2, and has now None."),
    "it may be shorter": (lambda s: at("year")(s).update(minLength=1), "year had the minLength 2, and has now 1."),
    "a pattern is gone": (
        lambda s: at("year")(s).pop("pattern"),
        r"year had the pattern ^\d{4}/\d{2}$, and has now None.",
    ),
}
FINE: dict[str, Change] = {
    "nothing": lambda s: None,
    "an optional field more": lambda s: s["properties"].update(by={"type": "string", "default": ""}),
    "an optional field more in a line": lambda s: s["$defs"]["Line"]["properties"].update(by={"type": "string"}),
    "another description": lambda s: at("year")(s).update(description="The financial year.", title="Year"),
    "a definition of another name": lambda s: (
        s["$defs"].update(HowSure=s["$defs"].pop("Basis")),
        s["properties"].update(basis={"$ref": "#/$defs/HowSure"}),
    ),
    "a constant told as an enum of one": lambda s: s["properties"].update(kind={"enum": ["posted"], "type": "string"}),
}


@pytest.mark.parametrize("kind", [*NARROWER, *OTHER])
@pytest.mark.parametrize("written", [True, False], ids=["written", "taken"])
def test_a_change_that_breaks_is_refused_with_a_sentence(kind: str, written: bool) -> None:
    change, sentence = (NARROWER | OTHER)[kind]
    assert sentence in breaking_changes(SCHEMA, changed(change), written=written)


@pytest.mark.parametrize("kind", WIDER)
def test_what_gets_wider_is_refused_where_we_write_it(kind: str) -> None:
    change, sentence = WIDER[kind]
    assert breaking_changes(SCHEMA, changed(change), written=True) == [sentence]
    assert breaking_changes(SCHEMA, changed(change), written=False) == []


@pytest.mark.parametrize("kind", FINE)
@pytest.mark.parametrize("written", [True, False], ids=["written", "taken"])
def test_what_breaks_nobody_is_fine(kind: str, written: bool) -> None:
    assert breaking_changes(SCHEMA, changed(FINE[kind]), written=written) == []


def test_where_nothing_else_was_to_come_a_field_more_is_for_its_takers_alone() -> None:
    more = changed(FINE["an optional field more"], CLOSED)
    assert breaking_changes(CLOSED, more, written=False) == []
    told = "by is new where readers were told that nothing else would come."
    assert breaking_changes(CLOSED, more, written=True) == [told]
    told = "the event had no fields but those told, and may now have others."
    assert breaking_changes(CLOSED, SCHEMA, written=True) == [told]
    assert breaking_changes(CLOSED, SCHEMA, written=False) == []


def broken_anywhere(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """One of our own schemas broken in every place where it can be, each with the name of what was broken."""
    holders = {"": schema, **schema.get("$defs", {})}
    for holder, held in holders.items():

        def broken(change: Change, holder: str = holder) -> dict[str, Any]:
            return changed(lambda s: change(s["$defs"][holder] if holder else s), schema)

        for name in held.get("properties", {}):
            yield f"{holder}.{name} removed", broken(lambda s, name=name: s["properties"].pop(name))  # type: ignore[misc]
            yield (
                f"{holder}.{name} retyped",
                broken(lambda s, name=name: s["properties"].update({name: {"type": "made up"}})),  # type: ignore[misc]
            )
            if name not in held.get("required", []):
                yield (
                    f"{holder}.{name} required",
                    broken(lambda s, name=name: s.setdefault("required", []).append(name)),  # type: ignore[misc]
                )
        for value in held.get("enum", []):
            yield f"{holder} without {value}", broken(lambda s, value=value: s["enum"].remove(value))  # type: ignore[misc]


@pytest.mark.parametrize("event_type", [RETURN_POSTED, RETURN_ACCEPTED, ENTRIES_POSTED, RETURN_REJECTED])
def test_our_own_events_cannot_be_broken_anywhere(event_type: str) -> None:
    ways = dict(broken_anywhere(event_schema(event_type)))
    assert len(ways) > 40
    missed = [name for name, way in ways.items() if not breaking_changes(event_schema(event_type), way, written=False)]
    assert missed == []
    print(f"\n{event_type}: {len(ways)} ways to break it, all refused")
