"""How often something may happen: a count for each name over a sliding minute, in the memory of one process."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 60


class Rate:
    """At most ``limit`` a minute of each name.

    Two counters a name, this minute's and the last one's, of which as much counts as still lies within sixty seconds.
    So what it takes does not grow with the limit, and names not seen for two minutes are forgotten.
    """

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._clock = clock
        self._minute = 0
        self._counts: Counter[str] = Counter()
        self._before: Counter[str] = Counter()

    def has_room(self, name: str) -> bool:
        """Whether one more may happen now."""
        minute, into = divmod(self._clock(), WINDOW_SECONDS)
        if minute != self._minute:
            self._before = self._counts if minute == self._minute + 1 else Counter()
            self._counts = Counter()
            self._minute = int(minute)
        still_counting = self._before[name] * (1 - into / WINDOW_SECONDS)
        return still_counting + self._counts[name] + 1 <= self.limit

    def count(self, name: str) -> None:
        """One more has happened."""
        self._counts[name] += 1

    def take(self, name: str) -> bool:
        """Count one more if there is room for it; whether there was."""
        if not self.has_room(name):
            return False
        self.count(name)
        return True
