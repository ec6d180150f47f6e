"""A ledger as it is read: whatever stands, its rows and columns add up, and nothing is left out of a sum."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tracker.ledger import Head, post
from services.tracker.totals import Filters, Sum, after, ledger_of
from shared.best import BasisChoice, FlowChoice, select_best
from shared.figures import (
    PARTNERSHIP,
    Account,
    Basis,
    Benefit,
    Figure,
    Flow,
    Recurrence,
    Scope,
    Status,
    Stream,
    WorkstreamCode,
)
from shared.financial_year import FinancialYear
from shared.money import Pence
from tests.builders import EAST_SUSSEX, KENT
from tests.tracker_deployment import DAY, Sender, line

ICT, SEN = WorkstreamCode("ict"), WorkstreamCode("sen")
YEARS = [FinancialYear(2011), FinancialYear(2012), FinancialYear(2013)]
SCOPES = [PARTNERSHIP, Scope(EAST_SUSSEX), Scope(KENT)]

accounts = st.builds(
    Account,
    scope=st.sampled_from(SCOPES),
    workstream=st.sampled_from([ICT, SEN, WorkstreamCode("libraries")]),
    initiative=st.sampled_from(["", "Data Centres"]),
    year=st.sampled_from([*YEARS, FinancialYear(2015)]),
    basis=st.sampled_from(Basis),
    benefit=st.sampled_from(Benefit),
    recurrence=st.sampled_from(Recurrence),
    flow=st.sampled_from(Flow),
)
stated = st.one_of(
    st.integers(-1_000, 1_000).map(lambda pence: Figure(Status.QUANTIFIED, Pence(pence))),
    st.sampled_from([Status.NIL, Status.TO_BE_CONFIRMED, Status.SEE_NARRATIVE]).map(lambda one: Figure(one, None)),
)
whatever_stands = st.dictionaries(accounts, stated, max_size=25)
any_filters = st.builds(
    Filters,
    basis=st.sampled_from(BasisChoice),
    benefit=st.none() | st.sampled_from(Benefit),
    recurrence=st.none() | st.sampled_from(Recurrence),
    flow=st.sampled_from(FlowChoice),
    workstream=st.none() | st.sampled_from([ICT, SEN]),
)


@given(whatever_stands, any_filters, st.sampled_from(SCOPES))
def test_rows_run_over_the_years_and_add_up_to_the_totals(
    figures: Mapping[Account, Figure], filters: Filters, scope: Scope
) -> None:
    ledger = ledger_of(scope, figures, filters, [ICT, SEN], YEARS)
    for row in (*ledger.rows, ledger.totals):
        assert row.years[0].own.cumulative_pence == row.years[0].own.in_year_pence
        for before, year in pairwise(row.years):
            assert year.own.cumulative_pence == before.own.cumulative_pence + year.own.in_year_pence
            assert year.shares.cumulative_pence == before.shares.cumulative_pence + year.shares.in_year_pence
    for place, total in enumerate(ledger.totals.years):
        assert sum((row.years[place].own for row in ledger.rows), Sum()) == total.own
        assert sum((row.years[place].shares for row in ledger.rows), Sum()) == total.shares


@given(whatever_stands, any_filters)
def test_the_cumulative_ledger_s_shares_are_those_of_the_council_ledgers(
    figures: Mapping[Account, Figure], filters: Filters
) -> None:
    cumulative = ledger_of(PARTNERSHIP, figures, filters, [ICT, SEN], YEARS)
    councils = [ledger_of(scope, figures, filters, [ICT, SEN], YEARS) for scope in SCOPES[1:]]
    assert sum(council.totals.total_pence for council in councils) == cumulative.totals.shares_total_pence
    assert cumulative.totals.unapportioned_total_pence == (
        cumulative.totals.total_pence - sum(council.totals.total_pence for council in councils)
    )


@given(whatever_stands)
def test_nothing_that_counts_is_left_out_of_the_total(figures: Mapping[Account, Figure]) -> None:
    """Not even of a workstream or year that the partnership no longer names."""
    own = {account: figure for account, figure in figures.items() if account.scope == PARTNERSHIP}
    counted = sum(f.counted_pence for a, f in select_best(own).items() if a.flow is Flow.SAVING)
    assert ledger_of(PARTNERSHIP, figures, Filters(), [ICT, SEN], YEARS).totals.total_pence == counted


@given(whatever_stands)
def test_net_is_savings_minus_costs(figures: Mapping[Account, Figure]) -> None:
    def total(flow: FlowChoice) -> int:
        return ledger_of(PARTNERSHIP, figures, Filters(flow=flow), [ICT, SEN], YEARS).totals.total_pence

    assert total(FlowChoice.NET) == total(FlowChoice.SAVING) - total(FlowChoice.COST)


@given(whatever_stands, st.sampled_from(BasisChoice))
def test_the_kinds_of_benefit_add_up_to_the_whole(figures: Mapping[Account, Figure], basis: BasisChoice) -> None:
    def total(benefit: Benefit | None) -> int:
        filters = Filters(basis=basis, benefit=benefit)
        return ledger_of(PARTNERSHIP, figures, filters, [ICT, SEN], YEARS).totals.total_pence

    assert sum(total(benefit) for benefit in Benefit) == total(None)


def cell(*figures: tuple[str, int | Status]) -> dict[Account, Figure]:
    """Figures of ICT for 2011/12, each of an initiative and a scope of its own name."""
    made: dict[Account, Figure] = {}
    for place, (scope, stated) in enumerate(figures):
        account = line(1, initiative=f"Project {place}").account_in(Stream(ICT, Scope(scope)))
        quantified = isinstance(stated, int)
        made[account] = Figure(Status.QUANTIFIED, Pence(stated)) if quantified else Figure(Status(stated), None)
    return made


@pytest.mark.parametrize(
    ("partnership", "shares", "over_claimed"),
    [([100], [60, 40], False), ([100], [60, 41], True), ([100], [], False), ([], [1], True)],
)
def test_shares_above_the_partnership_figure_are_flagged(
    partnership: list[int], shares: list[int], over_claimed: bool
) -> None:
    figures = cell(*((PARTNERSHIP, one) for one in partnership), *((KENT, one) for one in shares))
    ledger = ledger_of(PARTNERSHIP, figures, Filters(), [ICT, SEN], YEARS)
    assert ledger.row_of(ICT).years[0].is_over_claimed is over_claimed
    assert ledger.row_of(ICT).is_over_claimed is over_claimed


@pytest.mark.parametrize(
    ("statuses", "speaks"),
    [
        ([], None),
        ([Status.TO_BE_CONFIRMED], Status.TO_BE_CONFIRMED),
        ([Status.TO_BE_CONFIRMED, Status.SEE_NARRATIVE], Status.SEE_NARRATIVE),
        ([Status.SEE_NARRATIVE, Status.NIL], Status.NIL),
        ([Status.NIL, 5], Status.QUANTIFIED),
    ],
)
def test_where_several_figures_meet_the_one_that_says_most_speaks(
    statuses: list[int | Status], speaks: Status | None
) -> None:
    figures = cell(*((PARTNERSHIP, status) for status in statuses))
    year = ledger_of(PARTNERSHIP, figures, Filters(), [ICT, SEN], YEARS).row_of(ICT).years[0]
    assert year.status is speaks


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 900)), max_size=6), st.integers(-3, 3))
def test_a_preview_says_what_posting_does(history: list[tuple[int, int]], days: int) -> None:
    sender = Sender()
    stream = Stream(ICT, PARTNERSHIP)
    held, head = {}, Head.of_nothing(stream)
    for at, pounds in history:
        outcome = post(sender.accepts(line(pounds), as_at=DAY + timedelta(days=at)), held, head)
        held, head = {**held, **outcome.held}, outcome.head
    account = line(7).account_in(stream)
    accepted = sender.accepts(line(7), as_at=DAY + timedelta(days=days))
    standing = {account: held[str(account)]} if held else {}
    promised = after(standing, stream, accepted.as_at, accepted.lines)
    assert promised[account].counted_pence == post(accepted, held, head).held[str(account)].balance_pence
