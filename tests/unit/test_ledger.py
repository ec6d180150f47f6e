"""Posting: what a return does to its accounts, now and as at any day, as known at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tracker.ledger import Entry, Head, Held, post, why_not_postable
from shared.events import LineAccepted, ReturnAccepted
from shared.figures import Basis, Benefit, Confidence, Flow, Recurrence, Status, Stream
from shared.money import LIMIT_PENCE
from tests.tracker_deployment import DAY, Sender, line

EARLIER, LATER = DAY - timedelta(days=30), DAY + timedelta(days=30)


class Books:
    """A ledger kept in memory, by the rule alone."""

    def __init__(self) -> None:
        self.held: dict[str, Held] = {}
        self.heads: dict[Stream, Head] = {}
        self.posted: list[tuple[ReturnAccepted, Entry]] = []

    def post(self, accepted: ReturnAccepted) -> Sequence[Entry]:
        stream = accepted.stream
        outcome = post(accepted, self.held, self.heads.get(stream) or Head.of_nothing(stream))
        self.held |= outcome.held
        self.heads[stream] = outcome.head
        self.posted.extend((accepted, entry) for entry in outcome.entries)
        return outcome.entries


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def sender() -> Sender:
    return Sender()


def test_the_first_figure_of_an_account_moves_it_by_its_amount(books: Books, sender: Sender) -> None:
    [entry] = books.post(sender.accepts(line(300)))
    assert (entry.number, entry.movement_pence, entry.balance_pence) == (1, 30_000, 30_000)


def test_a_correction_moves_the_balance_by_the_difference(books: Books, sender: Sender) -> None:
    books.post(sender.accepts(line(300)))
    [entry] = books.post(sender.accepts(line(250), as_at=LATER))
    assert (entry.number, entry.movement_pence, entry.balance_pence) == (2, -5_000, 25_000)


def test_on_one_day_the_figure_recorded_last_stands(books: Books, sender: Sender) -> None:
    books.post(sender.accepts(line(300)))
    [entry] = books.post(sender.accepts(line(200)))
    assert (entry.movement_pence, entry.balance_pence) == (-10_000, 20_000)


def test_a_return_about_an_earlier_day_is_entered_and_moves_nothing(books: Books, sender: Sender) -> None:
    books.post(sender.accepts(line(300)))
    before = dict(books.held)
    [entry] = books.post(sender.accepts(line(999), as_at=EARLIER))
    assert (entry.number, entry.movement_pence, entry.balance_pence) == (2, 0, 30_000)
    [(account, held)] = books.held.items()
    assert held == before[account]._replace(entry_count=2)


@pytest.mark.parametrize("status", [Status.NIL, Status.TO_BE_CONFIRMED, Status.SEE_NARRATIVE])
def test_what_is_not_quantified_counts_nothing_and_takes_back_what_was(
    books: Books, sender: Sender, status: Status
) -> None:
    books.post(sender.accepts(line(300)))
    [entry] = books.post(sender.accepts(line(None, status=status)))
    assert (entry.movement_pence, entry.balance_pence) == (-30_000, 0)
    assert [held.status for held in books.held.values()] == [status]


def test_a_return_leaves_alone_the_accounts_that_it_does_not_name(books: Books, sender: Sender) -> None:
    books.post(sender.accepts(line(300), line(200, "2012/13")))
    books.post(sender.accepts(line(100, "2012/13")))
    assert sorted(held.balance_pence for held in books.held.values()) == [10_000, 30_000]


@pytest.mark.parametrize(
    "other",
    [
        line(7, "2012/13"),
        line(7, initiative="Data Centres"),
        line(7, basis=Basis.FORECAST),
        line(7, benefit=Benefit.AVOIDED_COST),
        line(7, recurrence=Recurrence.ONE_OFF),
        line(7, flow=Flow.COST),
    ],
)
def test_each_dimension_makes_an_account_of_its_own(books: Books, sender: Sender, other: LineAccepted) -> None:
    books.post(sender.accepts(line(300), other))
    assert len(books.held) == 2


def test_a_confidence_does_not(books: Books, sender: Sender) -> None:
    books.post(sender.accepts(line(300)))
    books.post(sender.accepts(line(300, confidence=Confidence.FIRM)))
    assert [held.confidence for held in books.held.values()] == [Confidence.FIRM]


def test_entries_of_a_stream_are_numbered_without_a_gap_and_streams_apart(books: Books, sender: Sender) -> None:
    books.post(sender.accepts(line(1), line(2, "2012/13")))
    books.post(sender.accepts(line(3), workstream="sen"))
    books.post(sender.accepts(line(4)))
    assert [(accepted.workstream, entry.number) for accepted, entry in books.posted] == [
        ("ict", 1),
        ("ict", 2),
        ("sen", 1),
        ("ict", 3),
    ]


def test_a_line_stated_twice_in_a_return_is_posted_twice_and_the_last_one_stands(books: Books, sender: Sender) -> None:
    """Intake lets no such return through; the tracker rejects none."""
    first, second = books.post(sender.accepts(line(300), line(200)))
    assert (first.movement_pence, second.movement_pence, second.balance_pence) == (30_000, -10_000, 20_000)


def test_a_version_that_comes_late_counts_by_its_rank(books: Books, sender: Sender) -> None:
    first, second = sender.accepts(line(300)), sender.accepts(line(200))
    books.post(second)
    [entry] = books.post(first)
    assert (entry.movement_pence, entry.balance_pence) == (0, 20_000)
    assert books.heads[first.stream].version == 2


def test_the_quick_text_of_an_account_is_the_account_s_own(sender: Sender) -> None:
    one = line(1, initiative="Desktops | Mobile, Flexible", basis=Basis.ACTUAL, flow=Flow.COST)
    accepted = sender.accepts(one, line(2))
    assert accepted.accounts == tuple(str(each.account_in(accepted.stream)) for each in accepted.lines)


class TestWhatCannotBePosted:
    def test_an_ordinary_return_can(self, sender: Sender) -> None:
        accepted = sender.accepts(line(300), line(None, status=Status.NIL))
        assert why_not_postable(accepted, "se7") is None

    def test_a_return_of_another_partnership(self, sender: Sender) -> None:
        reason = why_not_postable(sender.accepts(line(300)), "east-midlands")
        assert reason == "it is of the partnership se7, and these are the ledgers of east-midlands"

    def test_a_version_below_one(self, sender: Sender) -> None:
        assert (
            why_not_postable(sender.accepts(line(300), version=0), "se7")
            == "its version is 0, and versions count from 1"
        )

    def test_a_moment_without_its_zone(self, sender: Sender) -> None:
        accepted = sender.accepts(line(300))
        naive = accepted.model_copy(update={"recorded_at": accepted.recorded_at.replace(tzinfo=None)})
        assert why_not_postable(naive, "se7") == "its recorded_at does not say in which time zone it is"

    @pytest.mark.parametrize(
        ("bad", "reason"),
        [
            (line(300, "2011/13"), "line 1: '2011/13' is not a financial year"),
            (line(None), "line 1: the status quantified and the amount None contradict each other"),
            (line(5, status=Status.NIL), "line 1: the status nil and the amount 500 contradict each other"),
            (
                line(0, amount_pence=LIMIT_PENCE),
                "line 1: the amount 100000000000000 is not below £1 trillion",
            ),
        ],
    )
    def test_a_line_that_no_ledger_could_be_read_with(self, sender: Sender, bad: LineAccepted, reason: str) -> None:
        assert why_not_postable(sender.accepts(line(300), bad), "se7") == reason


figures = st.one_of(
    st.integers(-1_000, 1_000).map(lambda pounds: line(pounds)),
    st.sampled_from([Status.NIL, Status.TO_BE_CONFIRMED, Status.SEE_NARRATIVE]).map(
        lambda status: line(None, status=status)
    ),
)
stated = st.tuples(
    st.sampled_from(["ict", "sen"]),
    st.integers(-3, 3),
    st.dictionaries(st.sampled_from(["2011/12", "2012/13"]), figures, min_size=1, max_size=2),
)


def posted(history: Sequence[tuple[str, int, dict[str, LineAccepted]]]) -> Books:
    books, sender = Books(), Sender()
    for workstream, days, lines in history:
        named = [one.model_copy(update={"year": year}) for year, one in lines.items()]
        books.post(sender.accepts(*named, workstream=workstream, as_at=DAY + timedelta(days=days)))
    return books


@given(st.lists(stated, max_size=12))
def test_after_every_entry_the_balance_is_the_sum_of_the_movements(
    history: list[tuple[str, int, dict[str, LineAccepted]]],
) -> None:
    books = posted(history)
    moved: dict[str, int] = {}
    for _, entry in books.posted:
        moved[entry.account] = moved.get(entry.account, 0) + entry.movement_pence
        assert entry.balance_pence == moved[entry.account]
    assert {account: held.balance_pence for account, held in books.held.items()} == moved
    for stream, head in books.heads.items():
        of_stream = [entry for accepted, entry in books.posted if accepted.stream == stream]
        assert head.movements_pence == sum(entry.movement_pence for entry in of_stream)
        assert head.entry_count == len(of_stream)


@given(st.lists(stated, max_size=12))
def test_what_stands_is_the_figure_of_the_highest_rank(
    history: list[tuple[str, int, dict[str, LineAccepted]]],
) -> None:
    books = posted(history)
    for account, held in books.held.items():
        ranked = [
            (accepted.as_at, accepted.version, entry.line.status, entry.line.amount_pence)
            for accepted, entry in books.posted
            if entry.account == account
        ]
        assert (held.as_at, held.version, held.status, held.amount_pence) == max(ranked, key=lambda one: one[:2])
        assert held.entry_count == len(ranked)


@given(st.lists(stated, min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_what_stands_does_not_depend_on_the_order_in_which_returns_come(
    history: list[tuple[str, int, dict[str, LineAccepted]]], chance: Random
) -> None:
    in_order = posted(history)
    returns = list({accepted.submission_id: accepted for accepted, _ in in_order.posted}.values())
    chance.shuffle(returns)
    shuffled = Books()
    for accepted in returns:
        shuffled.post(accepted)

    def standing(books: Books) -> dict[str, tuple[object, ...]]:
        return {account: held._replace(entry_number=0) for account, held in books.held.items()}

    assert standing(shuffled) == standing(in_order)
