"""The chain of a stream: its hashes by the letter of the description, and what they make impossible."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tracker import chain
from services.tracker.chain import Hash
from services.tracker.ledger import Head, post
from shared.events import ReturnAccepted, Source, StatedBy
from shared.figures import PARTNERSHIP, Confidence, Scope, Status, Stream, WorkstreamCode
from shared.principal import Role
from tests.builders import EAST_SUSSEX
from tests.tracker_deployment import DAY, NOON, Sender, line

ICT = Stream(WorkstreamCode("ict"), PARTNERSHIP)


def by_the_description(previous: bytes, *fields: str | None) -> bytes:
    """The hash of a link, written a second time from what the module's description says."""
    content = b""
    for field in fields:
        raw = b"" if field is None else field.encode()
        content += b"\xff\xff\xff\xff" if field is None else len(raw).to_bytes(4, "big") + raw
    return hashlib.sha256(previous + content).digest()


@pytest.fixture
def accepted() -> ReturnAccepted:
    return Sender().accepts(
        line(300_000, note="two sites into one", reason="the survey", cell="D7"),
        line(None, "2012/13", status=Status.TO_BE_CONFIRMED),
        update="Es läuft – gut.",
    )


def test_the_links_of_a_return_are_those_of_the_description(accepted: ReturnAccepted) -> None:
    outcome = post(accepted, {}, Head.of_nothing(ICT))
    genesis = hashlib.sha256(b"ict/partnership").digest()
    of_return = by_the_description(
        genesis,
        *("return", "ict", "partnership", "1", "1", "00000000-0000-4000-8000-000000000001", "2011-12-07"),
        *("2012-01-26T12:01:00.000000Z", "finance-ESX", "finance", EAST_SUSSEX, "general ledger", "P08", None),
        *("as found", "Es läuft – gut."),
    )
    account = "ict|partnership|2011/12|estimate|cash_releasing|recurring|saving|"
    first = by_the_description(
        of_return,
        "entry 1 0 quantified 30000000 indicative 30000000 30000000",
        *(account, "the survey", "two sites into one", "D7"),
    )
    second = by_the_description(
        first,
        "entry 2 1 to_be_confirmed none indicative 0 0",
        *(account.replace("2011/12", "2012/13"), None, None, None),
    )
    assert (outcome.previous_hash, outcome.hash) == (genesis, of_return)
    assert [(entry.previous_hash, entry.hash) for entry in outcome.entries] == [(of_return, first), (first, second)]
    assert outcome.head.hash == second


def test_a_return_goes_on_from_the_last_entry_of_the_one_before() -> None:
    sender = Sender()
    first = post(sender.accepts(line(1)), {}, Head.of_nothing(ICT))
    second = post(sender.accepts(line(2)), first.held, first.head)
    assert second.previous_hash == first.entries[-1].hash


@pytest.mark.parametrize(
    "altered",
    [
        {"submission_id": "another"},
        {"version": 2},
        {"as_at": DAY + timedelta(days=1)},
        {"recorded_at": NOON},
        {"stated_by": StatedBy(name="finance-KEN", role=Role.FINANCE, council=EAST_SUSSEX)},
        {"stated_by": StatedBy(name="finance-ESX", role=Role.LEAD, council=EAST_SUSSEX)},
        {"stated_by": StatedBy(name="finance-ESX", role=Role.FINANCE, council="E10000016")},
        {"source": Source(system="general ledger", reference="P09")},
        {"source": Source(system="general ledger", reference=None, file="P08")},
        {"reason": None},
        {"reason": ""},
        {"update": "As planned."},
        {"workstream": "sen"},
        {"scope": EAST_SUSSEX},
        {"lines": (line(1),)},
        {"lines": (line(300_000, "2012/13"),)},
        {"lines": (line(300_000, confidence=Confidence.FIRM),)},
        {"lines": (line(300_000, note="x"),)},
        {"lines": (line(300_000, cell="x"),)},
        {"lines": (line(300_000, reason="x"),)},
        {"lines": (line(300_000, line=1),)},
        {"lines": (line(None, status=Status.NIL),)},
        {"lines": ()},
    ],
)
def test_whatever_is_altered_of_a_return_alters_the_head(altered: dict[str, object]) -> None:
    accepted = Sender().accepts(line(300_000))
    other = accepted.model_copy(update=altered)
    assert post(other, {}, Head.of_nothing(ICT)).head.hash != post(accepted, {}, Head.of_nothing(ICT)).head.hash


fields = st.lists(st.one_of(st.none(), st.text(max_size=5)), max_size=5)


@given(fields, fields)
def test_no_two_contents_have_one_hash(some: list[str | None], others: list[str | None]) -> None:
    start = chain.genesis(ICT)
    assert (chain.link(start, some) == chain.link(start, others)) == (some == others)


def test_posting_the_same_on_another_day_gives_the_same_hashes() -> None:
    """Nothing of the tracker itself goes into the chain: a replay of the topics proves the ledgers."""
    once, again = Sender().accepts(line(300_000)), Sender().accepts(line(300_000))
    assert post(once, {}, Head.of_nothing(ICT)) == post(again, {}, Head.of_nothing(ICT))


class TestTheDigestOfALedger:
    HEADS = (
        (ICT, 2, Hash(b"a" * 32)),
        (Stream(WorkstreamCode("ict"), Scope(EAST_SUSSEX)), 1, Hash(b"b" * 32)),
    )

    def test_does_not_depend_on_the_order_in_which_streams_are_read(self) -> None:
        assert chain.digest(self.HEADS) == chain.digest(self.HEADS[::-1])

    @pytest.mark.parametrize(
        "other",
        [
            HEADS[:1],
            ((ICT, 3, Hash(b"a" * 32)), HEADS[1]),
            ((ICT, 2, Hash(b"c" * 32)), HEADS[1]),
            ((Stream(WorkstreamCode("sen"), PARTNERSHIP), 2, Hash(b"a" * 32)), HEADS[1]),
        ],
    )
    def test_changes_with_every_stream_its_entries_and_its_head(self, other: object) -> None:
        assert chain.digest(other) != chain.digest(self.HEADS)  # type: ignore[arg-type]
