"""Returns as they are sent, and who sends them: the ordinary case, and what a test makes different of it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from services.intake.form import Reading, read_return
from services.intake.submission import Return
from services.intake.vocabulary import Vocabulary
from shared.partnership import Partnership
from shared.principal import Principal, Role

SE7 = Partnership.parse(Path("deploy/partnerships/se7.toml").read_text(encoding="utf-8"))
WORDS = Vocabulary(SE7)

BRIGHTON, EAST_SUSSEX, KENT, SURREY = "E06000043", "E10000011", "E10000016", "E10000030"
TODAY = date(2012, 1, 26)

#: The finance system of East Sussex: states that council's shares, and the partnership's SEN figures.
FINANCE_ESX = Principal("finance-ESX", Role.FINANCE, EAST_SUSSEX)
FINANCE_KEN = Principal("finance-KEN", Role.FINANCE, KENT)
FINANCE_SRY = Principal("finance-SRY", Role.FINANCE, SURREY)
#: An officer of Brighton & Hove, which leads ICT.
LEAD_ICT = Principal("lead-ict", Role.LEAD, BRIGHTON, frozenset({"ict"}))
AUTHOR_ESX = Principal("author-ESX", Role.AUTHOR, EAST_SUSSEX)
AUTHOR_KEN = Principal("author-KEN", Role.AUTHOR, KENT)
OFFICE = Principal("office", Role.OFFICE)
AUDITOR = Principal("auditor", Role.AUDITOR)
EVERYBODY = (FINANCE_ESX, FINANCE_KEN, FINANCE_SRY, LEAD_ICT, AUTHOR_ESX, AUTHOR_KEN, OFFICE, AUDITOR)


def a_line(**different: Any) -> dict[str, Any]:
    """A line of £300k identified for 2011/12; a field set to ``...`` is left out."""
    return _with({"year": "2011/12", "amount": "300000.00", "basis": "estimate"}, different)


def a_return(*lines: Any, **different: Any) -> dict[str, Any]:
    """East Sussex's share of ICT as at 7 December 2011, with one ordinary line if none are given."""
    ordinary = {"workstream": "ict", "scope": EAST_SUSSEX, "as_at": "2011-12-07", "lines": list(lines) or [a_line()]}
    return _with(ordinary, different)


def read(document: Any, today: date = TODAY, key: str | None = None) -> Reading:
    """What intake reads of a document."""
    return read_return(document, WORDS, today, key)


def the_return(*lines: Any, **different: Any) -> Return:
    """A return of the right form, read."""
    reading = read(a_return(*lines, **different))
    assert reading.return_ is not None, reading.faults
    return reading.return_


def _with(ordinary: dict[str, Any], different: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in (ordinary | different).items() if value is not ...}
