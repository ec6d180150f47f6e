"""Which of the standing figures count towards a total: the choice of basis, and the choice of flow.

One saving may be stated as an estimate, later as a forecast, at last as an actual; these are accounts of their own,
and adding them up would count it three times. Under ``best`` the surest statement of each cell counts, and it alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, TypeAlias, assert_never

from shared.figures import Account, Basis, Figure, Flow, Scope, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.money import Pence


class BasisChoice(StrEnum):
    """What a reader may ask for: the surest figure of each cell, or those of one basis alone."""

    BEST = "best"
    ESTIMATE = "estimate"
    FORECAST = "forecast"
    ACTUAL = "actual"


class FlowChoice(StrEnum):
    """What a reader may ask for: savings, the costs of getting them, or savings minus costs."""

    SAVING = "saving"
    COST = "cost"
    NET = "net"


_SUREST_FIRST: Final = (Basis.ACTUAL, Basis.FORECAST, Basis.ESTIMATE)

_Cell: TypeAlias = tuple[Scope, WorkstreamCode, str, FinancialYear, Flow]


def select_best(figures: Mapping[Account, Figure]) -> Mapping[Account, Figure]:
    """The accounts that count under ``best``, in the order given.

    Per scope, workstream, initiative, year and flow: the actuals if one is stated (an amount, or nil), else the
    forecasts, else the estimates. Where nothing is stated, the surest basis that has a placeholder. All accounts of
    the basis chosen count, whatever their benefit and recurrence; so select before you filter on those, and the parts
    add up to the whole.
    """
    bases: dict[_Cell, set[Basis]] = {}
    stated: dict[_Cell, set[Basis]] = {}
    for account, figure in figures.items():
        cell = _cell_of(account)
        bases.setdefault(cell, set()).add(account.basis)
        if figure.is_stated:
            stated.setdefault(cell, set()).add(account.basis)
    chosen = {cell: _surest(stated.get(cell, present)) for cell, present in bases.items()}
    return {account: figure for account, figure in figures.items() if account.basis is chosen[_cell_of(account)]}


def of_basis(figures: Mapping[Account, Figure], choice: BasisChoice) -> Mapping[Account, Figure]:
    """The accounts that count under a reader's choice of basis, in the order given."""
    match choice:
        case BasisChoice.BEST:
            return select_best(figures)
        case BasisChoice.ESTIMATE | BasisChoice.FORECAST | BasisChoice.ACTUAL:
            basis = Basis(choice)
            return {account: figure for account, figure in figures.items() if account.basis is basis}
        case _:
            assert_never(choice)


def counts_as(flow: Flow, choice: FlowChoice) -> int:
    """How often an amount of this flow counts under a reader's choice: 1, 0 (not at all) or -1 (a cost, in a net)."""
    match choice:
        case FlowChoice.SAVING:
            return 1 if flow is Flow.SAVING else 0
        case FlowChoice.COST:
            return 1 if flow is Flow.COST else 0
        case FlowChoice.NET:
            return 1 if flow is Flow.SAVING else -1
        case _:
            assert_never(choice)


def counted_pence(account: Account, figure: Figure, choice: FlowChoice) -> Pence:
    """What a figure adds to a total under a reader's choice of flow."""
    return Pence(counts_as(account.flow, choice) * figure.counted_pence)


def _cell_of(account: Account) -> _Cell:
    return (account.scope, account.workstream, account.initiative, account.year, account.flow)


def _surest(bases: set[Basis]) -> Basis:
    return next(basis for basis in _SUREST_FIRST if basis in bases)
