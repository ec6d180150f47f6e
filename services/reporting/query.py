"""Reading what is asked for: the query of an address, by a caller, becomes the question that the table answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from services.reporting.rows import Selection
from services.reporting.table import Question
from shared.best import BasisChoice, FlowChoice
from shared.clock import end_of_local_day
from shared.errors import Fault, Refused
from shared.figures import Benefit, Recurrence, Scope
from shared.partnership import Partnership
from shared.principal import Principal

#: Asks for the partnership's rows alone, where otherwise the caller's own council would be the home council.
NO_COUNCIL: Final = "none"

#: The parameters of the table, and what each means: read by :func:`read_question`, shown in the OpenAPI document.
PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "council": {
        "description": "GSS code of the home council. Your own council if left out; 'none': the partnership alone.",
        "schema": {"type": "string", "examples": ["E10000011", NO_COUNCIL]},
    },
    "as_at": {
        "description": "What was true by that day.",
        "schema": {"type": "string", "format": "date", "examples": ["2011-12-07"]},
    },
    "known_at": {
        "description": "What was recorded by that moment, or by the end of that day.",
        "schema": {"type": "string", "examples": ["2012-01-26", "2012-01-26T17:30:00Z"]},
    },
    "basis": {
        "description": "Which basis counts. 'best': the actual if there is one, else the forecast, else the estimate.",
        "schema": {"type": "string", "enum": [*BasisChoice], "default": BasisChoice.BEST},
    },
    "benefit": {"description": "One kind of benefit alone.", "schema": {"type": "string", "enum": [*Benefit]}},
    "recurrence": {"description": "One recurrence alone.", "schema": {"type": "string", "enum": [*Recurrence]}},
    "flow": {
        "description": "Savings, the costs of getting them, or savings minus costs.",
        "schema": {"type": "string", "enum": [*FlowChoice], "default": FlowChoice.SAVING},
    },
}


def described(parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The part of the OpenAPI document that tells these parameters of an address."""
    return {"parameters": [{"name": name, "in": "query", **told} for name, told in parameters.items()]}


Choice = TypeVar("Choice", bound=StrEnum)


class Asked:
    """The parameters of an address, read one by one; what is wrong with any of them is told with all the rest."""

    def __init__(self, pairs: Iterable[tuple[str, str]], known: Iterable[str]) -> None:
        self._values: dict[str, str] = {}
        self._faults: list[Fault] = []
        for name, value in pairs:
            if name not in known:
                self._fault(
                    name, "unknown-parameter", f"There is no parameter {name}.", name, [*known], "Check its spelling."
                )
            elif name in self._values:
                self._fault(name, "given-twice", f"The parameter {name} is given twice.", value, None, "Give it once.")
            else:
                self._values[name] = value.strip()

    def one_of(self, name: str, choices: type[Choice]) -> Choice | None:
        given = self._values.get(name)
        if not given:
            return None
        try:
            return choices(given)
        except ValueError:
            allowed = [str(choice) for choice in choices]
            fix = f"Choose one of: {', '.join(allowed)}."
            self._fault(name, "unknown-value", f"There is no {name} {given}.", given, allowed, fix)
            return None

    def council(self, name: str, partnership: Partnership, otherwise: str | None) -> str | None:
        given = self._values.get(name)
        if not given:
            return otherwise
        if given == NO_COUNCIL:
            return None
        if given not in partnership.council_by_gss:
            allowed = [NO_COUNCIL, *(f"{council.gss} ({council.name})" for council in partnership.councils)]
            self._fault(
                name,
                "unknown-council",
                f"{partnership.name} has no council {given}.",
                given,
                allowed,
                "Give the GSS code of one of its councils, or 'none' for the partnership's figures alone.",
            )
            return otherwise
        return given

    def day(self, name: str) -> date | None:
        given = self._values.get(name)
        if not given:
            return None
        day = _day(given)
        if day is None:
            self._fault(name, "not-a-date", f"{given} is not a date.", given, "a date, like 2011-12-07", _MEND_DATE)
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
            self._fault(name, "not-a-moment", f"{given} is not a date or a moment.", given, allowed, _MEND_DATE)
        return moment

    def require_no_fault(self) -> None:
        """Raises: Refused, with everything that is wrong."""
        if self._faults:
            many = "parameters" if len(self._faults) > 1 else "parameter"
            raise Refused(f"{len(self._faults)} {many} of this address cannot be used.", self._faults)

    def _fault(self, name: str, code: str, detail: str, given: str, allowed: object, fix: str) -> None:
        self._faults.append(Fault(f"/query/{name}", code, detail, fix, given, allowed))


def read_question(asked: Asked, caller: Principal, partnership: Partnership) -> Question:
    """The question in an address. The home council is the caller's own unless another, or none, is asked for.

    Raises:
        Refused: naming everything wrong in the address, and what may stand there.
        Forbidden: where the share asked for is not the caller's to see.
    """
    question = Question(
        home=asked.council("council", partnership, otherwise=caller.council),
        as_at=asked.day("as_at"),
        known_at=asked.moment("known_at"),
        selection=Selection(
            basis=asked.one_of("basis", BasisChoice) or BasisChoice.BEST,
            benefit=asked.one_of("benefit", Benefit),
            recurrence=asked.one_of("recurrence", Recurrence),
            flow=asked.one_of("flow", FlowChoice) or FlowChoice.SAVING,
        ),
    )
    asked.require_no_fault()
    if question.home is not None:
        caller.require_sight_of(Scope(question.home), partnership)
    return question


_MEND_DATE: Final = "Write the year, month and day as numbers: 2011-12-07."


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
