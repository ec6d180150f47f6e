"""Which figures count under `best`, and under a choice of flow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.best import BasisChoice, FlowChoice, counted_pence, of_basis, select_best
from shared.figures import (
    PARTNERSHIP,
    Account,
    Basis,
    Benefit,
    Confidence,
    Figure,
    Flow,
    Recurrence,
    Status,
    WorkstreamCode,
)
from shared.financial_year import FinancialYear
from shared.money import Pence

ESTIMATE = Account(
    scope=PARTNERSHIP,
    workstream=WorkstreamCode("ict"),
    initiative="",
    year=FinancialYear(2011),
    basis=Basis.ESTIMATE,
    benefit=Benefit.CASH_RELEASING,
    recurrence=Recurrence.RECURRING,
    flow=Flow.SAVING,
)
FORECAST = replace(ESTIMATE, basis=Basis.FORECAST)
ACTUAL = replace(ESTIMATE, basis=Basis.ACTUAL)


def amount(pence: int) -> Figure:
    return Figure(Status.QUANTIFIED, Pence(pence))


NIL = Figure(Status.NIL, None)
TO_BE_CONFIRMED = Figure(Status.TO_BE_CONFIRMED, None)
SEE_NARRATIVE = Figure(Status.SEE_NARRATIVE, None)


def test_the_actual_counts_where_there_is_one_and_not_what_was_hoped_before() -> None:
    assert select_best({ESTIMATE: amount(500), FORECAST: amount(400), ACTUAL: amount(300)}) == {ACTUAL: amount(300)}


def test_the_forecast_counts_before_the_estimate() -> None:
    assert select_best({ESTIMATE: amount(500), FORECAST: amount(400)}) == {FORECAST: amount(400)}


def test_an_actual_of_nil_is_an_actual() -> None:
    assert select_best({FORECAST: amount(400), ACTUAL: NIL}) == {ACTUAL: NIL}


@pytest.mark.parametrize("placeholder", [TO_BE_CONFIRMED, SEE_NARRATIVE])
def test_an_actual_yet_to_be_confirmed_leaves_the_forecast_standing(placeholder: Figure) -> None:
    assert select_best({FORECAST: amount(400), ACTUAL: placeholder}) == {FORECAST: amount(400)}


def test_where_nothing_is_stated_the_surest_placeholder_speaks() -> None:
    assert select_best({ESTIMATE: TO_BE_CONFIRMED, FORECAST: SEE_NARRATIVE}) == {FORECAST: SEE_NARRATIVE}


def test_one_actual_makes_the_cell_actual_whatever_its_benefit() -> None:
    avoided = replace(FORECAST, benefit=Benefit.AVOIDED_COST)
    assert select_best({ACTUAL: amount(300), avoided: amount(900)}) == {ACTUAL: amount(300)}


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(ESTIMATE, initiative="Data Centres"),
        replace(ESTIMATE, year=FinancialYear(2012)),
        replace(ESTIMATE, flow=Flow.COST),
        replace(ESTIMATE, workstream=WorkstreamCode("waste")),
    ],
)
def test_an_actual_of_one_cell_says_nothing_about_another(elsewhere: Account) -> None:
    assert select_best({ACTUAL: amount(300), elsewhere: amount(900)}) == {ACTUAL: amount(300), elsewhere: amount(900)}


def test_one_basis_alone_is_given_as_it_is() -> None:
    figures = {ESTIMATE: amount(500), FORECAST: TO_BE_CONFIRMED, ACTUAL: amount(300)}
    assert of_basis(figures, BasisChoice.ESTIMATE) == {ESTIMATE: amount(500)}
    assert of_basis(figures, BasisChoice.FORECAST) == {FORECAST: TO_BE_CONFIRMED}
    assert of_basis(figures, BasisChoice.BEST) == {ACTUAL: amount(300)}


@pytest.mark.parametrize(
    ("choice", "saving", "cost"), [(FlowChoice.SAVING, 7, 0), (FlowChoice.COST, 0, 7), (FlowChoice.NET, 7, -7)]
)
def test_net_is_saving_minus_cost(choice: FlowChoice, saving: int, cost: int) -> None:
    assert counted_pence(ESTIMATE, amount(7), choice) == saving
    assert counted_pence(replace(ESTIMATE, flow=Flow.COST), amount(7), choice) == cost


accounts = st.builds(
    Account,
    scope=st.sampled_from([PARTNERSHIP]),
    workstream=st.sampled_from([WorkstreamCode("ict"), WorkstreamCode("sen")]),
    initiative=st.sampled_from(["", "Data Centres"]),
    year=st.sampled_from([FinancialYear(2011), FinancialYear(2012)]),
    basis=st.sampled_from(Basis),
    benefit=st.sampled_from(Benefit),
    recurrence=st.sampled_from(Recurrence),
    flow=st.sampled_from(Flow),
)
stated = st.one_of(
    st.integers(-1000, 1000).map(amount),
    st.sampled_from([NIL, TO_BE_CONFIRMED, SEE_NARRATIVE]),
    st.just(Figure(Status.QUANTIFIED, Pence(1), Confidence.FIRM)),
)
many_figures = st.dictionaries(accounts, stated, max_size=30)


@given(many_figures)
def test_every_cell_speaks_with_one_basis_and_no_cell_falls_silent(figures: Mapping[Account, Figure]) -> None:
    best = select_best(figures)

    def cell(account: Account) -> Account:
        return replace(account, basis=Basis.ESTIMATE, benefit=Benefit.CASH_RELEASING, recurrence=Recurrence.RECURRING)

    assert {cell(account) for account in best} == {cell(account) for account in figures}
    for account in best:
        assert {other.basis for other in best if cell(other) == cell(account)} == {account.basis}
        siblings = {other for other in figures if cell(other) == cell(account) and other.basis is account.basis}
        assert siblings <= set(best)
        if any(figures[other].is_stated for other in figures if cell(other) == cell(account)):
            assert any(figures[sibling].is_stated for sibling in siblings)


@given(many_figures)
def test_filtering_after_the_choice_makes_parts_that_add_up_to_the_whole(figures: Mapping[Account, Figure]) -> None:
    best = select_best(figures)
    whole = sum(figure.counted_pence for figure in best.values())
    parts = [
        sum(figure.counted_pence for account, figure in best.items() if account.benefit is benefit)
        for benefit in Benefit
    ]
    assert sum(parts) == whole
