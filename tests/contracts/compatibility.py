"""What a change of an event's schema breaks, in sentences. Pure; for the JSON Schemas that our models come to.

Two things must hold as long as a version lives. Everything ever sent must still be taken, because the topics are
replayed from the start: nothing may get *narrower*. And what we send must still be what was published, because others
read it, and because an older tracker reads what a newer intake writes while a deployment goes on: of the events that we
write nothing may get *wider* either. An optional field more is neither: readers ignore what they do not know.

What cannot be judged is refused, so that a keyword that is new here is looked at by somebody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final

Schema = Mapping[str, Any]

_SAYS_NOTHING: Final = {"$comment", "$defs", "$schema", "default", "deprecated", "description", "examples", "title"}
_LOOKED_INTO: Final = {"type", "enum", "const", "properties", "required", "additionalProperties", "items"}
_AT_LEAST: Final = {"minLength", "minItems", "minimum", "exclusiveMinimum"}
_AT_MOST: Final = {"maxLength", "maxItems", "maximum", "exclusiveMaximum"}
_FORMS: Final = {"format", "multipleOf", "pattern"}
_ANYTHING: Final = "anything"
_NOT_THERE: Final = object()
_THE_EVENT: Final = "the event"


class Gets(Enum):
    """Whom a change breaks."""

    NARROWER = auto()  #: what was sent before may not be taken any more
    WIDER = auto()  #: those who read the published version may meet what they do not know
    OTHER = auto()  #: both, or it cannot be judged


Change = tuple[Gets, str, str]


def breaking_changes(published: Schema, current: Schema, *, written: bool) -> Sequence[str]:
    """Every change between them that breaks somebody, a sentence each; none when all may go on.

    Args:
        published: The schema that others have.
        current: The schema of the model as it is now.
        written: Whether we write such events, or only take them.

    Raises:
        RecursionError: for a schema that refers to itself; none of ours does.
    """
    found = _compare(_whole(published, published), _whole(current, current), _THE_EVENT)
    return [f"{where} {said}." for gets, where, said in found if written or gets is not Gets.WIDER]


def _compare(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    before, after = _by_type(old), _by_type(new)
    if before is None or after is None:
        if old != new:
            yield Gets.OTHER, where, "is of a form that cannot be compared, and has changed"
        return
    if _ANYTHING in before or _ANYTHING in after:
        if _ANYTHING not in after:
            yield Gets.NARROWER, where, f"took anything, and now takes {_listed(after)} only"
        elif _ANYTHING not in before:
            yield Gets.WIDER, where, f"was {_listed(before)}, and may now be anything"
        return
    if not set(before) & set(after):
        yield Gets.OTHER, where, f"was {_listed(before)}, and is now {_listed(after)}"
        return
    if gone := [name for name in before if name not in after]:
        yield Gets.NARROWER, where, f"no longer takes {_listed(gone)}"
    if come := [name for name in after if name not in before]:
        yield Gets.WIDER, where, f"may now be {_listed(come)}"
    for name in before:
        if name in after:
            yield from _compare_within(before[name], after[name], where)


def _compare_within(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    """What is of one type."""
    yield from _compare_values(old, new, where)
    yield from _compare_fields(old, new, where)
    if "items" in old or "items" in new:
        yield from _compare(old.get("items", {}), new.get("items", {}), f"{where}[]")
    for keyword in sorted({*old, *new} - _SAYS_NOTHING - _LOOKED_INTO):
        before, after = old.get(keyword), new.get(keyword)
        if before != after:
            yield _gets(keyword, before, after), where, f"had the {keyword} {before}, and has now {after}"


def _gets(keyword: str, before: Any, after: Any) -> Gets:
    if keyword in _AT_LEAST | _AT_MOST | _FORMS and after is None:
        return Gets.WIDER
    if keyword in _AT_LEAST:
        return Gets.NARROWER if before is None or after > before else Gets.WIDER
    if keyword in _AT_MOST:
        return Gets.NARROWER if before is None or after < before else Gets.WIDER
    return Gets.OTHER


def _compare_values(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    before, after = _values(old), _values(new)
    if before is None or after is None:
        if after is not None:
            yield Gets.NARROWER, where, f"took any value, and now takes {_listed(after)} only"
        elif before is not None:
            yield Gets.WIDER, where, f"was {_listed(before)}, and may now be any other"
        return
    if gone := [value for value in before if value not in after]:
        yield Gets.NARROWER, where, f"no longer takes {_listed(gone)}"
    if come := [value for value in after if value not in before]:
        yield Gets.WIDER, where, f"may now be {_listed(come)}, which its readers do not know"


def _compare_fields(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed_before, needed_after = set(old.get("required", ())), set(new.get("required", ()))
    was_open, is_open = old.get("additionalProperties", True), new.get("additionalProperties", True)
    for name in before:
        field = _below(where, name)
        if name not in after:
            yield Gets.OTHER, field, "is gone: a field is never removed or renamed"
            continue
        if name in needed_after - needed_before:
            yield Gets.NARROWER, field, "could be left out, and is now required"
        elif name in needed_before - needed_after:
            yield Gets.WIDER, field, "was always there, and may now be left out"
        elif name not in needed_before:
            yield from _compare_defaults(before[name], after[name], field)
        yield from _compare(before[name], after[name], field)
    for name in (name for name in after if name not in before):
        field = _below(where, name)
        if name in needed_after:
            yield Gets.NARROWER, field, "is new and required: what was sent before has not got it"
        if was_open is False:
            yield Gets.WIDER, field, "is new where readers were told that nothing else would come"
    if was_open != is_open:
        if was_open is True and is_open is False:
            yield Gets.NARROWER, where, "ignored fields that it does not know, and now refuses them"
        elif was_open is False and is_open is True:
            yield Gets.WIDER, where, "had no fields but those told, and may now have others"
        else:
            yield Gets.OTHER, where, "has changed in what its further fields may be"


def _compare_defaults(old: Schema, new: Schema, where: str) -> Iterator[Change]:
    before, after = old.get("default", _NOT_THERE), new.get("default", _NOT_THERE)
    if before != after:
        said = ["nothing" if one is _NOT_THERE else _listed([one]) for one in (before, after)]
        yield Gets.OTHER, where, f"meant {said[0]} where it was left out, and would now mean {said[1]}"


def _by_type(schema: Schema) -> Mapping[str, Schema] | None:
    """The things that a schema takes, by type; none where it takes one type in several forms, or none can be seen."""
    found: dict[str, Schema] = {}
    for one in _alternatives(schema):
        kinds = one.get("type") if set(one) - _SAYS_NOTHING else _ANYTHING
        for kind in [kinds] if isinstance(kinds, str) else kinds or [None]:
            if kind is None or kind in found:
                return None
            found[kind] = one
    return found


def _alternatives(schema: Schema) -> Iterator[Schema]:
    if "anyOf" not in schema:
        yield schema
        return
    # What stands beside them holds for all of them; our models put nothing there that narrows.
    if set(schema) - _SAYS_NOTHING - {"anyOf"}:
        yield {"type": None}
    for one in schema["anyOf"]:
        yield from _alternatives(one)


def _values(schema: Schema) -> Sequence[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _whole(part: Any, root: Schema) -> Any:
    """The part with every reference replaced by what it refers to."""
    match part:
        case {"$ref": str(reference), **others}:
            return _whole({**root["$defs"][reference.removeprefix("#/$defs/")], **others}, root)
        case dict():
            return {name: _whole(value, root) for name, value in part.items() if name != "$defs"}
        case list():
            return [_whole(value, root) for value in part]
        case _:
            return part


def _below(where: str, name: str) -> str:
    return name if where == _THE_EVENT else f"{where}.{name}"


def _listed(names: Any) -> str:
    return ", ".join("null" if name is None else str(name) for name in names)
