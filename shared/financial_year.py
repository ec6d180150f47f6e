"""The financial year of an English council: 1 April to 31 March, written ``2011/12``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

_WRITTEN = re.compile(r"(\d{4})/(\d{2})", re.ASCII)


@dataclass(frozen=True, order=True, slots=True)
class FinancialYear:
    """A year named by the calendar year in which it starts; orders by time."""

    starts_in: int

    @classmethod
    def parse(cls, text: str) -> FinancialYear:
        """Read ``2011/12``.

        Raises:
            ValueError: in words fit to show, when the text is not a year or its halves do not follow on.
        """
        match = _WRITTEN.fullmatch(text)
        if match is None:
            raise ValueError("a financial year is written like 2011/12")
        year = cls(int(match[1]))
        if not 1900 <= year.starts_in <= 2199:
            raise ValueError("a financial year starts between 1900 and 2199")
        if int(match[2]) != (year.starts_in + 1) % 100:
            raise ValueError(f"the year that starts in {year.starts_in} is written {year}")
        return year

    @classmethod
    def containing(cls, day: date) -> FinancialYear:
        """The financial year in which a day falls."""
        return cls(day.year if day >= date(day.year, 4, 1) else day.year - 1)

    @property
    def first_day(self) -> date:
        return date(self.starts_in, 4, 1)

    @property
    def last_day(self) -> date:
        return date(self.starts_in + 1, 3, 31)

    def has_ended_by(self, day: date) -> bool:
        """Whether the year's last day is that day or earlier: an actual is stated *as at* 31 March."""
        return self.last_day <= day

    def through(self, last: FinancialYear) -> Iterator[FinancialYear]:
        """Each year from this one to ``last``, both included."""
        return (FinancialYear(starts_in) for starts_in in range(self.starts_in, last.starts_in + 1))

    def __str__(self) -> str:
        return f"{self.starts_in}/{(self.starts_in + 1) % 100:02d}"
