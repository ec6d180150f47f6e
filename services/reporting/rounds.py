"""A reporting round and its coverage: which of the returns expected have come, and what stands from before. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from services.reporting.notes import listed, written_day
from shared.clock import local_day
from shared.figures import PARTNERSHIP, Stream, WorkstreamCode
from shared.partnership import Council, Partnership


class Presence(StrEnum):
    """What has come of a return that a round expects."""

    ON_TIME = "on_time"
    LATE = "late"
    CARRIED_FORWARD = "carried_forward"  # none has come; a figure from before the round stands
    MISSING = "missing"  # none has come, and no figure stands


@dataclass(frozen=True, slots=True)
class Round:
    """A reporting period: the days on which it opens, is due and closes, all included, and the streams expected."""

    number: int
    name: str
    opens: date
    due: date
    closes: date
    made_at: datetime
    expected: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class StreamCoverage:
    """A stream that a round expects. ``received_on`` is the day of the first return in it, where one has come."""

    stream: Stream
    presence: Presence
    received_on: date | None


@dataclass(frozen=True, slots=True)
class RoundCoverage:
    """What has come of all that a round expects."""

    partnership: Partnership
    round: Round
    streams: tuple[StreamCoverage, ...]

    @property
    def counts(self) -> Mapping[Presence, int]:
        """How many of the expected streams there are of each presence; every presence is there."""
        found = [each.presence for each in self.streams]
        return {presence: found.count(presence) for presence in Presence}

    @property
    def received(self) -> int:
        return self.counts[Presence.ON_TIME] + self.counts[Presence.LATE]

    @property
    def carried_forward(self) -> frozenset[Stream]:
        """The streams whose figures stand from before the round, because none has come in it."""
        return frozenset(each.stream for each in self.streams if each.presence is Presence.CARRIED_FORWARD)

    @property
    def text(self) -> str:
        """The line of the round under the table, without its full stop."""
        counts = self.counts
        late, carried, missing = (
            counts[presence] for presence in (Presence.LATE, Presence.CARRIED_FORWARD, Presence.MISSING)
        )
        parts = [
            f"in the round {self.round.name}, due {written_day(self.round.due)}, {self.received} of "
            f"{len(self.streams)} returns {_has(self.received)} come"
            + (f", {late} of them after the due date" if late else ""),
            f"{carried} {'is' if carried == 1 else 'are'} carried forward from before it" if carried else "",
            f"{missing} {_has(missing)} no figure at all" if missing else "",
        ]
        names = [
            self.partnership.workstream_by_code[each.stream.workstream].name
            for each in self.streams
            if each.presence is Presence.CARRIED_FORWARD and each.stream.scope == PARTNERSHIP
        ]
        whose = f". The partnership figures carried forward are those of {listed(names)}" if names else ""
        return "; ".join(part for part in parts if part) + whose


def coverage_of(
    partnership: Partnership,
    round_: Round,
    first_received: Mapping[Stream, datetime],
    stated: AbstractSet[Stream],
) -> RoundCoverage:
    """The coverage of a round.

    ``first_received`` is when the first return of each stream in the round was recorded; ``stated`` are the streams in
    which a figure stands. Streams that the partnership's file no longer names are left out.
    """
    return RoundCoverage(
        partnership,
        round_,
        tuple(
            _stream_coverage(round_, stream, first_received.get(stream), stream in stated)
            for stream in _in_order(partnership, round_.expected)
        ),
    )


def open_round(rounds: Iterable[Round], moment: datetime) -> Round | None:
    """The round that is open at a moment: of those then made, the last whose days include it."""
    day = local_day(moment)
    found = [each for each in rounds if each.opens <= day <= each.closes and each.made_at <= moment]
    return max(found, key=lambda each: each.number, default=None)


def expected_by_default(partnership: Partnership, opens: date, closes: date) -> Sequence[Stream]:
    """Every workstream's partnership figure, and the share of each council that exists while the round is open."""
    there = [council for council in partnership.councils if _exists_between(council, opens, closes)]
    return [
        Stream(WorkstreamCode(workstream.code), scope)
        for workstream in partnership.workstreams
        for scope in (PARTNERSHIP, *(council.scope for council in there))
    ]


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _exists_between(council: Council, first: date, last: date) -> bool:
    return (council.starts or date.min) <= last and (council.ends or date.max) >= first


def _stream_coverage(round_: Round, stream: Stream, received: datetime | None, is_stated: bool) -> StreamCoverage:
    if received is None:
        return StreamCoverage(stream, Presence.CARRIED_FORWARD if is_stated else Presence.MISSING, None)
    day = local_day(received)
    return StreamCoverage(stream, Presence.ON_TIME if day <= round_.due else Presence.LATE, day)


def _in_order(partnership: Partnership, streams: Iterable[Stream]) -> Sequence[Stream]:
    """In the order of the table: by workstream, the partnership's figure before the councils' shares."""
    workstreams = {workstream.code: place for place, workstream in enumerate(partnership.workstreams)}
    scopes = {PARTNERSHIP: -1} | {council.scope: place for place, council in enumerate(partnership.councils)}
    named = [stream for stream in streams if stream.workstream in workstreams and stream.scope in scopes]
    return sorted(named, key=lambda stream: (workstreams[stream.workstream], scopes[stream.scope]))
