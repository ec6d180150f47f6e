"""What the charts of the tracker show: their figures, the words that stand for them, and how they are drawn. Pure.

Every figure is the table's own, in whole pence; :mod:`services.reporting.plots` gives them their places, and a chart
carries its figures once more as a small table, so that nobody depends on seeing it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from services.reporting.notes import listed
from services.reporting.plots import Column, Layer, Share, Target, columns_by_basis, shares, stacked_columns
from services.reporting.rows import NO_FIGURE, Posted, Row
from services.reporting.table import Table, total_title
from shared.best import BasisChoice, FlowChoice
from shared.figures import Basis, Scope
from shared.financial_year import FinancialYear
from shared.money import Pence, short_text

#: A target further off than this many times the highest column would leave the columns too low to be read.
_TARGET_IN_SIGHT: Final = 3

ByBasis: TypeAlias = Mapping[Basis, Mapping[FinancialYear, Pence]]


@dataclass(frozen=True, slots=True)
class ChartCell:
    """A figure of a chart: the text as printed, and what it stands for, ``None`` where nothing has been stated."""

    text: str
    pence: Pence | None


@dataclass(frozen=True, slots=True)
class ChartRow:
    label: str
    cells: tuple[ChartCell, ...]


@dataclass(frozen=True, slots=True)
class ChartData:
    """The figures of a chart as a table; the first of ``columns`` heads the rows' labels."""

    columns: tuple[str, ...]
    rows: tuple[ChartRow, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: ``name`` for an address or a file, ``title`` above it, ``alternative_text`` for who cannot see it.

    ``spec`` is Vega-Lite: plain values that hold everything, so that drawing it fetches nothing.
    """

    name: str
    title: str
    alternative_text: str
    data: ChartData
    spec: Mapping[str, Any]


def charts_of(table: Table, by_basis: ByBasis) -> tuple[Chart, ...]:
    """The charts of a table, in the order of showing; what nothing has been stated of is not drawn."""
    charts = (cumulative_by_workstream(table), council_shares(table), savings_by_basis(table, by_basis))
    return tuple(chart for chart in charts if chart is not None)


def figures_by_basis(table: Table, posted: Iterable[Posted], scope: Scope) -> ByBasis:
    """What one scope states in each basis and year, whichever basis the table itself shows.

    ``posted`` are the figures the table was built from. A year is left out where a basis states nothing for it.
    """
    whole = table.partnership
    mine = [each for each in posted if each.account.scope == scope]
    found: dict[Basis, dict[FinancialYear, Pence]] = {}
    for basis in Basis:
        selection = replace(table.question.selection, basis=BasisChoice(basis))
        for each in selection.choose(mine):
            account = each.account
            is_shown = account.workstream in whole.workstream_by_code and account.year in table.years
            if is_shown and each.figure.is_stated:
                of_year = found.setdefault(basis, {})
                of_year[account.year] = Pence(of_year.get(account.year, 0) + selection.counted_pence(each))
    return found


def cumulative_by_workstream(table: Table) -> Chart | None:
    """The partnership's workstreams stacked on each other, year by year, against the short-term potential."""
    rows = [row for row in table.rows if row.is_partnership]
    drawn = [row for row in rows if row.total.pence]
    if not drawn:
        return None
    total = table.totals[0]
    target = _target(table, max(year.cumulative_pence for year in total.years))
    what = _what(table)
    last, years = table.years[-1], total.years
    spoken = [
        f"Stacked columns: cumulative {what} of {table.partnership.name} by workstream, {table.years[0]} to {last}.",
        f"They come to {listed([f'{short_text(year.cumulative_pence)} by {year.year}' for year in years])}.",
        f"Of the {total.total.text}, {listed([f'{row.total.text} is in {row.workstream.name}' for row in drawn])}.",
    ]
    if silent := [row.workstream.name for row in rows if not row.total.pence]:
        spoken.append(f"There is no amount for {listed(silent)}.")
    if target is not None:
        where = "A line marks" if target.is_drawn else "Beyond the height of the chart lies"
        spoken.append(f"{where} the {target.words} of {short_text(target.pence)}.")
    return Chart(
        name="cumulative-by-workstream",
        title=f"Cumulative {what} by workstream, {table.partnership.short_name}",
        alternative_text=" ".join(spoken),
        data=ChartData(
            ("Workstream", *(str(year) for year in table.years)),
            (
                *(ChartRow(row.workstream.name, tuple(_cumulative(row))) for row in rows),
                ChartRow(
                    f"All {table.partnership.short_name}", tuple(_cell(year.cumulative_pence) for year in total.years)
                ),
            ),
        ),
        spec=stacked_columns(
            [
                Layer(row.workstream.name, row.total.text, [cell.cumulative_pence or 0 for cell in row.cells])
                for row in drawn
            ],
            [Column(str(year.year), short_text(year.cumulative_pence)) for year in total.years],
            target if target is not None and target.is_drawn else None,
        ),
    )


def council_shares(table: Table) -> Chart | None:
    """The home council's share of each workstream beside the whole; of all councils together where none is home."""
    whole = {part.workstream.code: part for part in table.proof.apportionments if part.workstream is not None}
    if table.home is not None:
        who = table.home.name
        mine = {row.workstream.code: row.total.pence for row in table.rows if row.scope == table.home.scope}
    else:
        who = "all councils"
        mine = {code: part.shares_pence for code, part in whole.items()}
    if not any(mine.values()):
        return None
    lines = []
    for workstream in table.partnership.workstreams:
        part = whole[workstream.code]
        of = part.partnership_pence if part.partnership_is_stated else None
        lines.append((workstream.name, mine[workstream.code], of))
    total = sum(pence or 0 for _, pence, _ in lines)
    short_name = table.partnership.short_name
    told = [f"{name} {_of_whole(pence, of)}" for name, pence, of in lines if pence]
    spoken = [
        f"Bars: the share of {who} in the {_what(table)} of each workstream, {table.years[0]} to {table.years[-1]}.",
        f"{'; '.join(told)}. Together {short_text(total)}.",
    ]
    if silent := [name for name, pence, _ in lines if not pence]:
        spoken.append(f"There is no share of {listed(silent)}.")
    return Chart(
        name="council-shares",
        title=f"Share of {who} by workstream",
        alternative_text=" ".join(spoken),
        data=ChartData(
            ("Workstream", "Share", short_name),
            (
                *(ChartRow(name, (_cell(pence), _cell(of))) for name, pence, of in lines),
                ChartRow("All workstreams", (_cell(Pence(total)), _cell(table.totals[0].total.pence))),
            ),
        ),
        spec=shares([Share(name, pence or 0, _of_whole(pence, of)) for name, pence, of in lines]),
    )


def savings_by_basis(table: Table, by_basis: ByBasis, whose: str | None = None) -> Chart | None:
    """What is estimated, forecast and delivered in each year, side by side and never added up.

    It is the partnership's, unless the figures given are those of a part, and ``whose`` says of which.
    """
    bases = [basis for basis in Basis if by_basis.get(basis)]
    if not any(any(by_basis[basis].values()) for basis in bases):
        return None
    flow = {FlowChoice.SAVING: "savings", FlowChoice.COST: "costs", FlowChoice.NET: "net savings"}
    what = flow[table.question.selection.flow]
    years = f"each year from {table.years[0]} to {table.years[-1]}"
    spoken = [f"Columns: new {what} of {whose or table.partnership.name} by basis, {years}."]
    for basis in bases:
        told = [f"{short_text(pence)} in {year}" for year, pence in sorted(by_basis[basis].items())]
        spoken.append(f"{_IN_WORDS[basis]}: {listed(told)}, together {short_text(sum(by_basis[basis].values()))}.")
    if silent := [_IN_WORDS[basis].lower() for basis in Basis if basis not in bases]:
        spoken.append(f"No {' and no '.join(silent)} has been stated.")
    return Chart(
        name="by-basis",
        title=f"Estimate, forecast and actual by year, {whose or table.partnership.short_name}",
        alternative_text=" ".join(spoken),
        data=ChartData(
            ("Basis", *(str(year) for year in table.years), "Total"),
            tuple(
                ChartRow(
                    _IN_WORDS[basis],
                    (
                        *(_cell(by_basis.get(basis, {}).get(year)) for year in table.years),
                        _cell(Pence(sum(by_basis[basis].values())) if basis in bases else None),
                    ),
                )
                for basis in Basis
            ),
        ),
        spec=columns_by_basis(
            [str(year) for year in table.years],
            {_IN_WORDS[basis]: [by_basis[basis].get(year) for year in table.years] for basis in bases},
        ),
    )


_IN_WORDS: Final = {Basis.ESTIMATE: "Estimate", Basis.FORECAST: "Forecast", Basis.ACTUAL: "Actual"}


def _what(table: Table) -> str:
    """``potential savings``: what the table's totals are called, without the word total."""
    return total_title(table.question.selection).removeprefix("Total ")


def _target(table: Table, highest_pence: int) -> Target | None:
    """The short-term potential; it speaks of all savings, so not where only a part of them is shown."""
    selection = table.question.selection
    is_whole = selection.benefit is None and selection.recurrence is None and selection.flow is not FlowChoice.COST
    if table.headline is None or not is_whole:
        return None
    pence = table.headline.short_term_pence
    return Target("short-term potential", pence, is_drawn=pence <= _TARGET_IN_SIGHT * highest_pence)


def _cumulative(row: Row) -> Sequence[ChartCell]:
    return [_cell(cell.cumulative_pence) for cell in row.cells]


def _cell(pence: Pence | None) -> ChartCell:
    return ChartCell(NO_FIGURE if pence is None else short_text(pence), pence)


def _of_whole(pence: int | None, of: int | None) -> str:
    if pence is None:
        return "no share stated"
    return f"{short_text(pence)} of {short_text(of)}" if of is not None else f"{short_text(pence)}; no whole is stated"
