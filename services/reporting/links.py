"""Where the numbers of a file lead: to the product's page of what each of them comes from. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, assert_never
from urllib.parse import urlencode

from services.reporting.narrative import Origin, Reference
from services.reporting.query import NO_COUNCIL
from services.reporting.report import Report
from shared.clock import moment_text

Link: TypeAlias = Callable[[Reference], str]


def links_of(report: Report) -> Link | None:
    """The address of what a number comes from; ``None`` where it is not known where people reach the product."""
    if not report.address:
        return None

    def link(reference: Reference) -> str:
        match reference.origin:
            case Origin.ROWS:
                return _at(report, "/figures", _about(reference))
            case Origin.PROOF:
                return f"{_at(report, '/tracker', {})}#proof-heading"
            case Origin.PARTNERSHIP_FILE:
                return f"{_at(report, '/tracker', {})}#headline-heading"
            case Origin.MOVEMENT:
                before = report.movements.before.edition if report.movements else None
                return _at(report, "/movements", {"from": str(before or ""), "to": str(report.edition or "")})
            case _:
                assert_never(reference.origin)

    return link


def _about(reference: Reference) -> Mapping[str, str]:
    """The entries behind a number; where it is of one benefit among several, of that benefit alone."""
    benefits = {each.account.benefit for each in reference.behind}
    is_part = reference.workstream is None and reference.year is None and len(benefits) == 1
    return {
        "scope": reference.scope,
        "workstream": reference.workstream or "",
        "year": str(reference.year or ""),
        "benefit": next(iter(benefits)) if is_part else "",
    }


def _at(report: Report, path: str, about: Mapping[str, str]) -> str:
    question = report.table.question
    selection = question.selection
    values: dict[str, str] = {
        "council": question.home or NO_COUNCIL,
        "basis": selection.basis,
        "benefit": selection.benefit or "",
        "recurrence": selection.recurrence or "",
        "flow": selection.flow,
    }
    if path != "/movements":
        # An edition has its own clocks.
        as_at, known_at = (None, None) if report.edition else (question.as_at, question.known_at)
        values |= {
            "as_at": as_at.isoformat() if as_at else "",
            "known_at": moment_text(known_at) if known_at else "",
            "edition": str(report.edition or ""),
        }
    values |= {name: value for name, value in about.items() if value}
    return f"{report.address}{path}?{urlencode({name: value for name, value in values.items() if value})}"
