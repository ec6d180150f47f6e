"""The arithmetic proof: shares + unapportioned = partnership, sum of workstreams = total."""

from __future__ import annotations

from dataclasses import replace

from services.reporting.proof import Apportionment, prove
from services.reporting.rows import Selection
from services.reporting.table import Question, Table
from shared.best import FlowChoice
from shared.figures import Flow
from shared.money import parse_pounds
from tests.reporting_figures import EAST_SUSSEX, KENT, SE7, january_2012, posted, table_of


def of(table: Table, workstream: str | None) -> Apportionment:
    return next(
        part for part in table.proof.apportionments if (part.workstream.code if part.workstream else None) == workstream
    )


def test_january_2012_adds_up() -> None:
    proof = table_of(*january_2012()).proof
    assert proof.holds
    assert [(part.label, part.workstreams_pence, part.total_pence) for part in proof.additions] == [
        ("SE7", parse_pounds("£83.85m"), parse_pounds("£83.85m")),
        ("ESCC", parse_pounds("£6.944m"), parse_pounds("£6.944m")),
    ]


def test_what_the_shares_leave_is_unapportioned() -> None:
    table = table_of(
        posted("ict", "2011/12", "£10m"),
        posted("ict", "2011/12", "£3m", scope=EAST_SUSSEX),
        posted("ict", "2012/13", "£2m", scope=KENT),
    )
    ict = of(table, "ict")
    assert (ict.shares_pence, ict.unapportioned_pence, ict.partnership_pence) == (
        parse_pounds("£5m"),
        parse_pounds("£5m"),
        parse_pounds("£10m"),
    )
    assert not ict.over_claimed
    assert of(table, None).unapportioned_pence == parse_pounds("£5m")


def test_every_councils_share_counts_in_the_proof_whatever_rows_are_shown() -> None:
    figures = [posted("ict", "2011/12", "£10m"), posted("ict", "2011/12", "£4m", scope=KENT)]
    for home in (None, EAST_SUSSEX, KENT):
        assert of(table_of(*figures, question=Question(home=home)), "ict").shares_pence == parse_pounds("£4m")


def test_a_share_above_the_partnership_figure_is_flagged_and_still_counted() -> None:
    table = table_of(posted("ict", "2011/12", "£1m"), posted("ict", "2011/12", "£3m", scope=EAST_SUSSEX))
    ict = of(table, "ict")
    assert ict.over_claimed
    assert ict.holds
    assert ict.unapportioned_pence == -parse_pounds("£2m")
    assert [part.workstream.code for part in table.proof.over_claimed if part.workstream] == ["ict"]


def test_shares_are_over_claimed_when_they_come_sooner_than_the_partnerships_saving() -> None:
    table = table_of(posted("ict", "2012/13", "£5m"), posted("ict", "2011/12", "£3m", scope=EAST_SUSSEX))
    assert of(table, "ict").over_claimed
    assert of(table, "ict").unapportioned_pence == parse_pounds("£2m")


def test_a_share_in_a_later_year_of_a_saving_made_earlier_is_not_over_claimed() -> None:
    """As in SEN in January 2012: £1.6m in 2011/12, of which East Sussex takes £724k in 2012/13."""
    assert not of(table_of(*january_2012()), "sen").over_claimed


def test_a_share_is_stated_before_its_partnership_figure() -> None:
    procurement = of(table_of(*january_2012()), "procurement")
    assert procurement.over_claimed
    assert not procurement.partnership_is_stated


def test_a_net_is_proved_like_a_saving() -> None:
    table = table_of(
        posted("ict", "2011/12", "£10m"),
        posted("ict", "2011/12", "£4m", flow=Flow.COST),
        posted("ict", "2011/12", "£1m", flow=Flow.COST, scope=KENT),
        question=Question(selection=Selection(flow=FlowChoice.NET)),
    )
    assert (of(table, "ict").shares_pence, of(table, "ict").partnership_pence) == (
        -parse_pounds("£1m"),
        parse_pounds("£6m"),
    )
    assert table.proof.holds


def test_a_row_that_disagrees_with_the_figures_is_found_out() -> None:
    figures = january_2012()
    table = table_of(*figures)
    spoilt = replace(table.rows[0], total=replace(table.rows[0].total, pence=table.rows[0].total.pence + 1))  # type: ignore[operator]
    proof = prove(SE7, figures, Selection(), (spoilt, *table.rows[1:]), table.totals)
    assert not proof.holds
    assert [part.holds for part in proof.additions] == [False, True]
    assert [part.workstream.code for part in proof.apportionments if part.workstream and not part.holds] == ["highways"]
