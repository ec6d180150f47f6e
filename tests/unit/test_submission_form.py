"""Everything that can be wrong with the form of a return is told, each with where it is and how to mend it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.form import FAULTS_TOLD, RETURN_BYTES_LIMIT, read_item
from services.intake.reading import JsonNumber
from shared.errors import Fault, TooLarge, Unreadable
from shared.money import LIMIT_PENCE, full_text, pounds, short_text
from tests.builders import EAST_SUSSEX, TODAY, WORDS, a_line, a_return, read

SCOPES = ["partnership", "E06000043", "E10000011", "E10000014", "E10000016", "E06000035", "E10000030", "E10000032"]
YEARS = ["2011/12", "2012/13", "2013/14", "2014/15"]


def the_fault(document: Any) -> Fault:
    """The only thing wrong with a document."""
    reading = read(document)
    assert len(reading.faults) == 1, reading
    assert reading.content is None
    return reading.faults[0]


def test_an_ordinary_return_is_read_with_the_defaults_of_a_line() -> None:
    reading = read(a_return())
    assert reading.faults == ()
    assert reading.return_ is not None
    [line] = reading.return_.lines
    assert str(line.account) == "ict|E10000011|2011/12|estimate|cash_releasing|recurring|saving|"
    assert (line.figure.status, line.figure.amount_pence, line.figure.confidence) == (
        "quantified",
        300_000_00,
        "indicative",
    )


def test_null_is_as_good_as_left_out_where_there_is_no_default() -> None:
    silent = a_return(a_line(note=None, initiative=None, cumulative=None), reason=None, source=None, update=None)
    assert read(silent).content == read(a_return()).content


@pytest.mark.parametrize("amount", ["300000", "£300k", "£0.3m", " 300,000.00 ", "300000.0"])
def test_however_an_amount_is_written_the_content_is_the_same(amount: str) -> None:
    assert read(a_return(a_line(amount=amount))).content == read(a_return(a_line(amount="300000.00"))).content


@given(st.integers(-LIMIT_PENCE + 1, LIMIT_PENCE - 1))
def test_every_text_of_an_amount_is_read_to_the_penny(pence: int) -> None:
    contents = {read(a_return(a_line(amount=text(pence)))).content for text in (pounds, short_text, full_text)}
    [content] = contents
    assert json.loads(content or "")["lines"][0]["amount"] == pounds(pence)


def test_an_initiative_is_known_in_any_case_and_spacing_and_kept_as_the_partnership_spells_it() -> None:
    assert '"initiative":"Data Centres"' in str(read(a_return(a_line(initiative=" data   CENTRES "))).content)


@pytest.mark.parametrize("amount", [..., "0", "£0", "0.00"])
def test_nil_takes_no_amount_or_zero_and_means_the_same(amount: Any) -> None:
    nil = a_return(a_line(status="nil", amount=amount))
    assert read(nil).content == read(a_return(a_line(status="nil", amount=...))).content


WRONG = {
    "an unknown workstream": (
        a_return(workstream="roads"),
        Fault(
            "/workstream",
            "unknown-workstream",
            "There is no workstream 'roads'. There are highways (Highways), waste (Waste), ict (ICT), "
            "property (Property), sen (Special Educational Needs (SEN)), procurement (Commodities Procurement).",
            "Name one of them by its code as 'workstream'.",
            "roads",
            ["highways", "waste", "ict", "property", "sen", "procurement"],
        ),
    ),
    "a year that is written wrong": (
        a_return(a_line(year="2011/13")),
        Fault(
            "/lines/0/year",
            "not-a-year",
            "'2011/13' is not a financial year: the year that starts in 2011 is written 2011/12.",
            "Write the financial year like 2011/12.",
            "2011/13",
            YEARS,
        ),
    ),
    "a year outside the table": (
        a_return(a_line(year="2015/16")),
        Fault(
            "/lines/0/year",
            "year-outside-table",
            "2015/16 is outside the table, which has the years 2011/12 to 2014/15.",
            "State a year of the table; what is expected beyond it belongs in the update.",
            "2015/16",
            YEARS,
        ),
    ),
    "an amount that is a number": (
        a_return(a_line(amount=JsonNumber("300000.0"))),
        Fault(
            "/lines/0/amount",
            "amount-not-text",
            "The amount 300000.0 is a number of JSON, which many systems round; an amount is written as text.",
            'Write it in quotes, in pounds: "300000.00".',
            "300000.0",
        ),
    ),
    "three decimals": (
        a_return(a_line(amount="1.005")),
        Fault(
            "/lines/0/amount",
            "not-an-amount",
            "'1.005' cannot be taken: an amount in pounds has at most two decimals.",
            'Write pounds with at most two decimals, like "300000.00", or short, like "£200k" or "£1.25m".',
            "1.005",
        ),
    ),
    "an unknown field, nearly right": (
        a_return(updaet="On course."),
        Fault(
            "/updaet",
            "unknown-field",
            "There is no field 'updaet' here.",
            "Did you mean 'update'?",
            "On course.",
            ["workstream", "scope", "as_at", "source", "reason", "update", "lines"],
        ),
    ),
    "a field left out": (
        a_return(a_line(basis=...)),
        Fault(
            "/lines/0/basis",
            "missing-field",
            "'basis' is missing: how sure it is: estimate, forecast or actual.",
            "Add 'basis'.",
        ),
    ),
    "a word that is not one of those allowed": (
        a_return(a_line(basis="actuals")),
        Fault(
            "/lines/0/basis",
            "unknown-value",
            "'basis' cannot be 'actuals'.",
            "Did you mean 'actual'?",
            "actuals",
            ["estimate", "forecast", "actual"],
        ),
    ),
    "an initiative that is not of the workstream": (
        a_return(a_line(initiative="Data Centre")),
        Fault(
            "/lines/0/initiative",
            "unknown-initiative",
            "'Data Centre' is not an initiative of this workstream.",
            "Did you mean 'Data Centres'?",
            "Data Centre",
            [
                "Network Development",
                "Procurement",
                "Data Centres",
                "Desktops, Mobile and Flexible Working",
                "Customer Contact",
                "Cloud technology",
            ],
        ),
    ),
    "quantified without an amount": (
        a_return(a_line(amount=...)),
        Fault(
            "/lines/0/amount",
            "amount-missing",
            "The line is quantified and has no amount.",
            "State the amount, or give the line the status to_be_confirmed, see_narrative or nil.",
        ),
    ),
    "a day that has not come": (
        a_return(as_at="2012-01-27"),
        Fault(
            "/as_at",
            "as-at-in-future",
            "2012-01-27 has not come yet: it is 2012-01-26 today.",
            "State the figures as at today or an earlier day.",
            "2012-01-27",
            "2012-01-26 or earlier",
        ),
    ),
    "too long an update": (
        a_return(update="x" * 4001),
        Fault(
            "/update",
            "too-long",
            "'update' has 4,001 characters, more than the 4,000 it may have.",
            "Shorten it.",
            "x" * 100 + "…",
            "at most 4,000 characters",
        ),
    ),
}


@pytest.mark.parametrize(("document", "fault"), WRONG.values(), ids=WRONG.keys())
def test_a_fault_says_where_it_is_what_was_given_what_is_allowed_and_how_to_mend_it(
    document: Any, fault: Fault
) -> None:
    assert the_fault(document) == fault


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        (a_return(workstream=...), "/workstream", "missing-field"),
        (a_return(workstream=JsonNumber("7")), "/workstream", "wrong-type"),
        (a_return(scope="E07000061"), "/scope", "unknown-scope"),
        (a_return(scope=None), "/scope", "wrong-type"),
        (a_return(as_at="7 December 2011"), "/as_at", "not-a-date"),
        (a_return(as_at="20111207"), "/as_at", "not-a-date"),
        (a_return(as_at="2011-W49-3"), "/as_at", "not-a-date"),
        (a_return(as_at="2011-02-29"), "/as_at", "not-a-date"),
        (a_return(as_at="2001-03-31"), "/as_at", "as-at-too-early"),
        (a_return(as_at=JsonNumber("20111207")), "/as_at", "wrong-type"),
        (a_return(lines=[]), "/lines", "no-lines"),
        (a_return(lines=...), "/lines", "missing-field"),
        (a_return(lines={}), "/lines", "wrong-type"),
        (a_return(lines=[a_line()] * 501), "/lines", "too-many-lines"),
        (a_return("a line"), "/lines/0", "wrong-type"),
        (a_return(a_line(), []), "/lines/1", "wrong-type"),
        (a_return(source="SAP"), "/source", "wrong-type"),
        (a_return(source={"sytem": "SAP"}), "/source/sytem", "unknown-field"),
        (a_return(source={"file": "x" * 201}), "/source/file", "too-long"),
        (a_return(source={"file": "two\nlines"}), "/source/file", "control-character"),
        (a_return(reason=" "), "/reason", "blank"),
        (a_return(reason="x" * 2001), "/reason", "too-long"),
        (a_return(reason="null \x00 character"), "/reason", "control-character"),
        (a_return(reason="half a pair \ud83d"), "/reason", "control-character"),
        (a_return(reason=True), "/reason", "wrong-type"),
        (a_return(a_line(note="x" * 1001)), "/lines/0/note", "too-long"),
        (a_return(a_line(note="")), "/lines/0/note", "blank"),
        (a_return(a_line(cell={"row": "1"})), "/lines/0/cell", "wrong-type"),
        (a_return(a_line(year="2011-12")), "/lines/0/year", "not-a-year"),
        (a_return(a_line(year=JsonNumber("2011"))), "/lines/0/year", "wrong-type"),
        (a_return(a_line(year="2010/11")), "/lines/0/year", "year-outside-table"),
        (a_return(a_line(amount="£1,000,000,000,000")), "/lines/0/amount", "not-an-amount"),
        (a_return(a_line(amount="1" + "0" * 15)), "/lines/0/amount", "not-an-amount"),
        (a_return(a_line(amount="NaN")), "/lines/0/amount", "not-an-amount"),
        (a_return(a_line(amount="1e6")), "/lines/0/amount", "not-an-amount"),
        (a_return(a_line(amount="")), "/lines/0/amount", "not-an-amount"),
        (a_return(a_line(amount=["300000.00"])), "/lines/0/amount", "wrong-type"),
        (a_return(a_line(cumulative=JsonNumber("1"))), "/lines/0/cumulative", "amount-not-text"),
        (a_return(a_line(benefit="cash")), "/lines/0/benefit", "unknown-value"),
        (a_return(a_line(recurrence=None)), "/lines/0/recurrence", "wrong-type"),
        (a_return(a_line(flow="in")), "/lines/0/flow", "unknown-value"),
        (a_return(a_line(confidence="high")), "/lines/0/confidence", "unknown-value"),
        (a_return(a_line(status="tbc")), "/lines/0/status", "unknown-value"),
        (a_return(a_line(status="to_be_confirmed")), "/lines/0/amount", "amount-not-taken"),
        (
            a_return(a_line(status="see_narrative", amount=..., cumulative="1")),
            "/lines/0/cumulative",
            "amount-not-taken",
        ),
        (a_return(a_line(status="nil", amount="1")), "/lines/0/amount", "amount-not-taken"),
        (a_return(a_line(**{"a/b~c": "x"})), "/lines/0/a~1b~0c", "unknown-field"),
    ],
)
def test_a_fault_points_to_its_place(document: Any, pointer: str, code: str) -> None:
    fault = the_fault(document)
    assert (fault.pointer, fault.code) == (pointer, code)
    assert fault.detail
    assert fault.fix


@pytest.mark.parametrize(
    ("scope", "meant"),
    [("ESX", EAST_SUSSEX), ("escc", EAST_SUSSEX), ("East Sussex County Council", EAST_SUSSEX), ("SE7", "partnership")],
)
def test_a_council_called_by_another_of_its_names_is_answered_with_its_code(scope: str, meant: str) -> None:
    fault = the_fault(a_return(scope=scope))
    assert fault.fix.startswith(f"Did you mean '{meant}'")
    assert fault.allowed == SCOPES


def test_a_placeholder_takes_no_cumulative_either() -> None:
    fault = the_fault(a_return(a_line(status="see_narrative", amount=..., cumulative="1")))
    assert (fault.pointer, fault.code) == ("/lines/0/cumulative", "amount-not-taken")


def test_any_initiative_may_be_named_where_the_partnership_lists_none() -> None:
    reading = read(a_return(a_line(initiative="Hot  desks"), workstream="ict"))
    assert [fault.code for fault in reading.faults] == ["unknown-initiative"]
    free = WORDS.partnership.model_copy(
        update={"workstreams": tuple(w.model_copy(update={"initiatives": ()}) for w in WORDS.partnership.workstreams)}
    )
    reading = read_item(a_return(a_line(initiative="Hot  desks")), type(WORDS)(free), TODAY, None)
    assert reading.return_ is not None
    assert reading.return_.lines[0].account.initiative == "Hot desks"


def test_today_is_a_day_on_which_a_figure_may_be_true() -> None:
    assert read(a_return(as_at="2012-01-26"), today=date(2012, 1, 26)).faults == ()


def test_every_fault_is_told_at_once() -> None:
    wrong = a_return(a_line(year="2011/13", amount=JsonNumber("1")), a_line(basis=...), scope="ESX", colour="red")
    assert {(fault.pointer, fault.code) for fault in read(wrong).faults} == {
        ("/scope", "unknown-scope"),
        ("/lines/0/year", "not-a-year"),
        ("/lines/0/amount", "amount-not-text"),
        ("/lines/1/basis", "missing-field"),
        ("/colour", "unknown-field"),
    }


def test_lines_that_are_well_formed_are_read_beside_faulty_ones_and_keep_their_places() -> None:
    reading = read(a_return(a_line(year="?"), a_line(), a_line(amount="?"), a_line(year="2012/13"), reason=" "))
    assert reading.content is None
    assert reading.return_ is not None
    assert [line.place for line in reading.return_.lines] == [1, 3]
    # Its reason is faulty, not missing.
    assert reading.return_.reason is not None


@pytest.mark.parametrize("document", [None, True, "a return", [], JsonNumber("7")])
def test_what_is_no_object_is_no_return(document: Any) -> None:
    error = read(document).error
    assert isinstance(error, Unreadable)
    assert error.detail.startswith("A return is a JSON object; here stands ")


def test_what_is_nested_too_deep_is_no_return() -> None:
    note: Any = "deep"
    for _ in range(20):
        note = [note]
    assert isinstance(read(a_return(a_line(note=note))).error, Unreadable)


def test_a_return_that_would_not_fit_a_message_is_too_large() -> None:
    long = a_line(note="x" * 1000, reason="y" * 2000)
    lines = [long | {"year": year, "initiative": None} for year in YEARS] * 100
    error = read(a_return(*lines)).error
    assert isinstance(error, TooLarge)
    assert f"{RETURN_BYTES_LIMIT:,}" in error.detail


def test_so_many_faults_are_told_and_no_more() -> None:
    faults = read(a_return(**{f"field{n}": "x" for n in range(FAULTS_TOLD + 5)})).faults
    assert len(faults) == FAULTS_TOLD + 1
    assert faults[-1].detail == "5 more things are wrong with its form."


@pytest.mark.parametrize("key", ["", "x" * 201, "naïve", "two\nlines", JsonNumber("7"), ["a"]])
def test_an_idempotency_key_is_printable_and_not_too_long(key: Any) -> None:
    reading = read_item({**a_return(), "idempotency_key": key}, WORDS, TODAY, "of-the-batch/0")
    [fault] = reading.faults
    assert (fault.pointer, fault.code, reading.content) == ("/idempotency_key", "invalid-key", None)


def test_a_return_of_a_batch_goes_by_its_own_key_or_else_by_that_of_the_batch() -> None:
    document = a_return()
    assert read_item({**document, "idempotency_key": "own"}, WORDS, TODAY, "batch/0").key == "own"
    assert read_item({**document, "idempotency_key": None}, WORDS, TODAY, "batch/0").key == "batch/0"
    assert read_item(document, WORDS, TODAY, None).key is None


# With halves of pairs among them, which no encoding can send.
texts = st.text(st.characters(), max_size=10)
json_values = st.recursive(
    st.none() | st.booleans() | texts | st.integers().map(lambda n: JsonNumber(str(n))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*a_return(), *a_line(), "source", "reason", "status", "initiative", "cumulative"]) | texts


@given(st.dictionaries(names, json_values), st.dictionaries(names, json_values))
def test_whatever_is_sent_is_answered_in_words_that_can_be_sent_back(
    different: dict[str, Any], line: dict[str, Any]
) -> None:
    reading = read(a_return(a_line() | line) | different)
    for fault in reading.faults:
        told = [fault.pointer, fault.code, fault.detail, fault.fix, fault.given, fault.allowed]
        assert json.dumps(told, ensure_ascii=False).encode()
        assert fault.pointer == "" or fault.pointer.startswith("/")
