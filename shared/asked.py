"""Reading the query of an address: parameter by parameter, and all that is wrong with it told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from shared.clock import end_of_local_day
from shared.errors import Fault, Refused

#: What may be asked, by name: a description and a JSON Schema each, as they stand in the OpenAPI document.
Parameters = Mapping[str, Mapping[str, Any]]

Choice = TypeVar("Choice", bound=StrEnum)

_MEND_DATE: Final = "Write the year, month and day as numbers: 2011-12-07."


def described(parameters: Parameters) -> dict[str, Any]:
    """The part of the OpenAPI document that tells these parameters of an address."""
    return {"parameters": [{"name": name, "in": "query", **told} for name, told in parameters.items()]}


class Asked:
    """The parameters of an address, read one by one; what is wrong with any of them is told with all the rest.

    A parameter that is left out, or empty, reads as ``None``, and so does one with a fault:
    ask :meth:`require_no_fault` before anything is made of them.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], known: Iterable[str]) -> None:
        self._values: dict[str, str] = {}
        self._faults: list[Fault] = []
        for name, value in pairs:
            if name not in known:
                self.fault(
                    name, "unknown-parameter", f"There is no parameter {name}.", name, [*known], "Check its spelling."
                )
            elif name in self._values:
                self.fault(name, "given-twice", f"The parameter {name} is given twice.", value, None, "Give it once.")
            else:
                self._values[name] = value.strip()

    def text(self, name: str) -> str | None:
        """What was given, where an empty text says something too."""
        return self._values.get(name)

    def one_of(self, name: str, choices: type[Choice]) -> Choice | None:
        given = self._values.get(name)
        if not given:
            return None
        try:
            return choices(given)
        except ValueError:
            allowed = [str(choice) for choice in choices]
            fix = f"Choose one of: {', '.join(allowed)}."
            self.fault(name, "unknown-value", f"There is no {name} {given}.", given, allowed, fix)
            return None

    def flag(self, name: str) -> bool:
        """Whether something was asked for; it is not, unless it says ``true``."""
        given = self._values.get(name) or "false"
        if given not in ("true", "false"):
            self.fault(
                name, "unknown-value", f"{given} is neither true nor false.", given, ["true", "false"], "Say true."
            )
        return given == "true"

    def whole_number(self, name: str, least: int, most: int) -> int | None:
        given = self._values.get(name)
        if not given:
            return None
        if not (given.isascii() and given.isdecimal() and len(given) <= 18 and least <= int(given) <= most):
            allowed = f"a whole number from {least} to {most}"
            self.fault(name, "out-of-range", f"{given} is not {allowed}.", given, allowed, f"Give {allowed}.")
            return None
        return int(given)

    def day(self, name: str) -> date | None:
        given = self._values.get(name)
        if not given:
            return None
        day = _day(given)
        if day is None:
            self.fault(name, "not-a-date", f"{given} is not a date.", given, "a date, like 2011-12-07", _MEND_DATE)
        return day

    def moment(self, name: str) -> datetime | None:
        """A moment with its offset from UTC; a date stands for the end of that day in the councils' time zone."""
        given = self._values.get(name)
        if not given:
            return None
        day = _day(given)
        moment = end_of_local_day(day) if day is not None else _moment(given)
        if moment is None:
            allowed = "a date, like 2012-01-26, or a moment, like 2012-01-26T17:30:00Z"
            self.fault(name, "not-a-moment", f"{given} is not a date or a moment.", given, allowed, _MEND_DATE)
        return moment

    def fault(self, name: str, code: str, detail: str, given: str, allowed: object, fix: str) -> None:
        """Something else is wrong with a parameter."""
        self._faults.append(Fault(f"/query/{name}", code, detail, fix, given, allowed))

    def also(self, fault: Fault) -> None:
        """Something is wrong with what else came with the request."""
        self._faults.append(fault)

    def require_no_fault(self) -> None:
        """Raises: Refused, with everything that is wrong."""
        if self._faults:
            many = "parameters" if len(self._faults) > 1 else "parameter"
            raise Refused(f"{len(self._faults)} {many} of this address cannot be used.", self._faults)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text) if len(text) == len("2011-12-07") else None
    except ValueError:
        return None
    return day if day is not None and 1900 <= day.year < 2200 else None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None or not 1900 <= moment.year < 2200:
        return None
    return moment.astimezone(UTC)
