"""Is it the right form? From a JSON document to a return, or everything that is wrong with its form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from services.intake.reading import JsonNumber, goes_too_deep, kind_of, nested_too_deep, pointer_to, shown
from services.intake.schemas import KEY_PATTERN, LINES_LIMIT, LineIn, ReturnIn, SourceIn
from services.intake.submission import Line, Return, Source
from services.intake.vocabulary import Vocabulary
from shared.errors import Fault, SavingsError, TooLarge, Unreadable
from shared.figures import Account, Figure, Stream

#: What a return comes to, written out in full. The event that carries it must fit a message of the bus.
RETURN_BYTES_LIMIT: Final = 1_250_000
#: So many faults of one return are told; one with more than ten times as many is no return at all.
FAULTS_TOLD: Final = 2_000

#: Stands for a reason that could not be read, so that its lines are not told that they lack one. It is never kept.
_SOME_REASON: Final = "(cannot be read)"
_PATTERN_OF_KEY: Final = re.compile(KEY_PATTERN)


@dataclass(frozen=True)
class Reading:
    """What could be read of one return that came in, and what is wrong with its form.

    ``content`` is the canonical text of the whole return: two returns with the same content say the same, however
    they were written. It is there exactly when nothing is wrong. ``return_`` is there whenever it is known who would
    be stating what as at when; where ``faults`` tells of faulty lines, it has the others.
    """

    return_: Return | None = None
    content: str | None = None
    faults: tuple[Fault, ...] = ()
    #: Why it could not even be looked at.
    error: SavingsError | None = None
    key: str | None = None

    @property
    def is_fine(self) -> bool:
        return self.content is not None


def read_return(document: object, vocabulary: Vocabulary, today: date, key: str | None = None) -> Reading:
    """Read the form of a return; nothing is raised, what is wrong comes back with it."""
    if not isinstance(document, dict):
        return Reading(error=_no_return(f"A return is a JSON object; here stands {kind_of(document)}."), key=key)
    bounds = vocabulary.bounds(document.get("workstream"), today)
    try:
        form = ReturnIn.model_validate(document, context=bounds)
    except ValidationError as error:
        if goes_too_deep(document):
            return Reading(error=nested_too_deep(), key=key)
        if error.error_count() > 10 * FAULTS_TOLD:
            return Reading(error=_no_return(f"{error.error_count():,} things are wrong with it."), key=key)
        found = error.errors(include_url=False)
        places, rest = _what_is_left(document, found)
        left = _return_of(ReturnIn.model_validate(rest, context=bounds), places) if places else None
        return Reading(left, None, tuple(_faults_of(found)), key=key)
    content = form.model_dump_json()
    if len(content.encode()) > RETURN_BYTES_LIMIT:
        said = f"The return comes to more than {RETURN_BYTES_LIMIT:,} bytes."
        return Reading(error=TooLarge(said, "Send its lines in several returns."), key=key)
    return Reading(_return_of(form, range(len(form.lines))), content, key=key)


def read_item(document: object, vocabulary: Vocabulary, today: date, key_without_own: str | None) -> Reading:
    """Read a return of a batch, which may have a key of its own."""
    if not isinstance(document, dict) or "idempotency_key" not in document:
        return read_return(document, vocabulary, today, key_without_own)
    rest = {name: value for name, value in document.items() if name != "idempotency_key"}
    key = document["idempotency_key"]
    if key is None:
        return read_return(rest, vocabulary, today, key_without_own)
    if isinstance(key, str) and _PATTERN_OF_KEY.fullmatch(key):
        return read_return(rest, vocabulary, today, key)
    reading = read_return(rest, vocabulary, today)
    return Reading(reading.return_, None, (invalid_key("/idempotency_key", key), *reading.faults), reading.error)


def invalid_key(pointer: str, key: object) -> Fault:
    """What is told of an idempotency key that cannot be taken."""
    return Fault(
        pointer,
        "invalid-key",
        "The idempotency key is not 1 to 200 printable ASCII characters.",
        "Use a UUID, or the reference of the return in your system.",
        shown(key),
        KEY_PATTERN,
    )


def _no_return(said: str) -> Unreadable:
    return Unreadable(said, "Send an object with workstream, scope, as_at and lines.")


def _return_of(form: ReturnIn, places: Sequence[int]) -> Return:
    stream = Stream(form.workstream, form.scope)
    source = form.source
    return Return(
        stream=stream,
        as_at=form.as_at,
        lines=tuple(_line_of(line, stream, place) for place, line in zip(places, form.lines, strict=True)),
        reason=form.reason,
        update=form.update,
        source=Source() if source is None else Source(source.system, source.reference, source.file),
    )


def _line_of(line: LineIn, stream: Stream, place: int) -> Line:
    account = Account(
        scope=stream.scope,
        workstream=stream.workstream,
        initiative=line.initiative or "",
        year=line.year,
        basis=line.basis,
        benefit=line.benefit,
        recurrence=line.recurrence,
        flow=line.flow,
    )
    figure = Figure(line.status, line.amount, line.confidence)
    return Line(place, account, figure, line.cumulative, line.reason, line.note, line.cell)


def _what_is_left(
    document: Mapping[str, Any], errors: Sequence[ErrorDetails]
) -> tuple[Sequence[int], Mapping[str, Any]]:
    """The places of the lines that are well formed, and the document with these and no others and no other fault.

    It lets the rules about lines be told together with the faults of the form. No places where the lines are none to
    speak of, or where it is not known who would be stating what as at when.
    """
    faulty, faulty_lines = set(), set()
    for error in errors:
        match error["loc"]:
            case ("lines", int(place), *_):
                faulty_lines.add(place)
            case (name, *_):
                faulty.add(name)
            case _:
                return (), {}
    if faulty & {"workstream", "scope", "as_at", "lines"}:
        return (), {}
    places = [place for place in range(len(document["lines"])) if place not in faulty_lines]
    rest = {name: value for name, value in document.items() if name not in faulty}
    rest["lines"] = [document["lines"][place] for place in places]
    if "reason" in faulty:
        rest["reason"] = _SOME_REASON
    return places, rest


_MODELS: Final[Mapping[str, type[BaseModel]]] = {"": ReturnIn, "source": SourceIn, "lines": LineIn}


def _faults_of(errors: Sequence[ErrorDetails]) -> Iterator[Fault]:
    for error in errors[:FAULTS_TOLD]:
        yield _fault_of(error)
    if (more := len(errors) - FAULTS_TOLD) > 0:
        yield Fault("", "more-faults", f"{more:,} more things are wrong with its form.", "Mend these first.")


def _fault_of(error: ErrorDetails) -> Fault:
    """A fault of validation, in the words of the form."""
    loc, given, context = error["loc"], error["input"], error.get("ctx", {})
    name = str(loc[-1]) if loc else "return"
    pointer = pointer_to(*loc)
    where = f"'{shown(name)}'"

    def fault(code: str, detail: str, fix: str, allowed: object = None, *, give: bool = True) -> Fault:
        return Fault(pointer, code, detail, fix, shown(given) if give else None, allowed)

    match error["type"]:
        case "missing":
            means = _model_at(loc).model_fields[name].description
            return fault("missing-field", f"{where} is missing: {means}.", f"Add {where}.", give=False)
        case "extra_forbidden":
            fields = list(_model_at(loc).model_fields)
            close = get_close_matches(str(shown(name)), fields, n=1)
            fix = f"Did you mean '{close[0]}'?" if close else "Leave it out."
            return fault("unknown-field", f"There is no field {where} here.", fix, fields)
        case "enum":
            allowed = re.findall(r"'([^']*)'", context["expected"])
            if not isinstance(given, str):
                said = f"{where} is {kind_of(given)}; it is one of the words allowed."
                return fault("wrong-type", said, "Write one of them, in quotes, or leave it out.", allowed)
            close = get_close_matches(str(shown(given)), allowed, n=1)
            fix = f"Did you mean '{close[0]}'?" if close else "Write one of the words allowed."
            return fault("unknown-value", f"{where} cannot be '{shown(given)}'.", fix, allowed)
        case "string_type":
            said = f"{where} is {kind_of(given)}; it is written as text."
            return fault("wrong-type", said, "Write it in quotes." if isinstance(given, JsonNumber) else "Write text.")
        case "model_type" | "list_type":
            wanted = "a list" if error["type"] == "list_type" else "an object"
            return fault("wrong-type", f"Here stands {kind_of(given)}; it must be {wanted}.", f"Send {wanted}.")
        case "string_too_short":
            return fault("blank", f"{where} is blank.", f"Write something, or leave {where} out.")
        case "string_too_long":
            limit = context["max_length"]
            said = f"{where} has {len(given):,} characters, more than the {limit:,} it may have."
            return fault("too-long", said, "Shorten it.", f"at most {limit:,} characters")
        case "string_pattern_mismatch" | "string_unicode":
            said = f"{where} holds a control character, or half of a character."
            return fault("control-character", said, "Take it out; only text and, in longer texts, new lines are taken.")
        case "too_short":
            return fault("no-lines", "The return has no lines.", "State at least one line.", give=False)
        case "too_long":
            said = f"The return has {len(given):,} lines, more than the {LINES_LIMIT} it may have."
            return fault("too-many-lines", said, "Send them in several returns.", f"at most {LINES_LIMIT}")
        case code:
            # One of ours, from services.intake.vocabulary: it says all of it itself. A fault of the line as a whole
            # names the field.
            if field := context["field"]:
                pointer, given = f"{pointer}/{field}", given.get(field)
            return fault(code, context["detail"], context["fix"], context["allowed"])


def _model_at(loc: Sequence[int | str]) -> type[BaseModel]:
    return _MODELS[str(loc[0]) if len(loc) > 1 else ""]
