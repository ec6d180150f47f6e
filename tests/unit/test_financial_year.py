from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.financial_year import FinancialYear

days = st.dates(date(1901, 1, 1), date(2199, 1, 1))


@given(days)
def test_every_day_falls_in_the_year_that_contains_it(day: date) -> None:
    year = FinancialYear.containing(day)
    assert year.first_day <= day <= year.last_day
    assert FinancialYear.parse(str(year)) == year


def test_the_turn_of_a_century_is_written_like_any_other() -> None:
    assert str(FinancialYear(1999)) == "1999/00"
    assert FinancialYear.parse("1999/00") == FinancialYear(1999)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("2011/13", "starts in 2011 is written 2011/12"),
        ("2011-12", "written like 2011/12"),
        ("11/12", "written like 2011/12"),
        ("2011/12 ", "written like 2011/12"),
        ("9999/00", "between 1900 and 2199"),
    ],
)
def test_a_year_that_is_no_financial_year_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        FinancialYear.parse(text)


def test_a_year_has_ended_on_its_last_day() -> None:
    year = FinancialYear.parse("2011/12")
    assert not year.has_ended_by(date(2012, 3, 30))
    assert year.has_ended_by(date(2012, 3, 31))


def test_years_run_through_the_last_one() -> None:
    years = FinancialYear.parse("2011/12").through(FinancialYear.parse("2014/15"))
    assert [str(year) for year in years] == ["2011/12", "2012/13", "2013/14", "2014/15"]
