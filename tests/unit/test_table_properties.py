"""Whatever is stated, the table's numbers are those of a sum by hand, and its text reads back as its numbers."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from services.reporting.rows import NO_FIGURE, Posted, Selection
from services.reporting.table import Question
from shared.best import BasisChoice, FlowChoice
from shared.figures import PARTNERSHIP, Basis, Benefit, Figure, Flow, Recurrence, Status
from shared.money import Pence, parse_pounds
from tests.reporting_figures import EAST_SUSSEX, KENT, SE7, posted, table_of

figures = st.one_of(
    st.sampled_from([Status.TO_BE_CONFIRMED, Status.SEE_NARRATIVE, Status.NIL]).map(
        lambda status: Figure(status, None)
    ),
    st.integers(-(10**12), 10**12).map(lambda pence: Figure(Status.QUANTIFIED, Pence(pence))),
    st.integers(-50, 50).map(lambda tenths: Figure(Status.QUANTIFIED, Pence(tenths * 10_000_000))),
)
standing = st.lists(
    st.builds(
        posted,
        st.sampled_from(["ict", "sen", "procurement"]),
        st.sampled_from([str(year) for year in SE7.years]),
        figures,
        scope=st.sampled_from([PARTNERSHIP, EAST_SUSSEX, KENT]),
        initiative=st.sampled_from(["", "Data Centres"]),
        basis=st.sampled_from(Basis),
        benefit=st.sampled_from(Benefit),
        recurrence=st.sampled_from(Recurrence),
        flow=st.sampled_from(Flow),
    ),
    max_size=40,
    unique_by=lambda each: each.account,
)
selections = st.builds(
    Selection,
    st.sampled_from(BasisChoice),
    st.none() | st.sampled_from(Benefit),
    st.none() | st.sampled_from(Recurrence),
    st.sampled_from(FlowChoice),
)
PRINTED = re.compile(r"(?P<new>[^(]*?) ?(?:\((?P<cumulative>[^)]*)\))?")
WORDS = ("To be confirmed", "See details below", "", NO_FIGURE)


def counts(each: Posted, figures: list[Posted], selection: Selection) -> bool:
    """The rule of the choice, in the words of the domain and not of the code."""
    account = each.account
    rivals = [
        other
        for other in figures
        if (other.account.stream, other.account.initiative, other.account.year, other.account.flow)
        == (account.stream, account.initiative, account.year, account.flow)
    ]
    stated = [other for other in rivals if other.figure.is_stated] or rivals
    surest = max(["estimate", "forecast", "actual"].index(other.account.basis) for other in stated)
    basis = ["estimate", "forecast", "actual"][surest] if selection.basis is BasisChoice.BEST else selection.basis
    return (
        account.basis == basis
        and selection.benefit in (None, account.benefit)
        and selection.recurrence in (None, account.recurrence)
        and (selection.flow is FlowChoice.NET or selection.flow == account.flow)
    )


@given(standing, selections)
def test_every_number_is_the_sum_of_the_figures_that_count(figures: list[Posted], selection: Selection) -> None:
    table = table_of(*figures, question=Question(home=EAST_SUSSEX, selection=selection))
    counting = [each for each in figures if counts(each, figures, selection)]

    def total(scope: str, workstream: str | None, years: list[object]) -> int:
        return sum(
            each.figure.counted_pence
            * (-1 if each.account.flow is Flow.COST and selection.flow is FlowChoice.NET else 1)
            for each in counting
            if each.account.scope == scope
            and workstream in (None, each.account.workstream)
            and each.account.year in years
        )

    for row in table.rows:
        for place, cell in enumerate(row.cells):
            so_far = list(table.years[: place + 1])
            assert (cell.in_year_pence or 0) == total(row.scope, row.workstream.code, [cell.year])
            assert (cell.cumulative_pence or 0) == total(row.scope, row.workstream.code, so_far)
        assert (row.total.pence or 0) == total(row.scope, row.workstream.code, list(table.years))
    for total_row in table.totals:
        for place, year in enumerate(total_row.years):
            assert year.cumulative_pence == total(total_row.scope, None, list(table.years[: place + 1]))
        assert (total_row.total.pence or 0) == total(total_row.scope, None, list(table.years))
    assert table.proof.holds


@given(standing, selections)
def test_the_printed_text_reads_back_as_the_numbers(figures: list[Posted], selection: Selection) -> None:
    table = table_of(*figures, question=Question(home=EAST_SUSSEX, selection=selection))
    for row in table.rows:
        earlier = 0
        for cell in row.cells:
            printed = PRINTED.fullmatch(cell.text)
            assert printed is not None, cell.text
            if printed["new"] not in WORDS:
                assert parse_pounds(printed["new"]) == cell.in_year_pence
            else:
                assert (cell.in_year_pence or 0) == 0
            if printed["cumulative"] is not None:
                assert parse_pounds(printed["cumulative"]) == cell.cumulative_pence
            assert (printed["cumulative"] is not None) == (earlier > 0), "brackets once an earlier year had a figure"
            assert cell.carried == (printed["new"] in WORDS and earlier > 0)
            earlier += (cell.in_year_pence or 0) != 0
        assert row.total.text == NO_FIGURE if not earlier else parse_pounds(row.total.text) == row.total.pence


@given(standing)
def test_the_order_in_which_figures_come_makes_no_difference(figures: list[Posted]) -> None:
    assert table_of(*figures) == table_of(*reversed(figures))
