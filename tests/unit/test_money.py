import contextlib
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.money import LIMIT_PENCE, as_decimal, full_text, parse_pounds, pounds, short_text

amounts_pence = st.integers(-LIMIT_PENCE + 1, LIMIT_PENCE - 1)


@pytest.mark.parametrize(
    ("text", "pence"),
    [
        ("300000.00", 30_000_000),
        ("0", 0),
        ("12.5", 1_250),
        ("£200k", 20_000_000),
        ("£1.25m", 125_000_000),
        ("£36.25m", 3_625_000_000),
        ("£1bn", 100_000_000_000),
        ("1,162,000", 116_200_000),
        ("£1,162,000.05", 116_200_005),
        ("-£50k", -5_000_000),
        ("\u2212£50k", -5_000_000),
        (" £2k ", 200_000),
    ],
)
def test_an_amount_is_read_as_people_write_it(text: str, pence: int) -> None:
    assert parse_pounds(text) == pence


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "written in pounds"),
        ("NaN", "written in pounds"),
        ("Infinity", "written in pounds"),
        ("1e6", "written in pounds"),
        ("12,34", "written in pounds"),
        ("£1.2.3m", "written in pounds"),
        ("٣", "written in pounds"),
        ("1.234", "at most two decimals"),
        ("£0.0000001k", "whole number of pence"),
        ("1000000000000", "less than £1 trillion"),
        ("-£1000bn", "less than £1 trillion"),
    ],
)
def test_what_is_no_amount_is_refused_in_words(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_pounds(text)


@pytest.mark.parametrize(
    ("pence", "text"),
    [
        (200_000, "£2k"),
        (43_400_000, "£434k"),
        (125_000_000, "£1.25m"),
        (116_900_000, "£1.169m"),
        (3_625_000_000, "£36.25m"),
        (8_385_000_000, "£83.85m"),
        (100_000_000_000, "£1bn"),
        (99_900, "£999"),
        (99_999_900, "£999.999k"),
        (100_050_000, "£1,000,500"),
        (123_456_789, "£1,234,567.89"),
        (50, "£0.50"),
        (0, "£0"),
        (-20_000_000, "-£200k"),
    ],
)
def test_short_text_is_what_the_printed_table_shows(pence: int, text: str) -> None:
    assert short_text(pence) == text


@given(amounts_pence)
@example(100_000)
@example(99_999)
@example(-1)
def test_no_text_of_an_amount_ever_rounds_it(pence: int) -> None:
    assert parse_pounds(short_text(pence)) == pence
    assert parse_pounds(full_text(pence)) == pence
    assert parse_pounds(pounds(pence)) == pence
    assert as_decimal(pence) == Decimal(pence) / 100


@given(st.text(alphabet="£-0123456789.,kmbn ", max_size=12))
def test_any_text_is_either_read_within_the_limit_or_refused_as_an_amount(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert abs(parse_pounds(text)) < LIMIT_PENCE
