"""The form in which an edition is published: what was entered, read into a publication, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from pydantic import ValidationError

from services.reporting.edition_schemas import PublicationIn
from services.reporting.editions import Publication
from services.reporting.pages.form_fields import NO_DAY, DayParts, Problem, day_parts, needed_day, read_day
from services.reporting.sent_forms import SentForm
from shared.errors import Conflict, Fault, Refused
from shared.partnership import Partnership

#: What a field must be, told where what stands in it is not.
_MEND: Final = {
    "title": "Enter a name for the edition, such as Cabinet, 26 January 2012, in at most 200 letters",
    "notes": "Enter at most 50 notes, each on a line of its own and at most 2,000 letters long",
}


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the form."""

    title: str = ""
    meeting_date: DayParts = NO_DAY
    as_at: DayParts = NO_DAY
    councils: tuple[str, ...] = ()
    notes: str = ""
    problems: tuple[Problem, ...] = field(default=())

    def problem_of(self, name: str) -> str | None:
        return next((problem.text for problem in self.problems if problem.field == name), None)


def entered(form: SentForm, problems: Iterable[Problem] = ()) -> Entered:
    return Entered(
        title=form.text("title"),
        meeting_date=day_parts(form, "meeting_date"),
        as_at=day_parts(form, "as_at"),
        councils=tuple(form.values.get("councils", ())),
        notes=form.text("notes"),
        problems=tuple(problems),
    )


def read_publication(form: SentForm, partnership: Partnership) -> Publication | list[Problem]:
    """What is to be published, or all that is wrong with what was entered."""
    problems: list[Problem] = []
    meeting_date = needed_day(form, "meeting_date", "the date of the meeting", problems)
    as_at = read_day(form, "as_at", "the day as at which the figures are", problems)
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


def all_chosen(partnership: Partnership) -> Entered:
    """The form before anything is entered."""
    return Entered(councils=tuple(council.gss for council in partnership.councils))
