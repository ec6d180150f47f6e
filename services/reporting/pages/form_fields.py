"""What the forms of the pages have in common: what is wrong with what was entered, and days in three fields."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from services.reporting.sent_forms import SentForm

#: A day as it stands in a form: day, month and year, as entered.
DayParts = tuple[str, str, str]

NO_DAY: Final[DayParts] = ("", "", "")
_PARTS: Final = ("day", "month", "year")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong: in which field, if in one, and what to do about it."""

    text: str
    field: str | None = None


def day_parts(form: SentForm, name: str) -> DayParts:
    day, month, year = (form.text(f"{name}-{part}") for part in _PARTS)
    return day, month, year


def parts_of(day: date) -> DayParts:
    return str(day.day), str(day.month), str(day.year)


def read_day(form: SentForm, name: str, what: str, problems: list[Problem]) -> date | None:
    """The day in a field; ``None`` where nothing was entered, or no day, which is added to the problems."""
    parts = day_parts(form, name)
    if not any(parts):
        return None
    try:
        if not all(part.isascii() and part.isdecimal() for part in parts) or not 1900 <= int(parts[2]) < 2200:
            raise ValueError
        return date(int(parts[2]), int(parts[1]), int(parts[0]))
    except ValueError:
        problems.append(Problem(f"Enter {what} as a day, a month and a year, such as 26 1 2012", name))
        return None


def needed_day(form: SentForm, name: str, what: str, problems: list[Problem]) -> date | None:
    """As :func:`read_day`, of a day that may not be left out."""
    if not any(day_parts(form, name)):
        problems.append(Problem(f"Enter {what}", name))
    return read_day(form, name, what, problems)
