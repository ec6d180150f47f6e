"""Deciding returns one after the other, each with what those before it stated. Pure: the shell reads and writes.

A batch is decided in memory, in order, and written in one go; a single return is a batch of one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from services.intake.reading import shown
from services.intake.schemas import ANSWER, AccountOut, AnswerOut, FigureOut, LineOut, StatedByOut
from services.intake.stated_figures import StatedFigures
from services.intake.statement import Origin, Statement
from services.intake.submission import LineResult, Return, may_stand, results_of
from shared.errors import Fault, Forbidden, Refused, SavingsError
from shared.figures import Standing, Stream
from shared.partnership import Partnership
from shared.principal import Principal

_MOMENT: Final = timedelta(microseconds=1)
_DIFFERENCES_TOLD: Final = 20


@dataclass(frozen=True, slots=True)
class Head:
    """Where a stream stands: how many returns it has, when the last was recorded, and what that one said."""

    version: int
    recorded_at: datetime
    content_hash: bytes


@dataclass(frozen=True, slots=True)
class Kept:
    """A return that was accepted before: who stated it, what it said, and what was answered."""

    id: str
    stated_by: str
    content: str
    answer: str


@dataclass
class Known:
    """What has to be known to decide the returns at hand. Deciding one makes it known to those after it."""

    heads: dict[Stream, Head] = field(default_factory=dict)
    #: By who stated it and under which idempotency key.
    by_key: dict[tuple[str, str], Kept] = field(default_factory=dict)
    #: The last return of a stream, where one at hand says the same as it.
    last: dict[Stream, Kept] = field(default_factory=dict)
    figures: StatedFigures = field(default_factory=StatedFigures)


@dataclass(frozen=True)
class Accepted:
    """A return that may stand, with its place in its stream."""

    id: str
    version: int
    recorded_at: datetime
    by: Principal
    origin: Origin
    key: str | None
    return_: Return
    content: str
    results: tuple[LineResult, ...]
    answer: str
    #: The accounts of which this is the first figure ever.
    new_accounts: frozenset[str]


@dataclass(frozen=True)
class Replayed:
    """A return that was accepted before; it is answered as it was then."""

    kept: Kept
    return_: Return

    @property
    def id(self) -> str:
        return self.kept.id

    @property
    def answer(self) -> str:
        return self.kept.answer


@dataclass(frozen=True)
class NotTaken:
    """A return that may not stand, and why."""

    error: SavingsError


Decision: TypeAlias = Accepted | Replayed | NotTaken


def content_hash(content: str) -> bytes:
    return hashlib.sha256(content.encode()).digest()


@dataclass
class Deciding:
    """Decides returns; ``now`` and the ids are the shell's, as is what is known at first."""

    known: Known
    partnership: Partnership
    now: datetime
    new_id: Callable[[datetime], str]
    #: When the last return of a request was recorded, by who states and the request's id.
    _last_of: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def decide(self, statements: Sequence[Statement]) -> list[Decision]:
        """Decide each return in turn; what one states is known to those after it."""
        decisions: list[Decision] = []
        for statement in statements:
            decision = self._decide(statement)
            if isinstance(decision, Accepted):
                self._make_known(decision)
                self._last_of[_request_of(statement)] = decision.recorded_at
            decisions.append(decision)
        return decisions

    def _decide(self, statement: Statement) -> Decision:
        reading, by = statement.reading, statement.by
        # The order of the checks: can it be read; is it the right form; may you say it; each line; the lines together.
        if reading.error is not None:
            return NotTaken(reading.error)
        return_, content = reading.return_, reading.content
        if return_ is None or content is None:
            return NotTaken(refusal([*reading.faults, *self._faults_of_what_is_left(return_, by)]))
        try:
            by.require_may_state(return_.stream, self.partnership)
        except Forbidden as error:
            return NotTaken(error)
        if reading.key is not None:
            kept = self.known.by_key.get((by.name, reading.key))
        else:
            kept = self._said_last(return_, content, by)
        if kept is not None:
            return _stated_before(kept, return_, content, statement)
        if faults := may_stand(return_, self.known.figures, self.partnership):
            return NotTaken(refusal(faults))
        return self._accept(statement, return_, content)

    def _faults_of_what_is_left(self, left: Return | None, by: Principal) -> Sequence[Fault]:
        if left is None or not by.may_state(left.stream, self.partnership):
            return ()
        return may_stand(left, self.known.figures, self.partnership, whole=False)

    def _said_last(self, return_: Return, content: str, by: Principal) -> Kept | None:
        """The last return of the stream, where it is this very one from the same sender.

        Nothing has been stated since, so to state it again says nothing new.
        """
        last = self.known.last.get(return_.stream)
        return last if last is not None and (last.stated_by, last.content) == (by.name, content) else None

    def _accept(self, statement: Statement, return_: Return, content: str) -> Accepted:
        head = self.known.heads.get(return_.stream)
        version = 1 if head is None else head.version + 1
        # Within a stream recorded times only rise, whatever the clock does: "known at" depends on it. And the returns
        # of a batch are listed in its order. What others state beside them is theirs, and moves no time of these.
        last = self._last_of.get(_request_of(statement))
        after = [moment + _MOMENT for moment in (head.recorded_at if head else None, last) if moment is not None]
        recorded_at = max(self.now, *after) if after else self.now
        results = results_of(return_, self.known.figures)
        answer = AnswerOut(
            id=self.new_id(recorded_at),
            workstream=return_.stream.workstream,
            scope=return_.stream.scope,
            version=version,
            as_at=return_.as_at,
            recorded_at=recorded_at,
            stated_by=StatedByOut.of(statement.by),
            lines=lines_out(results),
        )
        return Accepted(
            id=answer.id,
            version=version,
            recorded_at=recorded_at,
            by=statement.by,
            origin=statement.origin,
            key=statement.reading.key,
            return_=return_,
            content=content,
            results=tuple(results),
            answer=ANSWER.dump_json(answer).decode(),
            new_accounts=frozenset(line.key for line in return_.lines if self.known.figures.is_new(line.key)),
        )

    def _make_known(self, accepted: Accepted) -> None:
        stream = accepted.return_.stream
        kept = Kept(accepted.id, accepted.by.name, accepted.content, accepted.answer)
        self.known.heads[stream] = Head(accepted.version, accepted.recorded_at, content_hash(accepted.content))
        self.known.last[stream] = kept
        if accepted.key is not None:
            self.known.by_key[accepted.by.name, accepted.key] = kept
        standing = Standing(accepted.return_.as_at, accepted.version)
        for line in accepted.return_.lines:
            self.known.figures.add(line.account, line.key, standing, line.figure)
        # No two are recorded at the same moment.
        self.now += _MOMENT


