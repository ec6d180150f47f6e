"""The tracker table: Appendix 1 to the letter, and each rule of what is printed in a cell."""

from __future__ import annotations

import pytest

from services.reporting.exports.csv_table import printed_csv
from services.reporting.rows import CellStatus, Selection
from services.reporting.table import Question
from shared.best import BasisChoice, FlowChoice
from shared.figures import PARTNERSHIP, Basis, Benefit, Flow, Recurrence, Status
from shared.money import parse_pounds
from tests.reporting_figures import EAST_SUSSEX, KENT, PRINTED, figure, january_2012, pence, posted, table_of, texts


def test_january_2012_is_printed_as_in_the_cabinet_report_to_the_letter() -> None:
    assert printed_csv(table_of(*january_2012())).decode() == PRINTED.decode()


def test_the_totals_of_january_2012_run_up_over_the_years() -> None:
    partnership, home = table_of(*january_2012()).totals
    assert [year.cumulative_pence for year in partnership.years] == [
        parse_pounds(amount) for amount in ("£17.4m", "£32.55m", "£56.05m", "£83.85m")
    ]
    assert [year.cumulative_pence for year in home.years] == [
        parse_pounds(amount) for amount in ("£1.199m", "£2.609m", "£4.694m", "£6.944m")
    ]


def test_the_first_year_with_a_figure_has_no_brackets_and_later_ones_have() -> None:
    table = table_of(posted("ict", "2012/13", "£6m"), posted("ict", "2013/14", "£250k"))
    assert texts(table, "ict") == ["–", "£6m", "£250k (£6.25m)", "(£6.25m)", "£6.25m"]


@pytest.mark.parametrize("nothing_new", [figure("0"), figure(Status.NIL)], ids=["zero", "nil"])
def test_a_year_with_nothing_new_shows_the_cumulative_alone(nothing_new: object) -> None:
    table = table_of(posted("ict", "2011/12", "£1.6m"), posted("ict", "2012/13", nothing_new))
    assert texts(table, "ict") == ["£1.6m", "(£1.6m)", "(£1.6m)", "(£1.6m)", "£1.6m"]


@pytest.mark.parametrize("nothing", [figure("0"), figure(Status.NIL)], ids=["zero", "nil"])
def test_nothing_stated_first_is_a_dash_and_earns_no_brackets_later(nothing: object) -> None:
    table = table_of(posted("ict", "2011/12", nothing), posted("ict", "2012/13", "£2k"))
    assert texts(table, "ict") == ["–", "£2k", "(£2k)", "(£2k)", "£2k"]


def test_where_nothing_is_stated_at_all_every_cell_is_a_dash() -> None:
    table = table_of()
    assert table.is_empty
    assert texts(table, "ict") == ["–"] * 5
    assert [total.total.text for total in table.totals] == ["–", "–"]
    assert [total.total.pence for total in table.totals] == [None, None]


def test_a_stated_nil_is_a_figure_though_it_prints_as_a_dash() -> None:
    cell = table_of(posted("ict", "2011/12", Status.NIL)).rows_of(table_of().rows[4].workstream)[0].cells[0]
    assert (cell.text, cell.status, cell.in_year_pence, cell.cumulative_pence) == ("–", CellStatus.NIL, 0, 0)


@pytest.mark.parametrize(
    ("placeholder", "printed"),
    [(Status.TO_BE_CONFIRMED, "To be confirmed"), (Status.SEE_NARRATIVE, "See details below")],
)
def test_a_placeholder_is_in_words_with_the_cumulative_once_there_is_one(placeholder: Status, printed: str) -> None:
    table = table_of(
        posted("ict", "2011/12", placeholder), posted("ict", "2012/13", "£1.6m"), posted("ict", "2013/14", placeholder)
    )
    assert texts(table, "ict") == [printed, "£1.6m", f"{printed} (£1.6m)", "(£1.6m)", "£1.6m"]


def test_an_amount_is_shown_before_a_placeholder_beside_it_and_a_note_says_what_is_missing() -> None:
    table = table_of(
        posted("ict", "2011/12", "£1m"),
        posted("ict", "2011/12", Status.TO_BE_CONFIRMED, initiative="Data Centres"),
    )
    assert texts(table, "ict")[0] == "£1m"
    assert "ICT, SE7, 2011/12: the figure does not include Data Centres, which is to be confirmed." in [
        note.text for note in table.notes
    ]


def test_a_placeholder_is_shown_before_a_zero_beside_it() -> None:
    table = table_of(
        posted("ict", "2011/12", "0", initiative="Procurement"), posted("ict", "2011/12", Status.TO_BE_CONFIRMED)
    )
    assert texts(table, "ict")[0] == "To be confirmed"


def test_a_saving_taken_back_is_shown_with_its_sign_and_the_total_is_then_zero() -> None:
    table = table_of(posted("ict", "2011/12", "£6m"), posted("ict", "2012/13", "-£6m"))
    assert texts(table, "ict") == ["£6m", "-£6m (£0)", "(£0)", "(£0)", "£0"]


