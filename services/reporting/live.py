"""Telling who looks at the draft that it has moved, while it happens: streams of the ledger's version, and no more.

A stream holds the version it told last and nothing else. Whoever reads slowly, or not at all, misses versions that
newer ones have overtaken, and no memory is kept for them. What moved they ask for as at any other time.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from typing import Final

import structlog
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from services.reporting.store import LedgerVersion
from shared.database import DatabaseUnavailable
from shared.errors import TooMany, Unavailable
from shared.settings import Settings

#: The name of the event: the draft is no longer what it was.
MOVED: Final = "moved"
_RETRY_SECONDS: Final = 30

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what is done, in seconds."""

    #: A line that says nothing, so that no proxy takes the stream for dead; and whether the caller may still read it.
    heartbeat: float = 15
    #: The ledger is asked for its version, for another process may fold what this one does not see.
    poll: float = 1
    #: What moves within this time is told at once.
    gather: float = 0.5


class Live:
    """The open streams of a process, and the one task that feeds them all, :meth:`run`.

    Where nothing runs it, a stream tells the version of the moment and ends.
    """

    def __init__(
        self, newest: Callable[[], Awaitable[LedgerVersion]], settings: Settings, pace: Pace | None = None
    ) -> None:
        self._newest = newest
        self._limit = settings.streams_in_all
        self._limit_per_caller = settings.streams_per_caller
        self._stream_seconds = settings.stream_seconds
        self.pace = pace or Pace()
        self._open: Counter[str] = Counter()
        self._version: LedgerVersion | None = None
        self._is_running = False
        self._moved = asyncio.Event()
        self._nudged = asyncio.Event()
        self._wanted = asyncio.Event()

    @property
    def open_count(self) -> int:
        """How many streams are open in this process."""
        return self._open.total()

    def nudge(self) -> None:
        """Something has been folded here: look now, not at the next poll."""
        self._nudged.set()

    def close(self) -> None:
        """End every stream: the process is to stop, and they would hold it up. Browsers come back of themselves."""
        self._is_running = False
        self._wake()

    async def enter(self, caller: str) -> None:
        """Take a place for a stream of this caller; :meth:`leave` gives it back.

        Raises:
            TooMany: where the caller has as many open as one caller may.
            Unavailable: where the process has as many open as it takes, or the ledger cannot be read.
        """
        if self._open[caller] >= self._limit_per_caller:
            raise TooMany(f"{caller} has {self._limit_per_caller} streams open already.", _RETRY_SECONDS)
        if self.open_count >= self._limit:
            raise Unavailable(
                f"{self._limit} streams are open already, which is all there may be.",
                "Try again later; the table itself answers as always.",
            )
        self._open[caller] += 1
        self._wanted.set()
        try:
            self._see(await self._newest())
        except BaseException:
            self.leave(caller)
            raise

    def leave(self, caller: str) -> None:
        self._open[caller] -= 1
        if not self._open[caller]:
            del self._open[caller]
        if not self._open:
            self._wanted.clear()

    async def run(self) -> None:
        """Watch the ledger's version while anybody listens, until cancelled. A database that is away is waited for."""
        self._is_running = True
        try:
            while True:
                await self._wanted.wait()
                self._nudged.clear()
                with suppress(DatabaseUnavailable):
                    self._see(await self._newest())
                await asyncio.sleep(self.pace.gather)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self.pace.poll):
                        await self._nudged.wait()
        finally:
            self.close()

    async def stream(self, told: str | None, may_still_read: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """Server-sent events, each with the version as its id, from the one after ``told`` on.

        It ends after a while, when the caller may no longer read it, and when the process stops.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._stream_seconds
        asked_at = loop.time()
        while True:
            moved, version = self._moved, self._version
            if version is not None and told != id_of(version):
                told = id_of(version)
                yield _event(version)
            else:
                # At the start too: it takes a first byte for a browser to know that the stream is open.
                yield KEEPALIVE_COMMENT
            wait_seconds = min(self.pace.heartbeat, ends_at - loop.time())
            if wait_seconds <= 0 or not self._is_running:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_seconds):
                    await moved.wait()
            if loop.time() - asked_at >= self.pace.heartbeat:
                asked_at = loop.time()
                if not await _answer_or_no(may_still_read):
                    return

    def _see(self, version: LedgerVersion) -> None:
        if version != self._version:
            self._version = version
            self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


def id_of(version: LedgerVersion) -> str:
    """The version as one word, different in a read model that was built again."""
    return "-".join(str(part) for part in astuple(version))


def _event(version: LedgerVersion) -> bytes:
    return format_sse_event(event=MOVED, id=id_of(version), data_str=json.dumps({"version": version.number}))


async def _answer_or_no(may_still_read: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await may_still_read()
    except DatabaseUnavailable as error:
        # Nobody can say just now: the stream ends, and at its next opening the caller is asked in full.
        log.warning("live.cannot_ask", error=str(error))
        return False