def _request_of(statement: Statement) -> tuple[str, str]:
    return statement.by.name, statement.origin.request_id


def refusal(faults: Sequence[Fault]) -> Refused:
    """The refusal of a return for all that is wrong with it."""
    number = len(faults)
    said = f"{number} thing{'s are' if number > 1 else ' is'} wrong with the return; nothing of it was kept."
    return Refused(said, faults)


def _stated_before(kept: Kept, return_: Return, content: str, statement: Statement) -> Decision:
    if kept.content == content:
        return Replayed(kept, return_)
    key, first_said = statement.reading.key, json.loads(kept.content)
    if not statement.by.may_see(first_said["scope"]):
        # Two keys may have come to the same name: of another council's share neither its figures nor its id is told.
        said = f"The key '{key}' is in use: another return was stated under it before."
        return NotTaken(refusal([Fault("", "idempotency-key-reused", said, "Give this return a key of its own.")]))
    # A return kept under an earlier form lacks the fields that came since: left out, they say the same as null.
    differences = list(_differences(json.loads(content), first_said))
    if not differences:
        return Replayed(kept, return_)
    faults = [
        Fault(
            pointer,
            "idempotency-key-reused",
            f"The key '{key}' stands for return {kept.id}, which says something else here.",
            "Give a new return a new key; to repeat the first one, send exactly what it said.",
            shown(now),
            shown(first),
        )
        for pointer, now, first in differences[:_DIFFERENCES_TOLD]
    ]
    return NotTaken(refusal(faults))


def _differences(now: Any, first: Any, pointer: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Where two documents differ, with what stands there in each."""
    match now, first:
        case dict(), dict():
            for name in now:
                yield from _differences(now[name], first.get(name), f"{pointer}/{name}")
        case list(), list():
            for place in range(max(len(now), len(first))):
                one, other = (part[place] if place < len(part) else None for part in (now, first))
                yield from _differences(one, other, f"{pointer}/{place}")
        case _ if now != first:
            yield pointer, now, first
        case _:
            pass


def lines_out(results: Sequence[LineResult]) -> list[LineOut]:
    return [
        LineOut(
            line=result.line.place,
            account=AccountOut.of(result.line.account),
            status=result.line.figure.status,
            amount=result.line.figure.amount_pence,
            previous=None if result.previous is None else FigureOut.of(result.previous),
            movement=result.movement_pence,
            stands=result.stands,
        )
        for result in results
    ]
