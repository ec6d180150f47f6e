"""How often something may happen in a minute."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.rate import WINDOW_SECONDS, Rate


class Clock:
    def __init__(self) -> None:
        self.seconds = 6_000.0

    def __call__(self) -> float:
        return self.seconds


def test_each_name_has_its_own_limit() -> None:
    rate = Rate(2, Clock())
    assert [rate.take("kent") for _ in range(3)] == [True, True, False]
    assert rate.take("surrey")


def test_asking_whether_there_is_room_takes_none() -> None:
    rate = Rate(1, Clock())
    assert all(rate.has_room("kent") for _ in range(3))
    rate.count("kent")
    assert not rate.has_room("kent")


def test_the_turn_of_a_minute_does_not_double_what_may_happen() -> None:
    clock = Clock()
    rate = Rate(60, clock)
    clock.seconds += 59
    assert all(rate.take("kent") for _ in range(60))
    clock.seconds += 2
    # One second of the minute before lies sixty seconds back: one of its sixty no longer counts.
    assert sum(rate.take("kent") for _ in range(60)) == 1
    clock.seconds += 30
    assert sum(rate.take("kent") for _ in range(60)) == 30


def test_after_two_quiet_minutes_nothing_is_remembered() -> None:
    clock = Clock()
    rate = Rate(1, clock)
    assert rate.take("kent")
    clock.seconds += 2 * WINDOW_SECONDS
    assert rate.take("kent")
    assert not rate.take("kent")


@given(st.lists(st.floats(min_value=0, max_value=90), max_size=200), st.integers(1, 20))
def test_no_calendar_minute_ever_has_more_than_the_limit(pauses: list[float], limit: int) -> None:
    clock = Clock()
    rate = Rate(limit, clock)
    taken: dict[float, int] = {}
    for pause in pauses:
        clock.seconds += pause
        if rate.take("kent"):
            minute = clock.seconds // WINDOW_SECONDS
            taken[minute] = taken.get(minute, 0) + 1
    assert all(count <= limit for count in taken.values())
