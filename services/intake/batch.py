"""Returns sent together: reading each of them, and refusing all where all or none was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from typing import Any, Final, assert_never

from services.intake.deciding import Accepted, Decision, NotTaken, Replayed
from services.intake.form import Reading, read_item
from services.intake.reading import kind_of, pointer_to, read_json, shown
from services.intake.schemas import ITEMS_LIMIT
from services.intake.vocabulary import Vocabulary
from shared.errors import Fault, Refused, Unreadable

#: So many faults are told in one answer; a batch with more of them in its form alone is not looked at further.
FAULTS_TOLD: Final = 10_000
_FIX: Final = 'Send {"submissions": [...]}, or the list alone.'


@dataclass(frozen=True)
class Batch:
    """The returns of a batch, and the pointer to the list in what was sent."""

    readings: tuple[Reading, ...]
    pointer: str


def read_batch(
    body: bytes, content_type: str | None, vocabulary: Vocabulary, today: date, key: str | None = None
) -> Batch:
    """Read a batch: ``{"submissions": [...]}`` or a bare list. What is wrong with a return stays with that return.

    A ``key`` for the whole batch stands for each return that has none of its own, with its place in the batch.

    Raises:
        WrongType, Unreadable: it is no batch at all.
        Refused: it is one, and cannot be taken as a whole.
    """
    documents, pointer = _documents(read_json(body, content_type))
    if not documents:
        fault = Fault(pointer, "no-items", "The batch has no returns.", "Send at least one return.")
        raise Refused("The batch is empty.", [fault])
    if len(documents) > ITEMS_LIMIT:
        said = f"The batch has {len(documents):,} returns, more than the {ITEMS_LIMIT} it may have."
        fix, allowed = "Send them in several batches.", f"at most {ITEMS_LIMIT}"
        raise Refused(said, [Fault(pointer, "too-many-items", said, fix, len(documents), allowed)])
    readings: list[Reading] = []
    faults = 0
    for place, document in enumerate(documents):
        readings.append(read_item(document, vocabulary, today, None if key is None else f"{key}/{place}"))
        faults += len(readings[-1].faults)
        if faults > FAULTS_TOLD:
            said = f"More than {FAULTS_TOLD:,} things are wrong with the batch; nothing of it was kept."
            raise Refused(said, _pointed([NotTaken(Refused("", r.faults)) for r in readings], pointer)[:FAULTS_TOLD])
    return Batch(tuple(readings), pointer)


def _documents(document: object) -> tuple[list[Any], str]:
    match document:
        case list():
            return document, ""
        case {"submissions": list() as listed, **others}:
            if others:
                raise Refused(
                    "The batch has fields that are not its own; nothing of it was kept.",
                    [_unknown_field(str(name)) for name in islice(others, FAULTS_TOLD)],
                )
            return listed, "/submissions"
        case dict():
            said = "'submissions' is missing, or is not a list."
            raise Refused(said, [Fault("/submissions", "missing-field", said, _FIX)])
        case _:
            raise Unreadable(f"A batch is a list of returns; here stands {kind_of(document)}.", _FIX)


def _unknown_field(name: str) -> Fault:
    said = f"There is no field '{shown(name)}' here."
    return Fault(pointer_to(name), "unknown-field", said, _FIX, allowed=["submissions"])


def all_or_none(decisions: Sequence[Decision], batch: Batch) -> None:
    """Raises: Refused, where one of the returns may not stand, with the faults of all, each by its place."""
    not_taken = sum(isinstance(decision, NotTaken) for decision in decisions)
    if not_taken:
        said = f"{not_taken} of the {len(decisions)} returns may not stand; none of them was kept."
        raise Refused(said, _pointed(decisions, batch.pointer)[:FAULTS_TOLD], "Mend those, and send them all again.")


def _pointed(decisions: Sequence[Decision], pointer: str) -> list[Fault]:
    faults: list[Fault] = []
    for place, decision in enumerate(decisions):
        match decision:
            case NotTaken(Refused(faults=found)):
                faults += [replace(fault, pointer=f"{pointer}/{place}{fault.pointer}") for fault in found]
            case NotTaken(error):
                faults.append(Fault(f"{pointer}/{place}", error.code, error.detail, error.fix or "Leave it out."))
            case Accepted() | Replayed():
                pass
            case _:
                assert_never(decision)
    return faults
