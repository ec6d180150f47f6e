"""Returns decided one after the other: repeated, corrected, not the caller's, and what each makes known to the next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from services.intake.deciding import Accepted, Deciding, Decision, Head, Kept, Known, NotTaken, Replayed
from services.intake.statement import Origin, Statement
from shared.errors import Fault, Forbidden, Refused, SavingsError
from shared.figures import Scope, Stream, WorkstreamCode
from shared.principal import Principal
from tests.builders import EAST_SUSSEX, FINANCE_ESX, FINANCE_KEN, KENT, LEAD_ICT, SE7, a_line, a_return, read

NOW = datetime(2012, 1, 26, 12, tzinfo=UTC)
ICT_ESX = Stream(WorkstreamCode("ict"), Scope(EAST_SUSSEX))


def decide(
    *sent: Any, by: Principal = FINANCE_ESX, known: Known | None = None, keys: Sequence[str | None] = ()
) -> list[Decision]:
    numbers = count(1)
    deciding = Deciding(known or Known(), SE7, NOW, lambda _recorded_at: f"return-{next(numbers)}")
    keys = [*keys, *[None] * (len(sent) - len(keys))]
    readings = [read(document, key=key) for document, key in zip(sent, keys, strict=True)]
    return deciding.decide([Statement(reading, by, Origin("request-1")) for reading in readings])


def error_of(decision: Decision) -> SavingsError:
    assert isinstance(decision, NotTaken)
    return decision.error


def faults_of(decision: Decision) -> Sequence[Fault]:
    error = error_of(decision)
    assert isinstance(error, Refused)
    return error.faults


def codes_of(decision: Decision) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in faults_of(decision)]


def accepted(decision: Decision) -> Accepted:
    assert isinstance(decision, Accepted), error_of(decision)
    return decision


def test_versions_count_up_within_a_stream_and_recorded_times_only_rise() -> None:
    decisions = [accepted(one) for one in decide(a_return(), a_return(as_at="2011-12-08"), a_return(workstream="sen"))]
    assert [one.version for one in decisions] == [1, 2, 1]
    assert [one.recorded_at for one in decisions] == [NOW + timedelta(microseconds=n) for n in range(3)]


def test_a_clock_that_has_gone_back_does_not_take_the_recorded_time_back() -> None:
    ahead = NOW + timedelta(hours=1)
    known = Known(heads={ICT_ESX: Head(7, ahead, b"")})
    [one] = decide(a_return(), known=known)
    assert (accepted(one).version, accepted(one).recorded_at) == (8, ahead + timedelta(microseconds=1))


def test_others_who_state_beside_a_stream_that_lies_ahead_of_the_clock_are_recorded_now() -> None:
    ahead = NOW + timedelta(hours=1)
    known = Known(heads={ICT_ESX: Head(7, ahead, b"")})
    deciding = Deciding(known, SE7, NOW, str)
    sent = [
        Statement(read(document), by, Origin(request_id))
        for document, by, request_id in [
            (a_return(), FINANCE_ESX, "one"),
            (a_return(workstream="sen"), FINANCE_ESX, "one"),
            (a_return(workstream="sen", as_at="2011-12-08"), FINANCE_ESX, "two"),
            (a_return(workstream="waste"), FINANCE_ESX, "three"),
            (a_return(scope=KENT), FINANCE_KEN, "one"),
        ]
    ]
    *own, waste, kent = [accepted(one).recorded_at - ahead for one in deciding.decide(sent)]
    # The first two are of one batch, and the third is of the stream of the second.
    assert own == [timedelta(microseconds=n) for n in (1, 2, 3)]
    assert [waste, kent] == [timedelta(hours=-1, microseconds=n) for n in (3, 4)]


def test_a_return_is_judged_by_what_those_before_it_stated() -> None:
    _, without, with_reason = decide(
        a_return(), a_return(a_line(amount="£400k")), a_return(a_line(amount="£400k"), reason="found more")
    )
    assert codes_of(without) == [("/lines/0/amount", "change-without-reason")]
    [line] = json.loads(accepted(with_reason).answer)["lines"]
    assert (line["previous"], line["movement"]) == ({"status": "quantified", "amount": "300000.00"}, "100000.00")


def test_a_refused_return_is_not_known_to_the_next() -> None:
    refused, first = decide(a_return(a_line(amount="-1")), a_return())
    assert codes_of(refused) == [("/lines/0/amount", "negative-without-reason")]
    assert accepted(first).version == 1
    assert accepted(first).results[0].previous is None


class TestStatedAgain:
    def test_with_the_same_key_and_content_it_is_a_replay_whatever_was_stated_since(self) -> None:
        first, _, again = decide(
            a_return(), a_return(a_line(amount="1"), reason="cut"), a_return(a_line(amount="£300k")), keys="aba"
        )
        assert isinstance(again, Replayed)
        assert again.answer == accepted(first).answer

    def test_with_the_same_key_and_other_content_it_is_refused_naming_what_differs(self) -> None:
        sent = a_return(a_line(amount="£400k"), a_line(year="2012/13"), update="More was found.")
        _, other = decide(a_return(), sent, keys="aa")
        assert [(fault.pointer, fault.given, fault.allowed) for fault in faults_of(other)] == [
            ("/update", "More was found.", None),
            ("/lines/0/amount", "400000.00", "300000.00"),
            ("/lines/1", "an object of 13 fields", None),
        ]
        assert faults_of(other)[0].code == "idempotency-key-reused"
        assert faults_of(other)[0].detail == "The key 'a' stands for return return-1, which says something else here."

    def test_a_key_that_stands_for_another_councils_share_is_in_use_and_nothing_of_that_share_is_told(self) -> None:
        known = Known()
        decide(a_return(a_line(amount="£654k"), reason="a secret of East Sussex"), known=known, keys="a")
        namesake = Principal(FINANCE_ESX.name, FINANCE_KEN.role, FINANCE_KEN.council)
        [fault] = faults_of(decide(a_return(scope=KENT), by=namesake, known=known, keys="a")[0])
        assert (fault.pointer, fault.code) == ("", "idempotency-key-reused")
        assert fault.detail == "The key 'a' is in use: another return was stated under it before."
        assert (fault.given, fault.allowed) == (None, None)

    def test_a_field_that_the_form_did_not_have_then_makes_no_difference(self) -> None:
        [first] = decide(a_return())
        said = json.loads(accepted(first).content)
        del said["lines"][0]["cell"], said["source"]
        known = Known(
            by_key={("finance-ESX", "a"): Kept("return-1", "finance-ESX", json.dumps(said), accepted(first).answer)}
        )
        assert isinstance(decide(a_return(), keys="a", known=known)[0], Replayed)
        [other] = decide(a_return(a_line(cell="B7")), keys="a", known=known)
        assert codes_of(other) == [("/lines/0/cell", "idempotency-key-reused")]

    def test_with_another_key_it_is_a_new_return(self) -> None:
        assert [accepted(one).version for one in decide(a_return(), a_return(), keys="ab")] == [1, 2]

    def test_without_a_key_right_after_the_first_it_says_nothing_new(self) -> None:
        first, again = decide(a_return(), a_return())
        assert isinstance(again, Replayed)
        assert again.id == accepted(first).id

    def test_without_a_key_and_with_anything_in_between_it_is_a_new_return(self) -> None:
        decisions = decide(a_return(), a_return(a_line(year="2012/13")), a_return())
        assert [accepted(one).version for one in decisions] == [1, 2, 3]

    def test_a_return_of_another_stream_is_not_in_between(self) -> None:
        assert isinstance(decide(a_return(), a_return(workstream="sen"), a_return())[2], Replayed)

    def test_by_another_sender_it_is_a_new_return(self) -> None:
        known = Known()
        of_the_partnership = a_return(scope="partnership")
        decide(of_the_partnership, by=LEAD_ICT, known=known)
        other_lead = Principal("lead-ict-deputy", LEAD_ICT.role, LEAD_ICT.council, LEAD_ICT.workstreams)
        [again] = decide(of_the_partnership, by=other_lead, known=known)
        assert accepted(again).version == 2


class TestTheOrderOfTheChecks:
    def test_a_return_of_the_wrong_form_is_told_so_before_whose_it_is(self) -> None:
        [one] = decide(a_return(a_line(amount="?")), by=FINANCE_KEN)
        assert codes_of(one) == [("/lines/0/amount", "not-an-amount")]

    def test_whose_it_is_comes_before_the_rules_about_lines(self) -> None:
        [one] = decide(a_return(a_line(amount="-1")), by=FINANCE_KEN)
        assert isinstance(error_of(one), Forbidden)

    def test_the_rules_about_lines_are_told_with_the_faults_of_the_form_to_whom_the_figures_are_known(self) -> None:
        mixed = a_return(a_line(amount="?"), a_line(amount="-1"), a_line(amount="-1"))
        [own] = decide(mixed)
        assert codes_of(own) == [
            ("/lines/0/amount", "not-an-amount"),
            ("/lines/1/amount", "negative-without-reason"),
            ("/lines/2/amount", "negative-without-reason"),
            ("/lines/2", "line-given-twice"),
        ]
        [foreign] = decide(mixed, by=FINANCE_KEN)
        assert codes_of(foreign) == [("/lines/0/amount", "not-an-amount")]

    def test_a_key_used_before_is_found_before_the_rules_about_lines(self) -> None:
        _, again = decide(a_return(), a_return(a_line(amount="-1")), keys="aa")
        assert {code for _, code in codes_of(again)} == {"idempotency-key-reused"}


@pytest.mark.parametrize(
    ("by", "document", "words"),
    [
        (FINANCE_KEN, a_return(), "The share of East Sussex County Council of ICT is stated by that council alone"),
        (LEAD_ICT, a_return(), "stated by that council alone"),
        (FINANCE_ESX, a_return(scope="partnership"), "stated by its lead council, Brighton & Hove City Council"),
        (
            LEAD_ICT,
            a_return(scope="partnership", workstream="waste"),
            "stated by its lead council, Kent County Council",
        ),
    ],
)
def test_another_councils_figure_is_refused_by_name(by: Principal, document: Any, words: str) -> None:
    [one] = decide(document, by=by)
    error = error_of(one)
    assert isinstance(error, Forbidden)
    assert words in error.detail
    assert by.name in error.detail