def test_an_amount_that_three_decimals_would_round_is_shown_in_full() -> None:
    assert texts(table_of(posted("ict", "2011/12", pence(123456789))), "ict")[0] == "£1,234,567.89"


def test_initiatives_and_benefits_add_up_in_the_cell_of_their_workstream() -> None:
    table = table_of(
        posted("ict", "2011/12", "£1m", initiative="Data Centres"),
        posted("ict", "2011/12", "£2m", initiative="Procurement", benefit=Benefit.AVOIDED_COST),
        posted("ict", "2011/12", "£4m", recurrence=Recurrence.ONE_OFF),
    )
    cell = next(row for row in table.rows if row.workstream.code == "ict").cells[0]
    assert (cell.text, len(cell.behind)) == ("£7m", 3)


def test_rows_come_in_the_partnerships_order_each_with_the_home_councils_row_under_it() -> None:
    table = table_of(*reversed(january_2012()), question=Question(home=KENT))
    assert [(row.workstream.code, row.label) for row in table.rows][:4] == [
        ("highways", "SE7"),
        ("highways", "KCC"),
        ("waste", "SE7"),
        ("waste", "KCC"),
    ]
    assert [total.label for total in table.totals] == ["SE7", "KCC"]


def test_without_a_home_council_there_are_the_partnerships_rows_alone() -> None:
    table = table_of(*january_2012(), question=Question())
    assert {row.scope for row in table.rows} == {PARTNERSHIP}
    assert [(total.label, total.total.text) for total in table.totals] == [("SE7", "£83.85m")]


def test_another_councils_share_is_in_no_row_and_in_no_total() -> None:
    table = table_of(posted("ict", "2011/12", "£3m", scope=KENT))
    assert texts(table, "ict", EAST_SUSSEX) == ["–"] * 5
    assert [total.total.text for total in table.totals] == ["–", "–"]


def test_the_best_basis_counts_once() -> None:
    figures = [
        posted("ict", "2011/12", "£5m", basis=Basis.ESTIMATE),
        posted("ict", "2011/12", "£4m", basis=Basis.FORECAST),
        posted("ict", "2011/12", "£3m", basis=Basis.ACTUAL),
    ]
    for choice, printed in (
        (BasisChoice.BEST, "£3m"),
        (BasisChoice.ACTUAL, "£3m"),
        (BasisChoice.FORECAST, "£4m"),
        (BasisChoice.ESTIMATE, "£5m"),
    ):
        table = table_of(*figures, question=Question(selection=Selection(basis=choice)))
        assert texts(table, "ict")[0] == printed


def test_costs_are_shown_on_request_and_count_against_the_saving_in_a_net() -> None:
    figures = [posted("ict", "2011/12", "£5m"), posted("ict", "2011/12", "£2m", flow=Flow.COST)]
    shown = {
        flow: texts(table_of(*figures, question=Question(selection=Selection(flow=flow))), "ict")[0]
        for flow in FlowChoice
    }
    assert shown == {FlowChoice.SAVING: "£5m", FlowChoice.COST: "£2m", FlowChoice.NET: "£3m"}


def test_the_benefits_one_by_one_add_up_to_the_whole_table() -> None:
    figures = [
        posted("ict", "2011/12", "£1m", benefit=Benefit.AVOIDED_COST, basis=Basis.ACTUAL),
        posted("ict", "2011/12", "£2m", benefit=Benefit.CASH_RELEASING, basis=Basis.ESTIMATE),
        posted("ict", "2012/13", "£4m", benefit=Benefit.NON_CASH_RELEASING),
    ]
    parts = [table_of(*figures, question=Question(selection=Selection(benefit=benefit))) for benefit in Benefit]
    whole = table_of(*figures)
    assert sum(part.totals[0].total.pence or 0 for part in parts) == whole.totals[0].total.pence == 500_000_000


@pytest.mark.parametrize(
    ("selection", "title"),
    [
        (Selection(), "Total potential savings"),
        (Selection(basis=BasisChoice.ACTUAL), "Total savings"),
        (Selection(flow=FlowChoice.NET), "Total potential net savings"),
        (Selection(flow=FlowChoice.COST), "Total costs"),
    ],
)
def test_the_last_rows_are_named_for_what_they_total(selection: Selection, title: str) -> None:
    assert table_of(question=Question(selection=selection)).totals[0].title == title


def test_every_cell_leads_to_the_entries_behind_it() -> None:
    figures = january_2012()
    table = table_of(*figures)
    behind = [each for row in table.rows for cell in row.cells for each in cell.behind]
    assert sorted(behind, key=lambda each: each.account) == sorted(figures, key=lambda each: each.account)


def test_a_year_in_which_only_an_earlier_figure_is_repeated_is_marked_as_carried() -> None:
    table = table_of(posted("ict", "2012/13", "£6m"), posted("ict", "2014/15", "£1m"))
    row = next(row for row in table.rows if row.workstream.code == "ict")
    assert [cell.carried for cell in row.cells] == [False, False, True, False]
