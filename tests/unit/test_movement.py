"""What moved between two states of the figures: each kind of change, and that the parts add up."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given

from services.reporting.changes import KINDS, MovementKind
from services.reporting.movement import Movements, State, movements_between
from services.reporting.rows import Posted, Selection
from services.reporting.table import Question, build_table
from shared.best import BasisChoice, FlowChoice
from shared.figures import PARTNERSHIP, Basis, Benefit, Flow, Recurrence, Status
from shared.partnership import Partnership
from tests.reporting_figures import EAST_SUSSEX, ENTRY, SE7, january_2012, posted, table_of
from tests.unit.test_table_properties import selections, standing

HOME = Question(home=EAST_SUSSEX)
RECOUNTED = replace(
    ENTRY,
    submission_id="a-correction",
    as_at=date(2012, 3, 28),
    stated_by="lead-highways",
    reason="The supply chain review found more.",
)


def state(*figures: Posted, question: Question = HOME) -> State:
    return State("Draft", table_of(*figures, question=question), figures)


def moved(before: list[Posted], after: list[Posted], question: Question = HOME) -> Movements:
    movements = movements_between(state(*before, question=question), state(*after, question=question))
    assert movements.holds
    return movements


def parts(movements: Movements, workstream: str = "ict") -> dict[str, int]:
    """What moved in the partnership's row, in thousands of pounds; the kinds that came to nothing are left out."""
    row = movements.row_of(workstream, PARTNERSHIP)
    assert row is not None
    return {kind.value: pence // 100_000 for kind, pence in row.parts.items() if pence}


def test_where_nothing_was_stated_before_the_whole_movement_is_new() -> None:
    movements = moved([], january_2012())
    total, home = movements.totals
    assert (total.old_pence, total.new_pence, total.pence) == (0, 8_385_000_000, 8_385_000_000)
    assert total.parts[MovementKind.NEW] == total.rows_pence == 8_385_000_000
    assert home.parts[MovementKind.NEW] == 694_400_000


def test_where_nothing_changed_nothing_moved() -> None:
    movements = moved(january_2012(), january_2012())
    assert movements.moved == ()
    assert [total.pence for total in movements.totals] == [0, 0]


def test_a_figure_stated_again_otherwise_is_corrected_and_says_who_why_and_in_which_return() -> None:
    movements = moved([posted("ict", "2011/12", "£250k")], [posted("ict", "2011/12", "£350k", entry=RECOUNTED)])
    assert parts(movements) == {"corrected": 100}
    (row,) = movements.moved
    (change,) = row.changes
    assert change.reasons == ("The supply chain review found more.",)
    assert [(entry.submission_id, entry.stated_by) for entry in change.because] == [("a-correction", "lead-highways")]
    assert (row.old_pence, row.new_pence, row.pence) == (25_000_000, 35_000_000, 10_000_000)


def test_what_was_lost_in_one_year_and_gained_in_another_is_reprofiled_and_comes_to_nothing() -> None:
    movements = moved(
        [posted("ict", "2011/12", "£3m"), posted("ict", "2012/13", "£1m")],
        [posted("ict", "2011/12", "£1m"), posted("ict", "2012/13", "£1m"), posted("ict", "2013/14", "£2m")],
    )
    assert parts(movements) == {}
    (row,) = movements.moved
    assert [(change.kind, str(change.account.year), change.pence) for change in row.changes] == [
        (MovementKind.REPROFILED, "2011/12", -200_000_000),
        (MovementKind.REPROFILED, "2013/14", 200_000_000),
    ]


@pytest.mark.parametrize(
    ("later_year_before", "remainder"),
    [("£1m", {"corrected": 500}), (None, {"new": 500})],
    ids=["stated", "not stated"],
)
def test_what_was_gained_beyond_what_was_lost_stays_what_it_is(
    later_year_before: str | None, remainder: dict[str, int]
) -> None:
    before = [posted("ict", "2011/12", "£3m")]
    before += [posted("ict", "2012/13", later_year_before)] if later_year_before else []
    gained = "£3.5m" if later_year_before else "£2.5m"
    movements = moved(before, [posted("ict", "2011/12", "£1m"), posted("ict", "2012/13", gained)])
    assert parts(movements) == remainder
    (row,) = movements.moved
    assert [change.pence for change in row.changes if change.kind is MovementKind.REPROFILED] == [
        -200_000_000,
        200_000_000,
    ]


def test_what_one_initiative_lost_and_another_gained_is_not_reprofiled() -> None:
    movements = moved(
        [posted("ict", "2011/12", "£3m", initiative="Data Centres")],
        [
            posted("ict", "2011/12", "£2m", initiative="Data Centres"),
            posted("ict", "2012/13", "£1m", initiative="Networks"),
        ],
    )
    assert parts(movements) == {"corrected": -1000, "new": 1000}


def test_an_estimate_that_became_a_forecast_has_changed_basis() -> None:
    estimate = posted("ict", "2011/12", "£5m")
    movements = moved([estimate], [estimate, posted("ict", "2011/12", "£4m", basis=Basis.FORECAST, entry=RECOUNTED)])
    assert parts(movements) == {"changed_basis": -1000}
    (change,) = movements.moved[0].changes
    assert change.before is not None
    assert change.after is not None
    assert (change.before.account.basis, change.after.account.basis) == (Basis.ESTIMATE, Basis.FORECAST)
    assert change.because == (RECOUNTED,)


def test_a_forecast_delivered_in_full_is_told_though_it_comes_to_nothing() -> None:
    forecast = posted("ict", "2011/12", "£5m", basis=Basis.FORECAST)
    movements = moved([forecast], [forecast, posted("ict", "2011/12", "£5m", basis=Basis.ACTUAL)])
    assert [(change.kind, change.pence) for change in movements.moved[0].changes] == [(MovementKind.CHANGED_BASIS, 0)]


def test_a_figure_delivered_as_another_benefit_has_changed_basis_in_each_benefits_own_view() -> None:
    before = [posted("ict", "2011/12", "£5m", benefit=Benefit.CASH_RELEASING)]
    after = [*before, posted("ict", "2011/12", "£4m", basis=Basis.ACTUAL, benefit=Benefit.AVOIDED_COST)]
    for benefit, pence in ((Benefit.CASH_RELEASING, -5000), (Benefit.AVOIDED_COST, 4000)):
        question = Question(home=EAST_SUSSEX, selection=Selection(benefit=benefit))
        assert parts(moved(before, after, question)) == {"changed_basis": pence}
    assert parts(moved(before, after)) == {"changed_basis": -1000}


def test_where_one_basis_is_asked_for_a_figure_of_another_moves_nothing() -> None:
    estimate = posted("ict", "2011/12", "£5m")
    question = Question(home=EAST_SUSSEX, selection=Selection(basis=BasisChoice.ESTIMATE))
    assert moved([estimate], [estimate, posted("ict", "2011/12", "£4m", basis=Basis.ACTUAL)], question).moved == ()


def test_a_placeholder_that_became_a_figure_is_new_and_a_figure_withdrawn_is_corrected() -> None:
    waiting, stated = posted("ict", "2011/12", Status.TO_BE_CONFIRMED), posted("ict", "2011/12", "£5m")
    assert parts(moved([waiting], [stated])) == {"new": 5000}
    assert parts(moved([stated], [waiting])) == {"corrected": -5000}
    assert moved([waiting], [posted("ict", "2011/12", Status.SEE_NARRATIVE)]).moved == ()


def test_a_cost_counts_against_the_saving_where_the_movement_is_of_a_net() -> None:
    question = Question(home=EAST_SUSSEX, selection=Selection(flow=FlowChoice.NET))
    saving = posted("ict", "2011/12", "£5m")
    assert parts(moved([saving], [saving, posted("ict", "2011/12", "£2m", flow=Flow.COST)], question)) == {"new": -2000}


def test_a_figure_outside_the_table_moves_nothing_in_it() -> None:
    movements = moved([], [posted("ict", "2031/32", "£5m"), posted("ict", "2011/12", "£1m", scope="E10000030")])  # type: ignore[arg-type]
    assert movements.moved == ()


def test_a_workstream_that_the_partnerships_file_no_longer_names_is_still_in_the_movement() -> None:
    figures = [posted("ict", "2011/12", "£5m"), posted("sen", "2011/12", "£1m")]
    smaller = Partnership.model_construct(
        **{**SE7.__dict__, "workstreams": tuple(each for each in SE7.workstreams if each.code != "ict")}
    )
    after = State("Draft", build_table(smaller, figures, (), HOME), tuple(figures))
    movements = movements_between(state(*figures), after)
    assert movements.holds
    assert parts(movements) == {"corrected": -5000}
    assert movements.totals[0].pence == -500_000_000


def test_tables_of_different_selections_have_no_movement() -> None:
    net = Question(home=EAST_SUSSEX, selection=Selection(flow=FlowChoice.NET))
    with pytest.raises(ValueError, match="one home council and one selection"):
        movements_between(state(), state(question=net))


def test_every_kind_has_its_words() -> None:
    assert list(KINDS) == list(MovementKind)


@given(standing, standing, selections)
def test_whatever_moved_the_parts_add_up_to_the_movement_of_every_row_and_total(
    before: list[Posted], after: list[Posted], selection: Selection
) -> None:
    question = Question(home=EAST_SUSSEX, selection=selection)
    movements = moved(before, after, question)
    old, new = movements.before.table, movements.after.table
    for row, was, now in zip(movements.rows, old.rows, new.rows, strict=True):
        assert sum(row.parts.values()) == (now.total.pence or 0) - (was.total.pence or 0)
        assert sum(year.pence for year in row.years) == row.pence
        assert row.parts[MovementKind.REPROFILED] == 0
        in_years = {str(year.year): year.pence for year in row.years}
        for change in row.changes:
            in_years[str(change.account.year)] = in_years[str(change.account.year)] - change.pence  # type: ignore[assignment]
        assert set(in_years.values()) == {0}, "the changes of each year are that year's movement"
    for total, was_total, now_total in zip(movements.totals, old.totals, new.totals, strict=True):
        assert total.pence == (now_total.total.pence or 0) - (was_total.total.pence or 0)
        assert sum(total.parts.values()) == total.rows_pence == total.pence


@given(standing, standing, selections)
def test_the_way_back_is_the_way_there_with_the_sign_turned(
    before: list[Posted], after: list[Posted], selection: Selection
) -> None:
    question = Question(home=EAST_SUSSEX, selection=selection)
    there, back = moved(before, after, question), moved(after, before, question)
    assert [row.pence for row in there.rows] == [-row.pence for row in back.rows]


def test_recurrence_is_part_of_what_a_figure_is() -> None:
    movements = moved(
        [posted("ict", "2011/12", "£5m")],
        [posted("ict", "2011/12", "£0"), posted("ict", "2012/13", "£5m", recurrence=Recurrence.ONE_OFF)],
    )
    assert parts(movements) == {"corrected": -5000, "new": 5000}
