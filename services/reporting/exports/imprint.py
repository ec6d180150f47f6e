"""What every file of the table says of itself: which edition it is, as at when, and the hash to check it by. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from services.reporting.notes import written_day
from shared.clock import local_day

#: The day stamped on a file for which nothing says when it was known: a file is the same bytes whenever it is made.
_NO_DAY: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Imprint:
    """The edition or draft a file was made from.

    ``title`` is its name (``Cabinet, 26 January 2012``, or ``Draft``), ``state`` what it is (``Edition 3``, or ``Draft,
    not published``); ``digest`` is the hash of what was frozen, in hexadecimal; ``notes`` are
    what the office wrote for it.
    """

    title: str
    state: str
    as_at: date | None = None
    known_at: datetime | None = None
    digest: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """``Cabinet, 26 January 2012 (Edition 3), as at 7 December 2011``; the hash stands in a line of its own."""
        return ", ".join(
            part
            for part in (
                f"{self.title} ({self.state})" if not self.state.startswith(self.title) else self.state,
                f"as at {written_day(self.as_at)}" if self.as_at else "",
                f"known at {written_day(local_day(self.known_at))}" if self.known_at else "",
            )
            if part
        )

    @property
    def digest_text(self) -> str:
        """``SHA-256 1f0c…``, to check a printed copy by; empty where nothing is frozen yet."""
        return f"SHA-256 {self.digest}" if self.digest else ""

    @property
    def made_at(self) -> datetime:
        """The moment a file gives as that of its making: never the clock's, so that the same table is the same bytes.

        Whole seconds, which is all that a file keeps.
        """
        if self.known_at is not None:
            return self.known_at.astimezone(UTC).replace(microsecond=0)
        if self.as_at is not None:
            return datetime(self.as_at.year, self.as_at.month, self.as_at.day, tzinfo=UTC)
        return _NO_DAY


@dataclass(frozen=True, slots=True)
class ChartPicture:
    """A chart as one picture: ``png`` at a density fit to print, what it says in words, and its caption.

    ``columns`` and ``rows`` are its figures as printed, the label of a row first: what stands beside the picture.
    """

    png: bytes
    alternative: str
    caption: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
