"""What cannot be read is told with its place, where it has one."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.batch import FAULTS_TOLD, read_batch
from services.intake.reading import JsonNumber, read_json
from shared.errors import Refused, Unreadable, WrongType
from tests.builders import TODAY, WORDS, a_line, a_return


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "The body is empty."),
        (b" \n", "The body is empty."),
        (b'{"reason": "caf\xe9"}', "The body is not UTF-8: byte 16 does not belong there."),
        ('{"reason": null}'.encode("utf-16"), "The body is not UTF-8"),
        (b'{"reason":\n nul}', "The body is not JSON: Expecting value, in line 2, column 2."),
        (b"workstream=ict", "The body is not JSON: Expecting value, in line 1, column 1."),
        (b'{"lines": [}', "line 1, column 12"),
        (b"{} {}", "The body is not JSON: Extra data, in line 1, column 4."),
        (b'{"amount": NaN}', "NaN is no number of JSON"),
        (b'{"amount": -Infinity}', "-Infinity is no number of JSON"),
        (b'{"amount": "1", "amount": "2"}', "'amount' stands twice in one object"),
        (b'{"lines": [{"year": "2011/12", "year": "2012/13"}]}', "'year' stands twice in one object"),
        (b"[" * 100_000, "The body is nested too deep to be a return."),
        (b'{"a":' * 100_000, "The body is nested too deep to be a return."),
    ],
)
def test_what_cannot_be_read_says_why(body: bytes, words: str) -> None:
    with pytest.raises(Unreadable) as told:
        read_json(body, "application/json")
    assert words in told.value.detail
    assert told.value.fix


@pytest.mark.parametrize(
    "content_type",
    [None, "application/json", "application/json; charset=utf-8", "Application/JSON", "application/cloudevents+json"],
)
def test_json_is_taken_and_what_does_not_say_what_it_is(content_type: str | None) -> None:
    assert read_json(b"{}", content_type) == {}


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-www-form-urlencoded", "text/json", "json", ""])
def test_what_says_it_is_something_else_is_not_looked_at(content_type: str) -> None:
    with pytest.raises(WrongType):
        read_json(b"{}", content_type)


def test_a_byte_order_mark_is_no_harm() -> None:
    assert read_json(b"\xef\xbb\xbf{}", None) == {}


@pytest.mark.parametrize("written", ["1.10", "1e999", "0.1", "9" * 5000])
def test_a_number_stays_as_it_was_written(written: str) -> None:
    assert read_json(written.encode(), None) == JsonNumber(written)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(Unreadable):
        read_json(body, None)


class TestABatch:
    @staticmethod
    def read(document: object) -> object:
        return read_batch(json.dumps(document).encode(), "application/json", WORDS, TODAY, "key")

    def test_a_list_alone_will_do(self) -> None:
        for document, pointer in (([a_return()], ""), ({"submissions": [a_return()]}, "/submissions")):
            batch = read_batch(json.dumps(document).encode(), None, WORDS, TODAY)
            assert (len(batch.readings), batch.pointer) == (1, pointer)
            assert batch.readings[0].is_fine

    def test_the_key_of_the_batch_stands_for_each_return_by_its_place(self) -> None:
        body = json.dumps([a_return(), {**a_return(), "idempotency_key": "own"}, a_return()]).encode()
        batch = read_batch(body, None, WORDS, TODAY, "batch")
        assert [reading.key for reading in batch.readings] == ["batch/0", "own", "batch/2"]

    @pytest.mark.parametrize(
        ("document", "pointer", "code"),
        [
            ([], "", "no-items"),
            ({"submissions": []}, "/submissions", "no-items"),
            ({"returns": []}, "/submissions", "missing-field"),
            ({"submissions": {}}, "/submissions", "missing-field"),
            ({"submissions": [a_return()], "atomic": True}, "/atomic", "unknown-field"),
            ({"submissions": [a_return()], "half a pair \ud83d/~": 1}, "/half a pair \\ud83d~1~0", "unknown-field"),
            ([a_return()] * 501, "", "too-many-items"),
            ({"submissions": [7] * 501}, "/submissions", "too-many-items"),
        ],
    )
    def test_what_cannot_be_taken_as_a_whole_is_refused_as_a_whole(
        self, document: object, pointer: str, code: str
    ) -> None:
        with pytest.raises(Refused) as told:
            self.read(document)
        assert [(fault.pointer, fault.code) for fault in told.value.faults] == [(pointer, code)]

    @pytest.mark.parametrize("document", ["a batch", 7, None])
    def test_what_is_no_list_is_no_batch(self, document: object) -> None:
        with pytest.raises(Unreadable):
            self.read(document)

    def test_a_batch_with_far_too_many_faults_is_not_looked_at_to_the_end(self) -> None:
        wrong = a_return(*[a_line(year="?", basis="?", flow="?") for _ in range(500)])
        with pytest.raises(Refused) as told:
            self.read([wrong] * 20)
        assert len(told.value.faults) == FAULTS_TOLD
        assert told.value.faults[0].pointer == "/0/lines/0/year"
