"""The charts: their figures are the table's, their words tell the totals, their pictures need nothing from outside."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import pytest

from services.reporting.charts import Chart, charts_of, cumulative_by_workstream, figures_by_basis
from services.reporting.exports.pictures import draw_chart
from services.reporting.rows import Posted, Selection
from services.reporting.table import Question, build_table
from shared.best import FlowChoice
from shared.figures import PARTNERSHIP, Basis, Benefit, Flow, Status
from shared.money import parse_pounds
from tests.many_councils import figures_of, large_table, many_councils
from tests.reporting_figures import EAST_SUSSEX, KENT, january_2012, posted, table_of


def charts(figures: Sequence[Posted], question: Question | None = None) -> dict[str, Chart]:
    table = table_of(*figures, question=question)
    drawn = charts_of(table, figures_by_basis(table, figures, PARTNERSHIP))
    return {chart.name: chart for chart in drawn}


def pence_of(chart: Chart) -> dict[str, list[int | None]]:
    return {row.label: [cell.pence for cell in row.cells] for row in chart.data.rows}


def words_drawn(svg: bytes) -> str:
    return " ".join(re.findall(r">([^<>]+)</t(?:ext|span)>", svg.decode()))


def pounds(*amounts: str) -> list[int]:
    return [parse_pounds(amount) for amount in amounts]


def test_the_figures_of_the_stacked_columns_are_the_cumulatives_of_the_table() -> None:
    figures = january_2012()
    table, data = table_of(*figures), pence_of(charts(figures)["cumulative-by-workstream"])
    for row in table.rows:
        if row.is_partnership:
            assert data[row.workstream.name] == [cell.cumulative_pence for cell in row.cells]
    assert data["All SE7"] == pounds("£17.4m", "£32.55m", "£56.05m", "£83.85m")


def test_the_shares_are_those_of_the_home_council_beside_the_whole() -> None:
    data = pence_of(charts(january_2012())["council-shares"])
    assert data["ICT"] == pounds("£4.3m", "£32m")
    assert data["Commodities Procurement"] == [*pounds("£2k"), None]
    assert data["Property"] == [None, None]
    assert data["All workstreams"] == pounds("£6.944m", "£83.85m")


def test_without_a_home_council_the_shares_are_those_of_all_councils_together() -> None:
    figures = [
        posted("ict", "2011/12", "£10m"),
        posted("ict", "2011/12", "£3m", scope=EAST_SUSSEX),
        posted("ict", "2012/13", "£1m", scope=KENT),
    ]
    chart = charts(figures, Question())["council-shares"]
    assert pence_of(chart)["ICT"] == pounds("£4m", "£10m")
    assert "the share of all councils" in chart.alternative_text


def test_each_basis_keeps_a_column_of_its_own() -> None:
    figures = [
        posted("ict", "2011/12", "£5m", basis=Basis.ESTIMATE),
        posted("waste", "2011/12", "£1m", basis=Basis.ESTIMATE),
        posted("ict", "2011/12", "£4m", basis=Basis.FORECAST),
        posted("ict", "2011/12", "£3m", basis=Basis.ACTUAL),
        posted("ict", "2012/13", Status.NIL, basis=Basis.FORECAST),
        posted("ict", "2012/13", "£9m", basis=Basis.FORECAST, scope=EAST_SUSSEX),
    ]
    chart = charts(figures)["by-basis"]
    assert pence_of(chart) == {
        "Estimate": [*pounds("£6m"), None, None, None, *pounds("£6m")],
        "Forecast": [*pounds("£4m"), 0, None, None, *pounds("£4m")],
        "Actual": [*pounds("£3m"), None, None, None, *pounds("£3m")],
    }
    assert "Forecast: £4m in 2011/12 and £0 in 2012/13, together £4m." in chart.alternative_text


def test_the_bases_obey_the_rest_of_what_is_asked_for() -> None:
    figures = [
        posted("ict", "2011/12", "£5m"),
        posted("ict", "2011/12", "£1m", flow=Flow.COST),
        posted("ict", "2011/12", "£2m", benefit=Benefit.AVOIDED_COST),
    ]
    question = Question(selection=Selection(flow=FlowChoice.NET, benefit=Benefit.CASH_RELEASING))
    assert pence_of(charts(figures, question)["by-basis"])["Estimate"][0] == parse_pounds("£4m")


def test_the_words_tell_the_totals_and_what_has_no_amount() -> None:
    told = {name: chart.alternative_text for name, chart in charts(january_2012()).items()}
    assert (
        "£17.4m by 2011/12, £32.55m by 2012/13, £56.05m by 2013/14 and £83.85m by 2014/15"
        in told["cumulative-by-workstream"]
    )
    assert "£36.25m is in Highways" in told["cumulative-by-workstream"]
    assert "There is no amount for Property and Commodities Procurement." in told["cumulative-by-workstream"]
    assert "short-term potential of £100m" in told["cumulative-by-workstream"]
    assert "Together £6.944m." in told["council-shares"]
    assert "No forecast and no actual has been stated." in told["by-basis"]


def test_nothing_stated_is_nothing_drawn() -> None:
    assert charts([]) == {}
    assert charts([posted("ict", "2011/12", Status.TO_BE_CONFIRMED)]) == {}


def test_the_potential_of_all_savings_is_no_line_over_a_part_of_them() -> None:
    part = Question(selection=Selection(benefit=Benefit.CASH_RELEASING))
    assert "potential of" not in charts(january_2012(), part)["cumulative-by-workstream"].alternative_text


def test_a_potential_out_of_sight_is_told_and_not_drawn() -> None:
    chart = charts([posted("ict", "2011/12", "£1m")])["cumulative-by-workstream"]
    assert "Beyond the height of the chart lies the short-term potential of £100m." in chart.alternative_text
    assert "£100m" not in words_drawn(draw_chart(chart).svg)


def test_every_part_is_labelled_where_it_stands_so_that_colours_need_not_be_told_apart() -> None:
    drawn = {name: words_drawn(draw_chart(chart).svg) for name, chart in charts(january_2012()).items()}
    for words in ("Highways £36.25m", "Special Educational Needs (SEN) £1.6m", "£83.85m", "Short-term potential £100m"):
        assert words in drawn["cumulative-by-workstream"]
    assert "£4.3m of £32m" in drawn["council-shares"]
    assert "Estimate" in drawn["by-basis"]


@pytest.mark.parametrize("amount", ["-£6m", "£1,234,567.89", "£0.01", "£999bn"])
def test_any_amount_can_be_drawn(amount: str) -> None:
    figures = [
        posted("ict", "2011/12", amount),
        posted("waste", "2012/13", "£3m"),
        posted("ict", "2012/13", amount, scope=EAST_SUSSEX, basis=Basis.FORECAST),
    ]
    drawn = charts(figures)
    assert len(drawn) == 3
    for chart in drawn.values():
        assert "NaN" not in draw_chart(chart).svg.decode()


def test_no_two_labels_stand_on_each_other_however_low_the_parts_that_they_name() -> None:
    partnership = many_councils()
    little = [posted(workstream.code, "2014/15", "£1k") for workstream in partnership.workstreams[1:]]
    figures = [posted(partnership.workstreams[0].code, "2014/15", "£180m"), *little]
    chart = cumulative_by_workstream(build_table(partnership, figures, (), Question()))
    assert chart is not None
    svg = draw_chart(chart).svg.decode()
    beside = re.findall(r'<text text-anchor="start" transform="translate\([\d.]+,([\d.-]+)\)', svg)
    down = sorted(float(y) for y in beside)
    assert len(down) > len(partnership.workstreams)
    assert min(after - before for before, after in itertools.pairwise(down)) >= 14


def test_a_picture_is_the_same_each_time_and_fetches_nothing() -> None:
    partnership = many_councils()
    table, figures = large_table(partnership), figures_of(partnership)
    for chart in charts_of(table, figures_by_basis(table, figures, PARTNERSHIP)):
        picture = draw_chart(chart)
        assert picture.svg == draw_chart(chart).svg
        assert "href=" not in picture.svg.decode()
        assert picture.png.startswith(b"\x89PNG")
        assert picture.for_document().alternative == chart.alternative_text
