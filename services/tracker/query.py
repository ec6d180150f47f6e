"""Reading what is asked for: the query of an address becomes the question that a ledger answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from services.tracker.reading import Place, Wanted, When
from services.tracker.totals import Filters
from shared.asked import Asked, Parameters
from shared.best import BasisChoice, FlowChoice
from shared.errors import NotFound
from shared.figures import Basis, Benefit, Flow, Recurrence, Scope, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.partnership import Partnership
from shared.principal import Principal

PAGE: Final = 100
PAGE_LIMIT: Final = 500

_AT_A_TIME: Final[Parameters] = {
    "as_at": {
        "description": "What was true by that day.",
        "schema": {"type": "string", "format": "date", "examples": ["2011-12-07"]},
    },
    "known_at": {
        "description": "What was recorded by that moment, or by the end of that day.",
        "schema": {"type": "string", "examples": ["2012-01-26", "2012-01-26T17:30:00Z"]},
    },
}


def _one_of(description: str, choices: Any, default: str | None = None) -> dict[str, Any]:
    schema = {"type": "string", "enum": [*choices]}
    return {"description": description, "schema": schema if default is None else {**schema, "default": default}}


_CLASSIFIED: Final[Parameters] = {
    "workstream": {"description": "The code of one workstream.", "schema": {"type": "string"}},
    "benefit": _one_of("One kind of benefit alone.", Benefit),
    "recurrence": _one_of("One recurrence alone.", Recurrence),
}
LEDGER_PARAMETERS: Final[Parameters] = {
    **_AT_A_TIME,
    **_CLASSIFIED,
    "basis": _one_of(
        "Which basis counts. 'best': the actual if there is one, else the forecast, else the estimate.",
        BasisChoice,
        BasisChoice.BEST,
    ),
    "flow": _one_of("Savings, the costs of getting them, or savings minus costs.", FlowChoice, FlowChoice.SAVING),
}
ENTRIES_PARAMETERS: Final[Parameters] = {
    **_AT_A_TIME,
    **_CLASSIFIED,
    "year": {"description": "One financial year alone.", "schema": {"type": "string", "examples": ["2011/12"]}},
    "initiative": {
        "description": "One initiative alone; empty: what is stated of the workstream as a whole.",
        "schema": {"type": "string"},
    },
    "basis": _one_of("One basis alone.", Basis),
    "flow": _one_of("Savings alone, or costs.", Flow),
    "limit": {
        "description": "How many entries a page has.",
        "schema": {"type": "integer", "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE},
    },
    "after": {"description": "As in the 'next' of the page before.", "schema": {"type": "string"}},
}
CHECKS_PARAMETERS: Final[Parameters] = {
    "full": {
        "description": "Re-read every entry as well; it takes as long as there are entries.",
        "schema": {"type": "boolean", "default": False},
    },
}


@dataclass(frozen=True, slots=True)
class LedgerQuestion:
    """Which ledger, at which time, counting which figures."""

    scope: Scope
    when: When
    filters: Filters


@dataclass(frozen=True, slots=True)
class EntriesQuestion:
    """Which entries of a ledger, at which time, from which place on."""

    wanted: Wanted
    when: When
    after: Place
    limit: int


def council_scope(gss: str, caller: Principal, partnership: Partnership) -> Scope:
    """The scope of a council's ledger.

    Raises:
        NotFound: there is no such council; the answer names those there are.
        Forbidden: its shares are not the caller's to see.
    """
    if gss not in partnership.council_by_gss:
        known = ", ".join(f"{council.gss} ({council.name})" for council in partnership.councils)
        raise NotFound(f"{partnership.name} has no council {gss}.", f"Its councils are {known}.")
    caller.require_sight_of(Scope(gss), partnership)
    return Scope(gss)


def read_ledger_question(asked: Asked, scope: Scope, partnership: Partnership) -> LedgerQuestion:
    """Raises: Refused, naming everything wrong in the address."""
    question = LedgerQuestion(
        scope=scope,
        when=_when(asked),
        filters=Filters(
            basis=asked.one_of("basis", BasisChoice) or BasisChoice.BEST,
            benefit=asked.one_of("benefit", Benefit),
            recurrence=asked.one_of("recurrence", Recurrence),
            flow=asked.one_of("flow", FlowChoice) or FlowChoice.SAVING,
            workstream=_workstream(asked, partnership),
        ),
    )
    asked.require_no_fault()
    return question


def read_entries_question(asked: Asked, scope: Scope, partnership: Partnership) -> EntriesQuestion:
    """Raises: Refused, naming everything wrong in the address."""
    question = EntriesQuestion(
        wanted=Wanted(
            scope=scope,
            workstream=_workstream(asked, partnership),
            year=_year(asked),
            initiative=asked.text("initiative"),
            basis=asked.one_of("basis", Basis),
            benefit=asked.one_of("benefit", Benefit),
            recurrence=asked.one_of("recurrence", Recurrence),
            flow=asked.one_of("flow", Flow),
        ),
        when=_when(asked),
        after=_place(asked),
        limit=asked.whole_number("limit", 1, PAGE_LIMIT) or PAGE,
    )
    asked.require_no_fault()
    return question


def _when(asked: Asked) -> When:
    return When(asked.day("as_at"), asked.moment("known_at"))


def _workstream(asked: Asked, partnership: Partnership) -> WorkstreamCode | None:
    given = asked.text("workstream")
    if not given:
        return None
    known = partnership.workstream_by_code
    if given not in known:
        detail = f"{partnership.name} has no workstream {given}."
        asked.fault("workstream", "unknown-workstream", detail, given, [*known], f"Choose one of: {', '.join(known)}.")
    return WorkstreamCode(given)


def _year(asked: Asked) -> FinancialYear | None:
    given = asked.text("year")
    if not given:
        return None
    try:
        return FinancialYear.parse(given)
    except ValueError as error:
        detail = f"{given} is not a financial year: {error}."
        asked.fault("year", "not-a-year", detail, given, "a financial year, like 2011/12", "Write it like 2011/12.")
        return None


def _place(asked: Asked) -> Place:
    given = asked.text("after")
    if not given:
        return Place(0, 0)
    if re.fullmatch(r"\d{1,18}\.\d{1,18}", given, re.ASCII) is None:
        detail = f"No page of entries ends with {given[:40]}."
        fix = "Follow the address in 'next' of the page before, as it is."
        asked.fault("after", "not-a-place", detail, given[:40], None, fix)
        return Place(0, 0)
    return Place(*map(int, given.split(".")))
