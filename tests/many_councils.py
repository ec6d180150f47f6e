"""A partnership as large as is promised: 74 councils and 10 workstreams, with figures in every cell."""

from __future__ import annotations

from services.reporting.rows import Posted
from services.reporting.table import Question, Table, build_table
from shared.figures import PARTNERSHIP, Basis, Scope
from shared.money import Pence
from shared.partnership import Partnership
from tests.reporting_figures import pence, posted

_NAMES = (
    "Highways and street lighting",
    "Waste",
    "ICT and shared networks",
    "Property and assets",
    "Special Educational Needs and Disability (SEND)",
    "Commodities procurement",
    "Adult social care commissioning",
    "Home to school transport",
    "Customer contact",
    "Legal, human resources and finance support services",
)


def many_councils(councils: int = 74, workstreams: int = 10) -> Partnership:
    council = (
        "[[councils]]\ngss = 'E07{0:06}'\nregister = 'C{1}'\n"
        "name = 'Council {0} Borough Council'\nshort_name = 'C{0}'\n"
    )
    workstream = (
        "[[workstreams]]\ncode = 'w{0}'\nname = '{1}'\nlead = 'E07000001'\npurpose = 'Less cost for the same.'\n"
    )
    letters = [f"{chr(65 + place // 26)}{chr(65 + place % 26)}" for place in range(councils)]
    return Partnership.parse(
        "code = 'large'\nname = 'Improvement Large'\nshort_name = 'IL'\nfirst_year = '2011/12'\nlast_year = '2014/15'\n"
        "[headline]\nshort_term = '£4bn'\nmedium_term = '£8bn'\nlong_term = '£15bn'\n"
        + "".join(council.format(place + 1, letters[place]) for place in range(councils))
        + "".join(workstream.format(place, _NAMES[place % len(_NAMES)]) for place in range(workstreams))
    )


def figures_of(partnership: Partnership) -> list[Posted]:
    """A figure in each cell of each scope: uneven amounts, some of them too exact to be shortened."""
    scopes: list[Scope] = [PARTNERSHIP, *(council.scope for council in partnership.councils)]
    found = []
    for place, scope in enumerate(scopes):
        for row, workstream in enumerate(partnership.workstreams):
            for column, year in enumerate(partnership.years):
                thousands = 40 * (row + 3) * (column + 1) + 7 * place
                amount = thousands * 100_000 * (100 if scope == PARTNERSHIP else 1) + (12_345 if row == 7 else 0)
                basis = Basis.ACTUAL if column == 0 else Basis.FORECAST if column < 3 else Basis.ESTIMATE
                found.append(posted(workstream.code, str(year), pence(Pence(amount)), scope=scope, basis=basis))
                if column == 0:
                    found.append(posted(workstream.code, str(year), pence(Pence(amount // 2)), scope=scope))
    return found


def large_table(partnership: Partnership | None = None) -> Table:
    partnership = partnership or many_councils()
    return build_table(
        partnership,
        figures_of(partnership),
        (),
        Question(home=partnership.councils[73 % len(partnership.councils)].gss),
    )
