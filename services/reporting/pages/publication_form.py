"""The form in which an edition is published: what was entered, read into a publication, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from pydantic import ValidationError

from services.reporting.edition_schemas import PublicationIn
from services.reporting.editions import Publication
from services.reporting.sent_forms import SentForm
from shared.errors import Conflict, Fault, Refused
from shared.partnership import Partnership

_PARTS: Final = ("day", "month", "year")
#: What a field must be, told where what stands in it is not.
_MEND: Final = {
    "title": "Enter a name for the edition, such as Cabinet, 26 January 2012, in at most 200 letters",
    "notes": "Enter at most 50 notes, each on a line of its own and at most 2,000 letters long",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong: in which field, if in one, and what to do about it."""

    text: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the form. Dates are texts of day, month and year, as entered."""

    title: str = ""
    meeting_date: tuple[str, str, str] = ("", "", "")
    as_at: tuple[str, str, str] = ("", "", "")
    councils: tuple[str, ...] = ()
    notes: str = ""
    problems: tuple[Problem, ...] = field(default=())

    def problem_of(self, name: str) -> str | None:
        return next((problem.text for problem in self.problems if problem.field == name), None)


def entered(form: SentForm, problems: Iterable[Problem] = ()) -> Entered:
    return Entered(
        title=form.text("title"),
        meeting_date=_date_parts(form, "meeting_date"),
        as_at=_date_parts(form, "as_at"),
        councils=tuple(form.values.get("councils", ())),
        notes=form.text("notes"),
        problems=tuple(problems),
    )


def read_publication(form: SentForm, partnership: Partnership) -> Publication | list[Problem]:
    """What is to be published, or all that is wrong with what was entered."""
    problems: list[Problem] = []
    meeting_date = _date(form, "meeting_date", "the date of the meeting", problems)
    if meeting_date is None and not problems:
        problems.append(Problem("Enter the date of the meeting", "meeting_date"))
    as_at = _date(form, "as_at", "the day as at which the figures are", problems)
    councils = tuple(form.values.get("councils", ()))
    if not councils or set(councils) - set(partnership.council_by_gss):
        problems.append(Problem("Choose the councils that the edition is for, one or more", "councils"))
    notes = [line.strip() for line in form.text("notes").splitlines() if line.strip()]
    try:
        PublicationIn(title=form.text("title"), meeting_date=meeting_date or date(2000, 1, 1), notes=notes)
    except ValidationError as error:
        fields = dict.fromkeys(str(fault["loc"][0]) for fault in error.errors())
        problems = [*(Problem(_MEND[name], name) for name in fields), *problems]
    if problems or meeting_date is None:
        return problems
    # All of them is told as all, so that the same is asked for as where none is named.
    everyone = set(councils) == set(partnership.council_by_gss)
    chosen = None if everyone else tuple(sorted(set(councils)))
    return Publication(form.text("title"), meeting_date, chosen, as_at, tuple(notes))


def problems_of(error: Refused | Conflict) -> Sequence[Problem]:
    """Why it was not published, in words for the form."""
    match error:
        case Refused():
            return [_problem(fault) for fault in error.faults]
        case Conflict():
            return [Problem(f"{error.detail} {error.fix or ''}".strip(), "title")]


def _problem(fault: Fault) -> Problem:
    name = fault.pointer.split("/")[1] if "/" in fault.pointer else None
    return Problem(f"{fault.detail} {fault.fix}", name if name in ("title", "meeting_date", "as_at", "notes") else None)


def _date_parts(form: SentForm, name: str) -> tuple[str, str, str]:
    day, month, year = (form.text(f"{name}-{part}") for part in _PARTS)
    return day, month, year


def _date(form: SentForm, name: str, what: str, problems: list[Problem]) -> date | None:
    parts = _date_parts(form, name)
    if not any(parts):
        return None
    try:
        if not all(part.isascii() and part.isdecimal() for part in parts) or not 1900 <= int(parts[2]) < 2200:
            raise ValueError
        return date(int(parts[2]), int(parts[1]), int(parts[0]))
    except ValueError:
        problems.append(Problem(f"Enter {what} as a day, a month and a year, such as 26 1 2012", name))
        return None


def all_chosen(partnership: Partnership) -> Entered:
    """The form before anything is entered."""
    return Entered(councils=tuple(council.gss for council in partnership.councils))
