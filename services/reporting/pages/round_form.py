"""The form in which a round is opened: what was entered, read into a proposal, or all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

from pydantic import ValidationError

from services.reporting.making_rounds import Proposal
from services.reporting.pages.form_fields import NO_DAY, DayParts, Problem, day_parts, needed_day, parts_of
from services.reporting.rounds import expected_by_default
from services.reporting.rounds_api import RoundIn
from services.reporting.sent_forms import SentForm
from shared.errors import Conflict
from shared.figures import PARTNERSHIP, Scope, Stream, WorkstreamCode
from shared.partnership import Partnership

#: What is proposed: four weeks to report, and two more for what comes late.
_DUE_AFTER: Final = timedelta(weeks=4)
_CLOSES_AFTER: Final = timedelta(weeks=6)

_NAME: Final = "Enter a name for the round, such as Quarter 3, 2026/27, in at most 200 letters"
_IN_ORDER: Final = {
    "due": "The day that returns are due must be the day that the round opens, or after it",
    "closes": "The day that the round closes must be the day that returns are due, or after it",
}


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the form. The returns expected are those of each workstream chosen, by each of ``scopes``."""

    name: str = ""
    opens: DayParts = NO_DAY
    due: DayParts = NO_DAY
    closes: DayParts = NO_DAY
    workstreams: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())

    def problem_of(self, name: str) -> str | None:
        return next((problem.text for problem in self.problems if problem.field == name), None)


def proposed(partnership: Partnership, today: date) -> Entered:
    """The form before anything is entered: from today, and every figure of the table."""
    closes = today + _CLOSES_AFTER
    expected = expected_by_default(partnership, today, closes)
    return Entered(
        opens=parts_of(today),
        due=parts_of(today + _DUE_AFTER),
        closes=parts_of(closes),
        workstreams=tuple(workstream.code for workstream in partnership.workstreams),
        scopes=tuple(dict.fromkeys(str(stream.scope) for stream in expected)),
    )


def entered(form: SentForm, problems: Iterable[Problem]) -> Entered:
    """The form as it was sent, with what is wrong with it."""
    return Entered(
        name=form.text("name"),
        opens=day_parts(form, "opens"),
        due=day_parts(form, "due"),
        closes=day_parts(form, "closes"),
        workstreams=tuple(form.values.get("workstreams", ())),
        scopes=tuple(form.values.get("scopes", ())),
        problems=tuple(problems),
    )


def read_proposal(form: SentForm, partnership: Partnership) -> Proposal | list[Problem]:
    """The round that is wanted, or all that is wrong with what was entered."""
    problems: list[Problem] = []
    name = form.text("name")
    try:
        RoundIn(name=name, opens=date.min, due=date.min, closes=date.min)
    except ValidationError:
        problems.append(Problem(_NAME, "name"))
    opens = needed_day(form, "opens", "the day that the round opens", problems)
    due = needed_day(form, "due", "the day that returns are due", problems)
    closes = needed_day(form, "closes", "the day that the round closes", problems)
    for place, earlier, later in (("due", opens, due), ("closes", due or opens, closes)):
        if earlier and later and later < earlier:
            problems.append(Problem(_IN_ORDER[place], place))
    workstreams, scopes = form.values.get("workstreams", ()), form.values.get("scopes", ())
    if not workstreams or set(workstreams) - set(partnership.workstream_by_code):
        problems.append(Problem("Choose the workstreams that returns are expected of, one or more", "workstreams"))
    if not scopes or set(scopes) - {PARTNERSHIP, *partnership.council_by_gss}:
        problems.append(Problem("Choose whose figures are expected, one or more", "scopes"))
    if problems or opens is None or due is None or closes is None:
        return problems
    expected = {Stream(WorkstreamCode(code), Scope(scope)) for code in workstreams for scope in scopes}
    return Proposal(name, opens, due, closes, tuple(sorted(expected)))


def problem_of(error: Conflict) -> Problem:
    """Why it was not opened, in words for the form."""
    return Problem(f"{error.detail} {error.fix or ''}".strip(), "name")
