"""The words of a return in one partnership: its workstreams, scopes, years and initiatives, and how each is written.

Every type here reads one value. What it cannot take it refuses with a code, what is allowed, and how to mend it; the
partnership and the day come in with the context of the validation, as :class:`Bounds`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Annotated, Final

from pydantic import AfterValidator, PlainSerializer, PlainValidator, StringConstraints, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.intake.reading import JsonNumber, kind_of, shown
from shared.figures import PARTNERSHIP, Scope, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.money import Pence, parse_pounds, pounds
from shared.partnership import Partnership

#: How far before the first year of the table a figure may have been true.
_YEARS_BACK: Final = 10
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Vocabulary:
    """What may be named in a return of one partnership. Made once, from the partnership's file."""

    def __init__(self, partnership: Partnership) -> None:
        self.partnership = partnership
        self.workstreams = {workstream.code: workstream.name for workstream in partnership.workstreams}
        self.scopes = {PARTNERSHIP: partnership.name} | {c.gss: c.name for c in partnership.councils}
        self.years = {str(year): year for year in partnership.years}
        self.earliest_as_at = FinancialYear(partnership.first_year.starts_in - _YEARS_BACK).first_day
        self._initiatives = {
            workstream.code: {_folded(name): name for name in workstream.initiatives}
            for workstream in partnership.workstreams
        }
        #: What people write instead of a code.
        self.also_called = {
            name.casefold(): code
            for code, names in (
                *((w.code, (w.code, w.name)) for w in partnership.workstreams),
                *((c.gss, (c.gss, c.register_code, c.short_name, c.name)) for c in partnership.councils),
                (PARTNERSHIP, (PARTNERSHIP, partnership.code, partnership.short_name, partnership.name)),
            )
            for name in names
        }

    def bounds(self, workstream: object, today: date) -> Bounds:
        """What the values of a return about this workstream, as it was given, are read against today."""
        initiatives = self._initiatives.get(workstream, {}) if isinstance(workstream, str) else {}
        return Bounds(self, today, initiatives)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the values of one return are read against. Without ``initiatives`` any may be named."""

    vocabulary: Vocabulary
    today: date
    initiatives: Mapping[str, str]


def not_taken(code: str, detail: str, fix: str, allowed: object = None, field: str = "") -> PydanticCustomError:
    """The refusal of a value (or of that field in it), as validation carries it to :mod:`services.intake.form`."""
    context = {"detail": detail, "fix": fix, "allowed": allowed, "field": field}
    return PydanticCustomError(code, "{detail}", context)


def _workstream(value: object, info: ValidationInfo) -> WorkstreamCode:
    words = _bounds(info).vocabulary
    if (code := _text(value)) not in words.workstreams:
        raise _unknown("workstream", code, words.workstreams, words)
    return WorkstreamCode(code)


def _scope(value: object, info: ValidationInfo) -> Scope:
    words = _bounds(info).vocabulary
    if (scope := _text(value)) not in words.scopes:
        raise _unknown("scope", scope, words.scopes, words)
    return Scope(scope)


def _as_at(value: object, info: ValidationInfo) -> date:
    bounds, text = _bounds(info), _text(value)
    try:
        day = date.fromisoformat(text if _DAY.fullmatch(text) else "")
    except ValueError:
        raise not_taken(
            "not-a-date", f"'{shown(text)}' is not a date.", "Write the date like 2011-12-07.", "YYYY-MM-DD"
        ) from None
    if day > bounds.today:
        raise not_taken(
            "as-at-in-future",
            f"{day} has not come yet: it is {bounds.today} today.",
            "State the figures as at today or an earlier day.",
            f"{bounds.today} or earlier",
        )
    if day < (earliest := bounds.vocabulary.earliest_as_at):
        raise not_taken(
            "as-at-too-early",
            f"{day} is long before the first year of the table, {bounds.vocabulary.partnership.first_year}.",
            "Check the year of the date.",
            f"{earliest} or later",
        )
    return day


def _year(value: object, info: ValidationInfo) -> FinancialYear:
    years, text = _bounds(info).vocabulary.years, _text(value)
    if text in years:
        return years[text]
    try:
        year = FinancialYear.parse(text)
    except ValueError as error:
        raise not_taken(
            "not-a-year",
            f"'{shown(text)}' is not a financial year: {error}.",
            "Write the financial year like 2011/12.",
            list(years),
        ) from None
    first, last = next(iter(years)), next(reversed(years))
    raise not_taken(
        "year-outside-table",
        f"{year} is outside the table, which has the years {first} to {last}.",
        "State a year of the table; what is expected beyond it belongs in the update.",
        list(years),
    )


def _pence(value: object) -> Pence:
    if isinstance(value, JsonNumber):
        raise not_taken(
            "amount-not-text",
            f"The amount {shown(value)} is a number of JSON, which many systems round; an amount is written as text.",
            'Write it in quotes, in pounds: "300000.00".',
        )
    text = _text(value)
    try:
        return parse_pounds(text)
    except ValueError as error:
        raise not_taken(
            "not-an-amount",
            f"'{shown(text)}' cannot be taken: {error}.",
            'Write pounds with at most two decimals, like "300000.00", or short, like "£200k" or "£1.25m".',
        ) from None


def _initiative(name: str, info: ValidationInfo) -> str:
    listed = _bounds(info).initiatives
    if not listed:
        return " ".join(name.split())
    folded = _folded(name)
    if folded in listed:
        return listed[folded]
    close = get_close_matches(folded, listed, n=1)
    raise not_taken(
        "unknown-initiative",
        f"'{shown(name)}' is not an initiative of this workstream.",
        f"Did you mean '{listed[close[0]]}'?" if close else "Name a listed initiative, or leave it out.",
        list(listed.values()),
    )


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise not_taken("wrong-type", f"Here stands {kind_of(value)}; it is written as text.", "Write text, in quotes.")


def _unknown(what: str, given: str, names: Mapping[str, str], words: Vocabulary) -> PydanticCustomError:
    meant = words.also_called.get(given.strip().casefold(), "")
    close = [meant] if meant in names else get_close_matches(shown(given), names, n=1)
    listed = ", ".join(f"{code} ({name})" for code, name in names.items())
    return not_taken(
        f"unknown-{what}",
        f"There is no {what} '{shown(given)}'. There are {listed}.",
        f"Did you mean '{close[0]}', {names[close[0]]}?" if close else f"Name one of them by its code as '{what}'.",
        list(names),
    )


def _folded(name: str) -> str:
    return " ".join(name.split()).casefold()


def _bounds(info: ValidationInfo) -> Bounds:
    assert isinstance(info.context, Bounds)  # noqa: S101 - the form is read by services.intake.form alone
    return info.context


_Written = PlainSerializer(str, return_type=str)

WorkstreamName = Annotated[
    WorkstreamCode, PlainValidator(_workstream), WithJsonSchema({"type": "string", "examples": ["ict"]})
]
ScopeName = Annotated[
    Scope,
    PlainValidator(_scope),
    WithJsonSchema({"type": "string", "pattern": r"^(partnership|[A-Z]\d{8})$", "examples": ["E10000011"]}),
]
Day = Annotated[date, PlainValidator(_as_at), _Written, WithJsonSchema({"type": "string", "format": "date"})]
Year = Annotated[
    FinancialYear,
    PlainValidator(_year),
    _Written,
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}/\d{2}$", "examples": ["2011/12"]}),
]
Amount = Annotated[
    Pence,
    PlainValidator(_pence),
    PlainSerializer(pounds, return_type=str),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^[-−]?£?(\d{1,3}(,\d{3})+|\d{1,16})(\.\d{1,16})?(k|m|bn)?$",
            "examples": ["300000.00", "£200k", "£1.25m"],
        }
    ),
]

# Control characters are refused: they break what is printed, and one of the databases takes no NUL.
_ONE_LINE: Final = r"^[^\x00-\x1F\x7F]*$"
_LINES: Final = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F]*$"

Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_ONE_LINE)]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=_LINES)]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=_LINES)]
Update = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000, pattern=_LINES)]
Initiative = Annotated[Label, AfterValidator(_initiative)]
