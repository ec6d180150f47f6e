"""Time, asked for in one place so that a test can say what time it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]

_LOCAL = ZoneInfo("Europe/London")


def utc_now() -> datetime:
    """Now, in UTC, to the microsecond."""
    return datetime.now(UTC)


def local_day(moment: datetime) -> date:
    """The calendar day in the councils' time zone: what "today" means to someone who states a figure."""
    return moment.astimezone(_LOCAL).date()


def local_time(moment: datetime) -> datetime:
    """A moment as the clocks on the councils' walls show it."""
    return moment.astimezone(_LOCAL)


def end_of_local_day(day: date) -> datetime:
    """The last microsecond of a day in the councils' time zone: "known on the 26th" includes all of the 26th."""
    midnight_after = datetime.combine(day + timedelta(days=1), time.min, _LOCAL)
    return midnight_after.astimezone(UTC) - timedelta(microseconds=1)


def moment_text(moment: datetime) -> str:
    """``2026-11-21T03:20:00.123456Z``: the one text of a moment, in the database and wherever it is hashed."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"
