"""Time, asked for in one place so that a test can say what time it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]

_LOCAL = ZoneInfo("Europe/London")


def utc_now() -> datetime:
    """Now, in UTC, to the microsecond."""
    return datetime.now(UTC)


def local_day(moment: datetime) -> date:
    """The calendar day in the councils' time zone: what "today" means to someone who states a figure."""
    return moment.astimezone(_LOCAL).date()


def moment_text(moment: datetime) -> str:
    """``2026-11-21T03:20:00.123456Z``: the one text of a moment, in the database and wherever it is hashed."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
