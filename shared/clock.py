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
