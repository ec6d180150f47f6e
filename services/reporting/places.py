"""Where each page is: addresses that carry the choice along, so that pages and files lead to one state. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from services.reporting.narrative import Origin, Reference
from services.reporting.query import NO_COUNCIL
from services.reporting.rows import Selection
from services.reporting.table import Question
from shared.best import BasisChoice, FlowChoice
from shared.clock import end_of_local_day, local_day, moment_text
from shared.figures import Scope
from shared.financial_year import FinancialYear

#: What is meant where nothing is said, and so need not stand in an address.
_DEFAULTS: Final = {"basis": BasisChoice.BEST, "flow": FlowChoice.SAVING}


@dataclass(frozen=True, slots=True)
class Places:
    """The addresses of the pages, for one choice of council, edition or clocks, and selection.

    ``before`` is the number of the edition that the narrative compares with, if it compares with one. ``origin`` is
    where people reach the product (``https://savings.example.gov.uk``), for links out of a file.
    """

    values: Mapping[str, str]
    before: int | None = None
    origin: str = ""

    @classmethod
    def of(
        cls, question: Question, edition: int | None = None, before: int | None = None, *, origin: str = ""
    ) -> Places:
        """For an edition, by its number, or for the draft."""
        values = dict(values_of(question))
        if edition is not None:
            # An edition has its own clocks.
            values |= {"as_at": "", "known_at": "", "edition": str(edition)}
        return cls(values, before, origin)

    @property
    def query(self) -> str:
        """The choice as the query of an address; what is meant anyhow is left out."""
        return self._query({})

    def at(self, path: str, **changed: str | int | None) -> str:
        """A path with the choice, and what differs from it; a value of ``None`` or nothing is left out."""
        query = self._query({name: "" if value is None else str(value) for name, value in changed.items()})
        return f"{self.origin}{path}?{query}" if query else f"{self.origin}{path}"

    def tracker(self) -> str:
        return self.at("/tracker")

    def figure(
        self, scope: Scope, workstream: str | None = None, year: FinancialYear | None = None, benefit: str | None = None
    ) -> str:
        """The entries behind a figure: of a year, or of all; of a workstream, or of all."""
        about = {"scope": scope, "workstream": workstream, "year": str(year) if year else None}
        return self.at("/figures", **about, **({"benefit": benefit} if benefit else {}))

    def workstream(self, code: str) -> str:
        return self.at(f"/workstreams/{code}")

    def council(self, gss: str) -> str:
        return self.at(f"/councils/{gss}", council=None)

    def chart(self, name: str) -> str:
        return self.at(f"/tracker/charts/{name}")

    def download(self, suffix: str, layout: str | None = None) -> str:
        return self.at(f"/v1/tracker.{suffix}", layout=layout)

    def behind(self, reference: Reference) -> str:
        """Where a number of the narrative leads: to its entries, to the proof it stands in, or to what moved it."""
        match reference.origin:
            case Origin.ROWS:
                return self.figure(reference.scope, reference.workstream, reference.year, _one_benefit(reference))
            case Origin.PROOF:
                return self._on_the_tracker("proof-heading")
            case Origin.PARTNERSHIP_FILE:
                return self._on_the_tracker("headline-heading")
            case Origin.MOVEMENT:
                moved = self.movements(self.before, self.values.get("edition"))
                return f"{moved}#why-{reference.workstream}-{reference.scope}" if reference.workstream else moved

    def movements(self, start: int | None = None, end: str | None = None) -> str:
        """What moved since an edition, by its number."""
        about = {"from": None if start is None else str(start), "to": end}
        return self.at("/movements", as_at=None, known_at=None, edition=None, **about)

    def _on_the_tracker(self, heading: str) -> str:
        # The page of it has the heading itself.
        return f"{self.tracker()}#{heading}" if self.origin else f"#{heading}"

    def _query(self, changed: Mapping[str, str]) -> str:
        values = {**self.values, **changed}
        return urlencode({name: value for name, value in values.items() if value and _DEFAULTS.get(name) != value})


def values_of(question: Question) -> Mapping[str, str]:
    """A question as the parameters of an address."""
    selection, known_at = question.selection, question.known_at
    known = ""
    if known_at is not None:
        day = local_day(known_at)
        known = day.isoformat() if known_at == end_of_local_day(day) else moment_text(known_at)
    return {
        "council": question.home or NO_COUNCIL,
        "as_at": question.as_at.isoformat() if question.as_at else "",
        "known_at": known,
        **selection_values(selection),
    }


def selection_values(selection: Selection) -> Mapping[str, str]:
    return {
        "basis": selection.basis,
        "benefit": selection.benefit or "",
        "recurrence": selection.recurrence or "",
        "flow": selection.flow,
    }


def _one_benefit(reference: Reference) -> str | None:
    """A number of all workstreams and years that is of one benefit alone leads to the entries of that benefit."""
    benefits = {each.account.benefit for each in reference.behind}
    if reference.workstream is None and reference.year is None and len(benefits) == 1:
        return next(iter(benefits))
    return None
