"""The narrative starter: what it says, that each number is the table's, and where each number leads."""

from __future__ import annotations

import re

import pytest

from services.reporting.narrative import Movement, Origin, Sentence, narrative_starter
from services.reporting.rows import Selection
from services.reporting.table import Question, Table
from shared.best import BasisChoice, FlowChoice
from shared.figures import PARTNERSHIP, Basis, Benefit, Flow, Status
from shared.money import Pence, parse_pounds, short_text
from tests.many_councils import large_table
from tests.reporting_figures import EAST_SUSSEX, KENT, SE7, january_2012, posted, table_of


def told(table: Table, *movements: Movement) -> list[str]:
    return [sentence.text for sentence in narrative_starter(table, movements)]


def numbers(sentences: tuple[Sentence, ...]) -> list[tuple[str, int]]:
    return [
        (part.text, part.reference.pence)
        for sentence in sentences
        for part in sentence.parts
        if part.reference is not None
    ]


def test_january_2012_in_sentences() -> None:
    assert told(table_of(*january_2012())) == [
        "The partnership has identified potential savings of £83.85m over the four years 2011/12 to 2014/15, of which"
        " £6.944m would come to East Sussex County Council.",
        "Of the £83.85m, £36.25m is in Highways, £32m in ICT, £14m in Waste and £1.6m in Special Educational Needs"
        " (SEN).",
        "Of East Sussex County Council's £6.944m, £4.3m is in ICT, £1.323m in Special Educational Needs (SEN), £1.169m"
        " in Waste, £150k in Highways and £2k in Commodities Procurement.",
        "£17.4m starts in 2011/12, £15.15m in 2012/13, £23.5m in 2013/14 and £27.8m in 2014/15.",
        "The £83.85m includes £1.6m of avoided costs, which free no cash.",
        "The £6.944m includes £1.323m of avoided costs, which free no cash.",
        "The partnership figure is still to come for Property and Commodities Procurement.",
        "£76.906m has not been apportioned to councils yet.",
        "In Commodities Procurement the councils state shares of £2k, and there is no partnership figure.",
        "The partnership puts its overall potential at £100m in the short term, £500m in the medium term and £1.5bn in"
        " the long term.",
    ]


@pytest.mark.parametrize("table", [table_of(*january_2012()), large_table()], ids=["january 2012", "74 councils"])
def test_every_amount_in_a_sentence_is_a_number_that_leads_somewhere(table: Table) -> None:
    for sentence in narrative_starter(table):
        for part in sentence.parts:
            if part.reference is None:
                assert "£" not in part.text
            else:
                assert part.text == short_text(part.reference.pence)


def test_a_number_from_the_rows_is_the_sum_of_the_figures_it_leads_to() -> None:
    table = table_of(*january_2012())
    led = [
        part.reference
        for sentence in narrative_starter(table)
        for part in sentence.parts
        if part.reference is not None and part.reference.origin is Origin.ROWS
    ]
    assert len(led) == 2 + 1 + 4 + 1 + 5 + 4 + 2 + 2
    for reference in led:
        assert sum(each.figure.counted_pence for each in reference.behind) == reference.pence
        assert {each.account.scope for each in reference.behind} == {reference.scope}
        assert reference.workstream in {None, *(each.account.workstream for each in reference.behind)}
        assert reference.year in {None, *(each.account.year for each in reference.behind)}


def test_the_parts_named_add_up_to_the_total_named() -> None:
    by_workstream = narrative_starter(table_of(*january_2012()))[1:4]
    for sentence in by_workstream[:2]:
        (_, total), *parts = numbers((sentence,))
        assert sum(pence for _, pence in parts) == total
    assert sum(pence for _, pence in numbers(by_workstream[2:])) == parse_pounds("£83.85m")


def test_where_nothing_is_stated_nothing_is_said() -> None:
    assert told(table_of()) == []
    assert told(table_of(posted("ict", "2011/12", Status.TO_BE_CONFIRMED))) == []


def test_without_a_home_council_no_share_is_spoken_of() -> None:
    first = told(table_of(*january_2012(), question=Question()))[0]
    assert (
        first == "The partnership has identified potential savings of £83.85m over the four years 2011/12 to 2014/15."
    )


def test_a_share_above_the_whole_is_not_said_to_be_of_it() -> None:
    sentences = told(table_of(posted("ict", "2011/12", "£1m"), posted("ict", "2011/12", "£3m", scope=EAST_SUSSEX)))
    assert sentences[0].endswith("2014/15; East Sussex County Council states a share of £3m.")
    assert (
        "In ICT the councils state shares of £3m against a partnership figure of £1m, more than there is." in sentences
    )
    assert not any("apportioned" in sentence for sentence in sentences)


def test_shares_that_come_before_the_whole_are_over_claimed_in_those_years_alone() -> None:
    sentences = told(
        table_of(
            posted("ict", "2011/12", "£1m"),
            posted("ict", "2012/13", "£9m"),
            posted("ict", "2011/12", "£3m", scope=KENT),
        )
    )
    assert (
        "In ICT the councils state shares of £3m against a partnership figure of £10m, in some years more than there"
        " is by then." in sentences
    )


@pytest.mark.parametrize(
    ("basis", "flow", "words"),
    [
        (Basis.ESTIMATE, FlowChoice.SAVING, "has identified potential savings of £2m"),
        (Basis.FORECAST, FlowChoice.SAVING, "expects potential savings of £2m"),
        (Basis.ACTUAL, FlowChoice.SAVING, "has delivered savings of £2m"),
        (Basis.ACTUAL, FlowChoice.COST, "has met costs of £1m"),
        (Basis.ESTIMATE, FlowChoice.COST, "has identified costs of £1m"),
        (Basis.ESTIMATE, FlowChoice.NET, "has identified potential net savings of £1m"),
    ],
)
@pytest.mark.parametrize("asked", ["that basis", "best"])
def test_the_verb_is_as_sure_as_the_figures(basis: Basis, flow: FlowChoice, words: str, asked: str) -> None:
    choice = BasisChoice.BEST if asked == "best" else BasisChoice(basis)
    table = table_of(
        posted("ict", "2011/12", "£2m", basis=basis),
        posted("ict", "2011/12", "£1m", basis=basis, flow=Flow.COST),
        question=Question(selection=Selection(basis=choice, flow=flow)),
    )
    assert words in told(table)[0]


def test_one_kind_of_benefit_alone_is_not_said_to_include_another() -> None:
    question = Question(selection=Selection(benefit=Benefit.AVOIDED_COST))
    assert not any("which free no cash" in sentence for sentence in told(table_of(*january_2012(), question=question)))


def test_movement_is_said_only_where_it_is_given() -> None:
    table = table_of(*january_2012())
    assert not any(re.search("more than in|less than in|same as in", sentence) for sentence in told(table))
    moved = Movement(
        "September",
        PARTNERSHIP,
        Pence(120_000_000),
        (("waste", Pence(-5_000_000)), ("highways", Pence(100_000_000)), ("ict", Pence(25_000_000))),
    )
    assert told(table, moved)[1] == "That is £1.2m more than in September, mainly Highways (£1m)."
    less = Movement("September", EAST_SUSSEX, Pence(-50_000), ())
    assert told(table, less)[1] == "The share of East Sussex County Council is £500 less than in September."
    assert told(table, Movement("September", PARTNERSHIP, Pence(0), ()))[1] == "That is the same as in September."


def test_no_council_or_workstream_is_named_that_is_not_of_the_partnership() -> None:
    said = " ".join(told(large_table()))
    assert not any(each.name in said for each in SE7.councils)
