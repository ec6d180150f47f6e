"""Sees to it that a process that is of no more use ends, so that whatever supervises it starts another.

It stands outside of the event loop, in a thread of its own: what blocks the loop, or keeps it from ending, blocks all
else.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
import sys
import threading
import time
from types import TracebackType
from typing import Final, Self

import structlog

#: A loop that has not come round for this long is blocked for good.
LOOP_SECONDS: Final = 60.0
#: From the word to end: longer than requests under way may take (savings.serving), shorter than a supervisor waits.
END_SECONDS: Final = 25.0
#: "Internal software error" in sysexits.h.
EXIT_CODE: Final = 70
_BEAT_SECONDS: Final = 1.0

log = structlog.get_logger(__name__)


class Guard:
    """Ends the process where its event loop is blocked, or where it does not end once it should.

    Use it around what a process does for all its life: it never lets go once :meth:`must_end` has been called.
    """

    def __init__(self, loop_seconds: float = LOOP_SECONDS, end_seconds: float = END_SECONDS) -> None:
        self._loop_seconds = loop_seconds
        self._end_seconds = end_seconds
        self._beaten_at = time.monotonic()
        self._ends_at: float | None = None
        self._beating: asyncio.TimerHandle | None = None
        self._left = threading.Event()

    def __enter__(self) -> Self:
        self._beat()
        threading.Thread(target=self._watch, name="guard", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._beating is not None:
            self._beating.cancel()
        if self._ends_at is None:
            self._left.set()

    def must_end(self) -> None:
        """From now on the process has so long to end in good order."""
        if self._ends_at is None:
            self._ends_at = time.monotonic() + self._end_seconds

    def _beat(self) -> None:
        self._beaten_at = time.monotonic()
        self._beating = asyncio.get_running_loop().call_later(_BEAT_SECONDS, self._beat)

    def _watch(self) -> None:
        while not self._left.wait(_BEAT_SECONDS):
            now = time.monotonic()
            if self._ends_at is not None:
                if now > self._ends_at:
                    _end("guard.does_not_end", self._end_seconds)
            elif now - self._beaten_at > self._loop_seconds:
                _end("guard.loop_blocked", now - self._beaten_at)


def _end(event: str, seconds: float) -> None:
    log.error(event, seconds=round(seconds))
    # Where every thread stands, by file and line; no values.
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)
    sys.stderr.flush()
    os._exit(EXIT_CODE)
