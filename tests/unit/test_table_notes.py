"""What stands under the table: notes, coverage, narrative."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from services.reporting.notes import NoteKind
from services.reporting.rows import Selection
from services.reporting.table import Question, Table, Update
from shared.best import BasisChoice, FlowChoice
from shared.figures import PARTNERSHIP, Basis, Benefit, Recurrence, Scope, Status, Stream, WorkstreamCode
from tests.reporting_figures import EAST_SUSSEX, ENTRY, KENT, january_2012, posted, table_of


def notes(table: Table, kind: NoteKind) -> list[str]:
    return [note.text for note in table.notes if note.kind is kind]


def test_brackets_and_greys_are_explained_and_the_dark_grey_only_with_a_home_council() -> None:
    table = table_of(*january_2012())
    assert notes(table, NoteKind.BRACKETS) == ["Figures in brackets are cumulative: the running total since 2011/12."]
    assert notes(table, NoteKind.GREYS) == [
        "Light grey rows are the whole of South East 7 (SE7), as stated by each workstream's lead council.",
        "Dark grey rows are the share of East Sussex County Council (ESCC), as stated by that council.",
    ]
    assert len(notes(table_of(question=Question()), NoteKind.GREYS)) == 1


def test_a_workstreams_own_note_is_printed_once_where_it_has_figures() -> None:
    sen = "The SEN figures are an indicative analysis. They are avoided costs against the Dedicated Schools Grant, not baseline savings."  # noqa: E501
    assert notes(table_of(*january_2012()), NoteKind.WORKSTREAM) == [sen]
    assert notes(table_of(posted("sen", "2011/12", "£1k", scope=EAST_SUSSEX)), NoteKind.WORKSTREAM) == [sen]
    assert notes(table_of(posted("ict", "2011/12", "£1k")), NoteKind.WORKSTREAM) == []


def test_a_total_that_mixes_benefits_says_so_with_the_amounts() -> None:
    assert notes(table_of(*january_2012()), NoteKind.BENEFITS) == [
        "The SE7 total of £83.85m includes £1.6m of avoided costs in Special Educational Needs (SEN), "
        "which free no cash.",
        "The ESCC total of £6.944m includes £1.323m of avoided costs in Special Educational Needs (SEN), "
        "which free no cash.",
    ]
    mixed = table_of(
        posted("ict", "2011/12", "£1m", benefit=Benefit.AVOIDED_COST),
        posted("ict", "2012/13", "£2m", benefit=Benefit.NON_CASH_RELEASING),
        posted("waste", "2012/13", "£3m", benefit=Benefit.NON_CASH_RELEASING),
        posted("waste", "2012/13", "£4m"),
    )
    assert notes(mixed, NoteKind.BENEFITS) == [
        "The SE7 total of £10m includes £1m of avoided costs in ICT and £5m of non-cash-releasing gains in "
        "Waste and ICT, which free no cash."
    ]


def test_benefits_that_cancel_out_are_named_all_the_same() -> None:
    table = table_of(
        posted("ict", "2011/12", "£1m", benefit=Benefit.AVOIDED_COST),
        posted("ict", "2012/13", "-£1m", benefit=Benefit.AVOIDED_COST),
    )
    assert "£0 of avoided costs in ICT" in notes(table, NoteKind.BENEFITS)[0]


def test_a_total_of_cash_releasing_savings_alone_needs_no_such_note() -> None:
    assert notes(table_of(posted("ict", "2011/12", "£1m")), NoteKind.BENEFITS) == []


def test_a_total_of_one_benefit_alone_needs_none_either() -> None:
    avoided = Question(selection=Selection(benefit=Benefit.AVOIDED_COST))
    table = table_of(posted("ict", "2011/12", "£1m", benefit=Benefit.AVOIDED_COST), question=avoided)
    assert notes(table, NoteKind.BENEFITS) == []


def test_what_is_not_quantified_is_named_as_missing_from_the_totals() -> None:
    assert notes(table_of(*january_2012()), NoteKind.NOT_IN_THE_TOTALS) == [
        "To be confirmed, and so not in the totals: Commodities Procurement, SE7, 2011/12.",
        "Not quantified, and so not in the totals; see the details below: Property, SE7, 2011/12.",
    ]


def test_a_part_without_an_initiative_is_called_a_part() -> None:
    table = table_of(
        posted("ict", "2011/12", "£1m", initiative="Data Centres"), posted("ict", "2011/12", Status.SEE_NARRATIVE)
    )
    assert notes(table, NoteKind.NOT_COMPLETE) == [
        "ICT, SE7, 2011/12: the figure does not include a part, which is not quantified."
    ]


def test_the_reader_is_told_which_figures_were_chosen() -> None:
    estimate, actual = posted("ict", "2011/12", "£1m"), posted("ict", "2011/12", "£2m", basis=Basis.ACTUAL)
    assert notes(table_of(estimate), NoteKind.SELECTION) == [
        "All figures are estimates: potential that has been identified."
    ]
    assert notes(table_of(estimate, actual), NoteKind.SELECTION) == [
        "Each figure is the surest stated: the actual if there is one, else the forecast, else the estimate."
    ]
    narrowed = Selection(BasisChoice.FORECAST, Benefit.AVOIDED_COST, Recurrence.ONE_OFF, FlowChoice.NET)
    assert notes(table_of(estimate, question=Question(selection=narrowed)), NoteKind.SELECTION) == [
        "Forecasts alone are shown: savings planned and expected.",
        "Only avoided costs are shown.",
        "Only one-off amounts are shown.",
        "The amounts are net: savings minus the costs of getting them.",
    ]


def test_the_coverage_line_says_who_has_been_heard_and_who_has_not() -> None:
    later = replace(ENTRY, as_at=date(2012, 1, 20))
    table = table_of(*january_2012(), posted("waste", "2011/12", "£1m", scope=KENT, entry=later))
    assert table.coverage.text == (
        "Partnership figures are stated for Highways, Waste, ICT and Special Educational Needs (SEN). "
        "There is none yet for Property and Commodities Procurement. "
        "Shares are stated by East Sussex County Council and Kent County Council. "
        "There is none yet from Brighton & Hove City Council, Hampshire County Council, Medway Council, "
        "Surrey County Council and West Sussex County Council. "
        "The latest figures are as at 20 January 2012."
    )


def test_the_coverage_line_of_an_empty_table_names_nobody_as_heard() -> None:
    coverage = table_of().coverage
    assert coverage.latest_as_at is None
    assert coverage.text.startswith("There is none yet for Highways")


def test_the_narrative_is_the_leads_last_update_and_the_home_councils_own() -> None:
    def update(scope: Scope, text: str) -> Update:
        return Update(Stream(WorkstreamCode("ict"), scope), text, ENTRY.as_at, ENTRY.recorded_at, "x", "a-return")

    updates = (update(PARTNERSHIP, "On course."), update(EAST_SUSSEX, "Ours too."), update(KENT, "Not shown."))
    narrative = next(each for each in table_of(updates=updates).narratives if each.workstream.code == "ict")
    assert narrative.lead.name == "Brighton & Hove City Council"
    assert narrative.update is updates[0]
    assert narrative.home_update is updates[1]


def test_a_figure_that_the_partnership_file_does_not_name_is_left_out_and_said_to_be() -> None:
    outside = (
        posted("ict", "2018/19", "£1m", scope=KENT),
        posted("parking", "2011/12", "£2m"),
        posted("ict", "2011/12", "£4m", scope=Scope("E99999999")),
    )
    table = table_of(*outside, posted("ict", "2011/12", "£8m"))
    assert notes(table, NoteKind.NOT_IN_THE_TABLE) == [
        "Stated, but not in the table, because the partnership's file does not name them: "
        "ict, E10000016, 2018/19; ict, E99999999, 2011/12; parking, partnership, 2011/12."
    ]
    assert table.totals[0].total.text == "£8m"
    assert table.proof.holds
