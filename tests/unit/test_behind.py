"""How far behind a reader is, and since when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.behind import Behind, Lag

TOPIC = "savings.submissions.v1[3]"


def test_a_quiet_topic_is_never_behind_however_long_it_is_quiet() -> None:
    behind = Behind()
    for now in range(0, 7_200, 5):
        behind.look(now, {TOPIC: (41, 41)})
        assert behind.lag(now) == Lag(0, 0.0)
        assert behind.still(now) is None


def test_what_comes_after_a_long_quiet_has_only_just_begun_to_wait() -> None:
    behind = Behind()
    behind.look(0, {TOPIC: (41, 41)})
    behind.look(3_600, {TOPIC: (41, 44)})
    assert behind.lag(3_600) == Lag(3, 0.0)
    still = behind.still(3_600)
    assert still is not None
    assert still.seconds == 0


def test_a_reader_that_stands_still_is_told_with_its_place_and_how_long() -> None:
    behind = Behind()
    behind.look(0, {TOPIC: (41, 44), "savings.submissions.v1[4]": (7, 7)})
    behind.look(62, {TOPIC: (41, 58), "savings.submissions.v1[4]": (7, 9)})
    assert str(behind.still(62)) == f"{TOPIC} has not moved for 62 s, with 17 waiting"
    assert behind.lag(62) == Lag(19, 62.0)


def test_a_reader_that_moves_is_behind_but_not_still() -> None:
    behind = Behind()
    for second in range(0, 600, 5):
        behind.look(second, {TOPIC: (second, second + 40)})
        still = behind.still(second)
        assert still is not None
        assert still.seconds == 0
    # What ended the log 40 s ago is being read only now.
    assert behind.lag(595) == Lag(40, 35.0)


def test_a_partition_that_another_process_reads_now_is_forgotten() -> None:
    behind = Behind()
    behind.look(0, {TOPIC: (0, 9)})
    behind.look(30, {})
    assert behind.lag(30) == Lag(0, 0.0)
    behind.look(90, {TOPIC: (0, 9)})
    assert behind.lag(90) == Lag(9, 0.0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=2_000))
def test_it_waits_no_longer_than_it_has_been_looked_at_and_nothing_waits_where_all_was_read(
    steps: list[tuple[int, int]],
) -> None:
    behind, position, end = Behind(), 0, 0
    for now, (read, came) in enumerate(steps):
        end += came
        position = min(position + read, end)
        behind.look(now, {TOPIC: (position, end)})
        lag, still = behind.lag(now), behind.still(now)
        assert lag.messages == end - position
        assert 0 <= lag.seconds <= now
        assert (still is None) == (position == end)
        if still is not None:
            assert still.seconds <= lag.seconds


def test_a_long_standstill_is_remembered_in_little_room() -> None:
    behind = Behind()
    for second in range(5_000):
        behind.look(second, {TOPIC: (0, second + 1)})
    assert behind.lag(4_999) == Lag(5_000, 4_999.0)
    assert len(behind._places[TOPIC].ends_seen) <= 501
