"""How far behind a reader is, from looks at where it stands and where what it reads ends. Pure: the time is given.

A quiet topic is never behind. One whose reader stands still while something waits has a reader that is stuck, and a
process with such a reader had better end and be started again than go on looking alive.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: A reader that has stood still for this long while something waits is told as not ready, and then given up.
SLOW_SECONDS: Final = 30.0
STUCK_SECONDS: Final = 60.0
#: An outage that was met as one is waited out. Not for ever: what looks like one may be ours.
OUTAGE_SECONDS: Final = 600.0
#: How often a running process looks.
LOOK_SECONDS: Final = 5.0
_LOOKS_KEPT: Final = 500


class Stuck(Exception):
    """Something waits and nothing moves: this process cannot mend it, the one started after it may."""


@dataclass(frozen=True, slots=True)
class Still:
    """A place that has not moved while something waited there."""

    place: str
    waiting: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.place} has not moved for {self.seconds:.0f} s, with {self.waiting} waiting"


@dataclass(frozen=True, slots=True)
class Lag:
    """What waits, over all places, and for how long the first of it has been seen waiting."""

    messages: int
    seconds: float


@dataclass(slots=True)
class _Place:
    position: int
    moved_at: float
    end: int
    #: When each end beyond the position was first seen: the first of them says since when something has waited.
    ends_seen: list[tuple[float, int]]


class Behind:
    """Remembers the looks that matter."""

    def __init__(self) -> None:
        self._places: dict[str, _Place] = {}

    def look(self, now: float, places: Mapping[str, tuple[int, int]]) -> None:
        """Take in where the reader stands and where each place ends (``now`` is monotonic, in seconds).

        A place that is no longer among them, because another process reads it now, is forgotten.
        """
        self._places = {name: self._seen(name, now, *spans) for name, spans in places.items()}

    def excuse(self, now: float) -> None:
        """It could not be looked at until now: nobody knows that it stood still."""
        for place in self._places.values():
            place.moved_at = now

    def lag(self, now: float) -> Lag:
        since = [place.ends_seen[0][0] for place in self._places.values() if place.ends_seen]
        waiting = sum(max(place.end - place.position, 0) for place in self._places.values())
        return Lag(waiting, now - min(since) if since else 0.0)

    def still(self, now: float) -> Still | None:
        """The place where something has waited longest without anything moving; none where nothing waits."""
        found = [
            Still(name, place.end - place.position, now - place.moved_at)
            for name, place in sorted(self._places.items())
            if place.end > place.position
        ]
        return max(found, key=lambda still: still.seconds, default=None)

    def _seen(self, name: str, now: float, position: int, end: int) -> _Place:
        place = self._places.get(name)
        # With nothing to do there was nowhere to move.
        stood = place is not None and place.position == position and place.end > position
        moved_at = place.moved_at if place is not None and stood else now
        ends = [seen for seen in (place.ends_seen if place else ()) if seen[1] > position]
        if end > position and (not ends or end > ends[-1][1]):
            ends.append((now, end))
        if len(ends) > _LOOKS_KEPT:
            # The oldest stays; between the others some precision is lost.
            del ends[1::2]
        return _Place(position, moved_at, end, ends)
