"""The rules of a return about its lines, each and together, and what a line does to its account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.form import read_return
from services.intake.stated_figures import StatedFigures
from services.intake.submission import Return, may_stand, results_of
from services.intake.vocabulary import Vocabulary
from shared.errors import Fault
from shared.figures import Standing
from shared.money import pounds
from shared.partnership import Partnership
from tests.builders import EAST_SUSSEX, SE7, SURREY, WORDS, a_line, a_return, read, the_return

TODAY = date(2030, 1, 1)
SE7_FILE = Path("deploy/partnerships/se7.toml").read_text(encoding="utf-8")
WITH_LATER_YEARS = Partnership.parse(SE7_FILE.replace('last_year = "2014/15"', 'last_year = "2028/29"'))


def stated(*returns: Return) -> StatedFigures:
    """What is known after these returns have been recorded in this order."""
    figures = StatedFigures()
    for version, return_ in enumerate(returns, 1):
        for line in return_.lines:
            figures.add(line.account, line.key, Standing(return_.as_at, version), line.figure)
    return figures


def faults_of(return_: Return, *before: Return) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in may_stand(return_, stated(*before), SE7)]


def the_fault(return_: Return, *before: Return) -> Fault:
    [fault] = may_stand(return_, stated(*before), SE7)
    return fault


def test_an_ordinary_return_may_stand() -> None:
    assert faults_of(the_return()) == []


class TestBasisAndYear:
    @pytest.mark.parametrize(
        ("basis", "as_at", "code"),
        [
            ("actual", "2012-03-31", None),
            ("actual", "2012-03-30", "actual-before-year-end"),
            ("forecast", "2012-03-30", None),
            ("forecast", "2012-03-31", "forecast-after-year-end"),
            ("estimate", "2012-03-30", None),
            ("estimate", "2012-03-31", None),
        ],
    )
    def test_an_actual_is_about_a_year_that_has_ended_and_a_forecast_about_one_that_has_not(
        self, basis: str, as_at: str, code: str | None
    ) -> None:
        return_ = read(a_return(a_line(basis=basis), as_at=as_at), TODAY).return_
        assert return_ is not None
        assert faults_of(return_) == ([("/lines/0/basis", code)] if code else [])

    def test_the_fault_names_the_day_the_year_ends(self) -> None:
        fault = the_fault(the_return(a_line(basis="actual")))
        assert fault.detail == (
            "An actual is about a year that has ended; 2011/12 ends on 2012-03-31, after 2011-12-07."
        )
        assert fault.allowed == ["estimate", "forecast"]


class TestReasons:
    def test_a_negative_saving_needs_a_reason(self) -> None:
        fault = the_fault(the_return(a_line(amount="-£50k")))
        assert (fault.pointer, fault.code, fault.given) == ("/lines/0/amount", "negative-without-reason", "-50000.00")
        assert fault.detail == "A saving of -£50k is negative and has no reason."

    def test_a_note_is_no_reason(self) -> None:
        assert faults_of(the_return(a_line(amount="-£50k", note="as agreed"))) != []

    @pytest.mark.parametrize(
        "with_reason",
        [the_return(a_line(amount="-1", reason="undone")), the_return(a_line(amount="-1"), reason="undone")],
    )
    def test_a_reason_on_the_line_or_for_the_whole_return_will_do(self, with_reason: Return) -> None:
        assert faults_of(with_reason) == []

    def test_a_negative_cost_needs_none(self) -> None:
        assert faults_of(the_return(a_line(amount="-1", flow="cost"))) == []

    def test_a_changed_figure_needs_a_reason_and_the_fault_gives_the_old_and_the_new(self) -> None:
        fault = the_fault(the_return(a_line(amount="£400k")), the_return())
        assert fault == Fault(
            "/lines/0/amount",
            "change-without-reason",
            "2011/12 was stated as £300k, and now as £400k; a change needs a reason.",
            "Give the reason, on the line or for the whole return, or state £300k as before.",
            "£400k",
            "£300k",
        )

    def test_the_same_figure_again_is_no_change(self) -> None:
        assert faults_of(the_return(a_line(confidence="firm")), the_return()) == []

    def test_from_an_amount_to_a_placeholder_is_a_change(self) -> None:
        fault = the_fault(the_return(a_line(status="to_be_confirmed", amount=...)), the_return())
        assert (fault.pointer, fault.given, fault.allowed) == ("/lines/0/status", "to be confirmed", "£300k")

    def test_from_nil_to_an_amount_is_a_change(self) -> None:
        assert the_fault(the_return(), the_return(a_line(status="nil", amount=...))).allowed == "nil"

    @pytest.mark.parametrize("status", ["to_be_confirmed", "see_narrative"])
    def test_from_a_placeholder_to_an_amount_is_none(self, status: str) -> None:
        assert faults_of(the_return(), the_return(a_line(status=status, amount=...))) == []

    def test_what_changes_is_the_figure_that_stands_as_at_the_date_of_the_return(self) -> None:
        december, january = the_return(), the_return(a_line(amount="£400k"), as_at="2012-01-10", reason="found more")
        between = the_return(a_line(amount="£400k"), as_at="2011-12-20")
        assert the_fault(between, december, january).allowed == "£300k"
        assert faults_of(the_return(a_line(), as_at="2011-12-20"), december, january) == []

    def test_on_the_same_date_the_last_recorded_stands(self) -> None:
        first, corrected = the_return(), the_return(a_line(amount="£400k"), reason="found more")
        assert faults_of(the_return(a_line(amount="£400k")), first, corrected) == []
        assert the_fault(the_return(), first, corrected).allowed == "£400k"

    def test_a_figure_of_a_later_date_does_not_make_a_late_one_a_change(self) -> None:
        assert faults_of(the_return(a_line(amount="1"), as_at="2011-11-01"), the_return()) == []


class TestTheSameAccountTwice:
    def test_the_later_line_is_at_fault_and_points_to_the_first(self) -> None:
        fault = the_fault(the_return(a_line(), a_line(year="2012/13"), a_line(amount="£400k", note="again")))
        assert (fault.pointer, fault.code) == ("/lines/2", "line-given-twice")
        assert (fault.given, fault.allowed) == ("£400k", "/lines/0 says £300k")

    @pytest.mark.parametrize(
        "other",
        [
            {"initiative": "Procurement"},
            {"year": "2012/13"},
            {"basis": "forecast"},
            {"benefit": "avoided_cost"},
            {"recurrence": "one_off"},
            {"flow": "cost"},
        ],
    )
    def test_lines_that_differ_in_anything_of_the_account_are_two(self, other: dict[str, Any]) -> None:
        assert faults_of(the_return(a_line(), a_line(**other))) == []

    def test_confidence_status_and_note_do_not_tell_accounts_apart(self) -> None:
        other = a_line(confidence="firm", status="nil", amount=..., note="x", cell="B7")
        assert faults_of(the_return(a_line(), other)) == [("/lines/1", "line-given-twice")]


class TestCumulative:
    def test_the_sum_of_the_workstream_as_a_whole_is_taken(self) -> None:
        second = a_line(year="2012/13", amount="£200k", cumulative="£500k", initiative="Data Centres")
        assert faults_of(the_return(a_line(), second)) == []

    def test_the_sum_of_the_lines_own_initiative_is_taken(self) -> None:
        second = a_line(year="2012/13", amount="£200k", cumulative="£200k", initiative="Data Centres")
        assert faults_of(the_return(a_line(), second)) == []

    def test_any_other_is_refused_naming_the_stated_and_the_computed_sums(self) -> None:
        second = a_line(year="2012/13", amount="£200k", cumulative="£450k", initiative="Data Centres")
        assert the_fault(the_return(a_line(), second)) == Fault(
            "/lines/1/cumulative",
            "cumulative-disagrees",
            "The cumulative is stated as £450k; the amounts of the years up to 2012/13, with those that stand from "
            "before, add up to £200k for Data Centres, and £500k for ICT as a whole.",
            "Correct the cumulative or the amounts, or leave the cumulative out.",
            "450000.00",
            ["200000.00", "500000.00"],
        )

    def test_where_both_sums_are_the_same_it_is_named_once(self) -> None:
        assert "add up to £300k for ICT as a whole." in the_fault(the_return(a_line(cumulative="1"))).detail

    def test_it_takes_in_what_stands_from_before_and_is_not_named_again(self) -> None:
        before = the_return(a_line(), a_line(year="2012/13", amount="£100k"))
        third = the_return(a_line(year="2013/14", amount="£50k", cumulative="£450k"))
        assert faults_of(third, before) == []
        assert faults_of(third) == [("/lines/0/cumulative", "cumulative-disagrees")]

    def test_it_takes_the_figure_of_this_return_over_the_one_that_stood(self) -> None:
        before = the_return(a_line(), a_line(year="2012/13", amount="£100k"))
        corrected = the_return(
            a_line(amount="£1m"), a_line(year="2013/14", amount="£50k", cumulative="£1.15m"), reason="found more"
        )
        assert faults_of(corrected, before) == []

    def test_it_leaves_out_later_years_and_figures_of_later_dates(self) -> None:
        later_year = the_return(a_line(year="2014/15", amount="£9m"))
        later_date = the_return(a_line(amount="£7m"), as_at="2012-01-20")
        second = the_return(a_line(year="2012/13", amount="£200k", cumulative="£200k"))
        assert faults_of(second, later_year, later_date) == []

    @pytest.mark.parametrize("apart", [{"basis": "forecast"}, {"flow": "cost"}])
    def test_bases_and_flows_are_never_added_up(self, apart: dict[str, Any]) -> None:
        second = a_line(year="2012/13", amount="£200k", cumulative="£200k", **apart)
        assert faults_of(the_return(a_line(), second)) == []
        second["cumulative"] = "£500k"
        assert faults_of(the_return(a_line(), second)) == [("/lines/1/cumulative", "cumulative-disagrees")]

    def test_a_placeholder_counts_nothing(self) -> None:
        first = a_line(status="see_narrative", amount=...)
        assert faults_of(the_return(first, a_line(year="2012/13", cumulative="£300k"))) == []

    def test_nothing_is_said_of_sums_over_lines_that_are_not_all_there(self) -> None:
        reading = read(a_return(a_line(amount="?"), a_line(year="2012/13", cumulative="£600k")))
        assert reading.return_ is not None
        assert may_stand(reading.return_, StatedFigures(), SE7, whole=False) == []

    @given(
        before=st.lists(st.integers(0, 10**8), min_size=4, max_size=4),
        now=st.dictionaries(st.integers(0, 3), st.integers(0, 10**8), min_size=1),
    )
    def test_it_is_the_running_sum_whatever_was_stated_before(self, before: list[int], now: dict[int, int]) -> None:
        years = list(WORDS.years)
        old = the_return(*(a_line(year=year, amount=pounds(pence)) for year, pence in zip(years, before, strict=True)))
        after = [now.get(place, pence) for place, pence in enumerate(before)]
        lines = [
            a_line(year=years[place], amount=pounds(pence), cumulative=pounds(sum(after[: place + 1])))
            for place, pence in now.items()
        ]
        assert faults_of(the_return(*lines, reason="as found"), old) == []
        lines[0]["cumulative"] = pounds(sum(after[: min(now) + 1]) + 10**10)
        assert faults_of(the_return(*lines, reason="as found"), old) == [
            ("/lines/0/cumulative", "cumulative-disagrees")
        ]


class TestCouncilsThatEnd:
    """Surrey ends on 31 March 2027, within a table that goes on."""

    @staticmethod
    def later(*lines: Any, **different: Any) -> Return:
        return_ = read_return(a_return(*lines, **different), Vocabulary(WITH_LATER_YEARS), TODAY).return_
        assert return_ is not None
        return return_

    def test_a_council_states_nothing_as_at_a_day_after_its_last(self) -> None:
        last_day = self.later(a_line(year="2026/27"), scope=SURREY, as_at="2027-03-31")
        assert faults_of(last_day) == []
        fault = the_fault(self.later(a_line(year="2026/27"), scope=SURREY, as_at="2027-04-01"))
        assert (fault.pointer, fault.code, fault.allowed) == ("/as_at", "council-ended", "2027-03-31 or earlier")
        assert fault.detail == "Surrey County Council ends on 2027-03-31; it states nothing as at 2027-04-01."

    def test_nor_as_the_lead_council(self) -> None:
        after = self.later(a_line(year="2026/27"), workstream="highways", scope="partnership", as_at="2027-04-01")
        assert faults_of(after) == [("/as_at", "council-ended")]

    def test_it_has_no_share_in_a_year_that_starts_after_its_last_day(self) -> None:
        fault = the_fault(self.later(a_line(year="2027/28"), scope=SURREY, as_at="2026-12-07"))
        assert (fault.pointer, fault.code, fault.allowed) == ("/lines/0/year", "council-ended", "years up to 2026/27")
        assert "2027-03-31" in fault.detail

    def test_the_partnership_and_other_councils_go_on(self) -> None:
        for scope in ("partnership", EAST_SUSSEX):
            assert faults_of(self.later(a_line(year="2027/28"), scope=scope, as_at="2027-12-07")) == []

    def test_a_council_that_starts_states_nothing_before(self) -> None:
        partnership = Partnership.parse(SE7_FILE.replace('"ESCC"', '"ESCC"\nstarts = 2012-04-01'))
        codes = [(fault.pointer, fault.code) for fault in may_stand(the_return(), StatedFigures(), partnership)]
        assert codes == [("/as_at", "council-not-started"), ("/lines/0/year", "council-not-started")]


def results(return_: Return, *before: Return) -> Iterator[tuple[int | None, int, bool]]:
    for result in results_of(return_, stated(*before)):
        previous = None if result.previous is None else result.previous.counted_pence
        yield previous, result.movement_pence, result.stands


class TestWhatALineDoes:
    def test_a_first_figure_moves_by_all_of_it(self) -> None:
        assert list(results(the_return())) == [(None, 300_000_00, True)]

    def test_a_changed_figure_moves_by_the_difference(self) -> None:
        assert list(results(the_return(a_line(amount="£250k")), the_return())) == [(300_000_00, -50_000_00, True)]

    def test_a_placeholder_after_an_amount_takes_it_away(self) -> None:
        confirmed_no_more = the_return(a_line(status="to_be_confirmed", amount=...))
        assert list(results(confirmed_no_more, the_return())) == [(300_000_00, -300_000_00, True)]

    def test_a_late_figure_is_history_and_moves_nothing_now(self) -> None:
        late = the_return(a_line(amount="£100k"), as_at="2011-11-01")
        assert list(results(late, the_return())) == [(None, 0, False)]

    def test_a_late_figure_replaces_the_one_as_at_its_own_date(self) -> None:
        november, december = the_return(a_line(amount="£100k"), as_at="2011-11-01"), the_return()
        late = the_return(a_line(amount="£120k"), as_at="2011-11-15")
        assert list(results(late, november, december)) == [(100_000_00, 0, False)]

    def test_on_the_same_date_the_last_recorded_wins(self) -> None:
        assert list(results(the_return(a_line(amount="£1m")), the_return())) == [(300_000_00, 700_000_00, True)]
