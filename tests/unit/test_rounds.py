"""A round's coverage: what has come on time or late, what is carried forward, what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from services.reporting.rounds import Presence, Round, coverage_of, expected_by_default, open_round
from services.reporting.table import Question, build_table
from shared.figures import PARTNERSHIP, Scope, Stream, WorkstreamCode
from tests.reporting_figures import EAST_SUSSEX, KENT, SE7, january_2012, posted

MADE = datetime(2011, 11, 1, 9, tzinfo=UTC)


def stream(workstream: str, scope: Scope = PARTNERSHIP) -> Stream:
    return Stream(WorkstreamCode(workstream), scope)


def a_round(*expected: Stream, number: int = 1) -> Round:
    """December 2011: opens on the 1st, due on the 16th, closes on the 31st."""
    days = (date(2011, 12, 1), date(2011, 12, 16), date(2011, 12, 31))
    return Round(number, "December 2011", *days, MADE, expected)


def test_a_return_by_the_end_of_the_due_day_is_on_time_and_later_it_is_late() -> None:
    coverage = coverage_of(
        SE7,
        a_round(stream("ict"), stream("waste"), stream("sen"), stream("highways")),
        {
            stream("ict"): datetime(2011, 12, 16, 23, 59, tzinfo=UTC),
            stream("waste"): datetime(2011, 12, 17, 0, 0, tzinfo=UTC),
        },
        {stream("ict"), stream("sen")},
    )
    assert {each.stream.workstream: each.presence for each in coverage.streams} == {
        "ict": Presence.ON_TIME,
        "waste": Presence.LATE,
        "sen": Presence.CARRIED_FORWARD,
        "highways": Presence.MISSING,
    }
    assert coverage.counts == dict.fromkeys(Presence, 1)
    assert coverage.text == (
        "in the round December 2011, due 16 December 2011, 2 of 4 returns have come, 1 of them after the due date; "
        "1 is carried forward from before it; 1 has no figure at all. "
        "The partnership figures carried forward are those of Special Educational Needs (SEN)"
    )


def test_the_due_day_is_that_of_the_councils_clocks() -> None:
    summer = replace(a_round(stream("ict")), opens=date(2012, 6, 1), due=date(2012, 6, 16), closes=date(2012, 6, 30))
    just_after = {stream("ict"): datetime(2012, 6, 16, 23, 30, tzinfo=UTC)}
    assert coverage_of(SE7, summer, just_after, set()).streams[0].presence is Presence.LATE


def test_every_figure_of_the_table_is_expected_of_the_councils_that_exist() -> None:
    first = SE7.councils[0].model_copy(update={"ends": date(2011, 11, 30)})
    partnership = SE7.model_copy(update={"councils": (first, *SE7.councils[1:])})
    expected = expected_by_default(partnership, date(2011, 12, 1), date(2011, 12, 31))
    assert len(expected) == len(SE7.workstreams) * len(SE7.councils)
    assert first.scope not in {each.scope for each in expected}


def test_what_is_expected_is_told_in_the_order_of_the_table() -> None:
    coverage = coverage_of(SE7, a_round(*expected_by_default(SE7, date.min, date.max)), {}, set())
    order = [
        (each.code, scope) for each in SE7.workstreams for scope in (PARTNERSHIP, *[c.scope for c in SE7.councils])
    ]
    assert [(each.stream.workstream, each.stream.scope) for each in coverage.streams] == order


def test_the_round_that_is_open_is_the_last_made_whose_days_include_the_day() -> None:
    first, second = a_round(), a_round(number=2)
    later_made = replace(a_round(number=3), made_at=datetime(2011, 12, 20, tzinfo=UTC))
    assert open_round([first, second], datetime(2011, 12, 1, tzinfo=UTC)) == second
    assert open_round([first, later_made], datetime(2011, 12, 10, tzinfo=UTC)) == first, "it was not made yet"
    assert open_round([first, second], datetime(2012, 1, 1, tzinfo=UTC)) is None


def test_a_row_for_which_nothing_has_come_is_marked_as_carried_forward_and_the_line_says_so() -> None:
    figures = january_2012()
    coverage = coverage_of(
        SE7,
        a_round(stream("ict"), stream("ict", EAST_SUSSEX), stream("waste"), stream("waste", KENT)),
        {stream("ict"): datetime(2011, 12, 7, tzinfo=UTC)},
        {each.account.stream for each in figures},
    )
    table = build_table(SE7, figures, (), Question(home=EAST_SUSSEX), coverage)
    marked = {
        (row.workstream.code, row.scope) for row in table.rows if any(cell.is_carried_forward for cell in row.cells)
    }
    assert marked == {("ict", EAST_SUSSEX), ("waste", PARTNERSHIP)}
    assert "In the round December 2011, due 16 December 2011, 1 of 4 returns has come" in table.coverage.text
    assert table.coverage.text.endswith("The partnership figures carried forward are those of Waste.")


def test_a_cell_without_a_figure_carries_nothing_forward() -> None:
    figures = [posted("ict", "2012/13", "£1m")]
    coverage = coverage_of(SE7, a_round(stream("ict")), {}, {stream("ict")})
    (row,) = [row for row in build_table(SE7, figures, (), Question(), coverage).rows if row.workstream.code == "ict"]
    assert [cell.is_carried_forward for cell in row.cells] == [False, True, False, False]
