"""The last sheet of the workbook: notes, projections, and the arithmetic proof, worked out anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from services.reporting.exports.excel_book import CELL, RIGHT, TITLE, Book
from services.reporting.exports.excel_lines import Lines
from services.reporting.exports.greys import PARTNERSHIP_GREY
from services.reporting.exports.word_tags import result_of
from services.reporting.rows import TotalRow
from services.reporting.table import Table
from shared.figures import Scope

NAME: Final = "Notes and proof"
_WIDTHS: Final = (84.0, 20.0, 22.0, 26.0, 30.0)
#: The form of a row that adds up those above it.
WHOLE: Final = {**CELL, "bold": True, "bg_color": f"#{PARTNERSHIP_GREY}"}


@dataclass(frozen=True, slots=True)
class Places:
    """Where the other sheets keep what this one counts on.

    ``totals`` are the cells of the last column, by workstream and scope; the workstream is ``None`` in the last two
    rows. ``data`` are the ranges of the tidy columns.
    """

    totals: Mapping[tuple[str | None, Scope], str]
    data: Mapping[str, str]


def write_notes(book: Book, table: Table, places: Places) -> None:
    """Add the sheet. Its sums are formulas over the other sheets, beside what was published."""
    sheet = book.sheet(NAME, columns=_WIDTHS, header_row=0)
    book.text(sheet, 0, 0, f"{table.title}: notes and proof", TITLE)
    lines = Lines(book, sheet, 2, _WIDTHS)
    lines.heading("Notes to the table")
    for note in table.notes:
        lines.paragraph(note.text)
    _write_projections(lines, table)
    _write_apportionment(lines, table, places)
    _write_additions(lines, table, places)
    _write_years(lines, table, places)


def _write_projections(lines: Lines, table: Table) -> None:
    if table.projections:
        lines.heading(f"Beyond {table.years[-1]}")
        lines.header("Workstream", "Projection", "When", "Confidence", amounts=(1,))
        for each in table.projections:
            name = table.partnership.workstream_by_code[each.workstream].name
            words = f"{name}: {each.text}" if each.text else name
            lines.high_enough_for(words, "", each.horizon, each.confidence)
            lines.text(0, words)
            lines.amount(1, each.amount_pence)
            lines.text(2, each.horizon)
            lines.text(3, each.confidence)
            lines.row += 1
    if table.headline:
        lines.heading("Overall potential")
        lines.header("Term", "Potential", amounts=(1,))
        for words, pence in (
            ("Short term", table.headline.short_term_pence),
            ("Medium term", table.headline.medium_term_pence),
            ("Long term", table.headline.long_term_pence),
        ):
            lines.text(0, words)
            lines.amount(1, pence)
            lines.row += 1


def _write_apportionment(lines: Lines, table: Table, places: Places) -> None:
    short_name = table.partnership.short_name
    lines.heading(f"Arithmetic proof: all councils' shares and what is unapportioned add up to the {short_name} figure")
    lines.header("Workstream", "Shares", "Unapportioned", short_name, "Result", amounts=(1, 2, 3))
    first = lines.row
    for part in table.proof.apportionments:
        is_whole = part.workstream is None
        form = WHOLE if is_whole else CELL
        name = part.workstream.name if part.workstream else "All workstreams"
        lines.high_enough_for(name, "", "", "", result_of(part))
        lines.text(0, name, form)
        for column, pence in ((1, part.shares_pence), (2, part.unapportioned_pence)):
            above = f"=SUM({lines.cell(column, first)}:{lines.cell(column, lines.row - 1)})"
            lines.amount(column, pence, form, formula=above if is_whole else None)
        scope = next(total.scope for total in table.totals if total.is_partnership)
        if part.partnership_is_stated:
            at = places.totals[part.workstream.code if part.workstream else None, scope]
            # A total that is printed as a dash is a text, and counts as nothing.
            lines.amount(3, part.partnership_pence, form, formula=f"=N({at})")
        else:
            lines.text(3, "not stated", {**form, **RIGHT})
        difference = f"{lines.cell(1)}+{lines.cell(2)}-N({lines.cell(3)})"
        lines.words(4, _verdict(difference, result_of(part)), result_of(part), form)
        lines.row += 1


def _verdict(difference: str, result: str) -> str:
    remark = result.partition("; ")[2]
    ending = f'&"; {remark}"' if remark else ""
    return f'=IF(ROUND({difference},2)=0,"Adds up","Does not add up"){ending}'


def _write_additions(lines: Lines, table: Table, places: Places) -> None:
    lines.heading("Arithmetic proof: the rows add up to the totals as published")
    lines.header("Rows", "Add up to", "Total as published", "Result", amounts=(1, 2))
    for part in table.proof.additions:
        lines.text(0, part.label)
        total = places.totals[None, part.scope]
        lines.amount(1, part.workstreams_pence, formula=f"=N({total})")
        lines.amount(2, part.total_pence)
        difference = f"{lines.cell(1)}-{lines.cell(2)}"
        verdict = f'=IF(ROUND({difference},2)=0,"They are equal","They are not equal")'
        lines.words(3, verdict, "They are equal" if part.holds else "They are not equal")
        lines.row += 1


def _write_years(lines: Lines, table: Table, places: Places) -> None:
    """Not printed in the table, but there for whoever counts on."""
    lines.heading("All workstreams, year by year")
    headers = [f"{total.label} {words}" for total in table.totals for words in ("in year", "cumulative")]
    lines.header("Year", *headers, amounts=range(1, 5))
    first = lines.row
    for place, year in enumerate(table.years):
        lines.text(0, str(year))
        for number, total in enumerate(table.totals):
            column = 1 + 2 * number
            in_year, cumulative = total.years[place].in_year_pence, total.years[place].cumulative_pence
            lines.amount(column, in_year, formula=_of_year(places, total, lines.cell(0)))
            above = f"=SUM({lines.cell(column, first)}:{lines.cell(column)})"
            lines.amount(column + 1, cumulative, formula=above)
        lines.row += 1


def _of_year(places: Places, total: TotalRow, year: str) -> str:
    data = places.data
    return f'=SUMPRODUCT(({data["scope"]}="{total.scope}")*({data["year"]}={year}),{data["in_year"]})'
