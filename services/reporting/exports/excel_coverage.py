"""The sheet of who has reported: what has come in the round that is open, and for what a figure stands at all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from xlsxwriter.utility import xl_range_abs

from services.reporting.exports.excel_book import CELL, TITLE, Book
from services.reporting.exports.excel_lines import Lines
from services.reporting.notes import written_day
from services.reporting.rounds import Presence, RoundCoverage
from services.reporting.table import Table

NAME: Final = "Coverage"
_WIDTHS: Final = (56.0, 36.0, 22.0, 24.0)
_STREAMS: Final = ("Workstream", "Whose", "Return", "First received")

#: What has come of a return, where people read it.
PRESENCES: Final[Mapping[Presence, str]] = {
    Presence.ON_TIME: "On time",
    Presence.LATE: "Late",
    Presence.CARRIED_FORWARD: "Carried forward",
    Presence.MISSING: "Missing",
}


def write_coverage(book: Book, table: Table) -> None:
    """Add the sheet. How many returns there are of each kind is counted by formulas, from the list at its end."""
    sheet = book.sheet(NAME, columns=_WIDTHS, header_row=0)
    book.text(sheet, 0, 0, f"{table.title}: who has reported", TITLE)
    lines = Lines(book, sheet, 2, _WIDTHS)
    round_ = table.coverage.round
    if round_ is None:
        lines.paragraph("No reporting round is open.")
    else:
        lines.heading(f"The round {round_.round.name}")
        opens, due, closes = (written_day(day) for day in (round_.round.opens, round_.round.due, round_.round.closes))
        lines.paragraph(f"Opens {opens}, due {due}, closes {closes}.")
    at_counts = lines.row
    if round_ is not None:
        lines.row += 3 + len(Presence)
    _write_stated(lines, table)
    if round_ is not None:
        returns = _write_streams(lines, round_)
        lines.row = at_counts
        _write_counts(lines, round_, returns)


def _write_counts(lines: Lines, round_: RoundCoverage, returns: str) -> None:
    lines.header("Returns", "How many", amounts=(1,))
    received = " and ".join(PRESENCES[each].lower() for each in (Presence.ON_TIME, Presence.LATE))
    first = lines.row + 2
    rows = [
        ("Expected", len(round_.streams), f"=COUNTA({returns})"),
        (f"Received: {received}", round_.received, f"=SUM({lines.cell(1, first)}:{lines.cell(1, first + 1)})"),
        *(
            (PRESENCES[presence], count, f'=COUNTIF({returns},"{PRESENCES[presence]}")')
            for presence, count in round_.counts.items()
        ),
    ]
    for words, count, formula in rows:
        lines.text(0, words)
        lines.count(1, count, formula=formula)
        lines.row += 1


def _write_stated(lines: Lines, table: Table) -> None:
    """A row for each, not one long sentence: seventy councils would fill a page."""
    coverage = table.coverage
    lines.heading("Figures stated so far")
    if coverage.latest_as_at:
        lines.paragraph(f"The latest figures are as at {written_day(coverage.latest_as_at)}.")
    in_years = {each.gss for each in (*coverage.councils_with_shares, *coverage.councils_without_shares)}
    stating = {each.code for each in coverage.with_partnership_figure}
    sharing = {each.gss for each in coverage.councils_with_shares}
    heard_of = (
        ("Workstream", "Figure", [(each.name, each.code in stating) for each in table.partnership.workstreams]),
        (
            "Council",
            "Shares",
            [(each.name, each.gss in sharing) for each in table.partnership.councils if each.gss in in_years],
        ),
    )
    for what, of_what, whole in heard_of:
        lines.header(what, of_what)
        for name, is_heard in whole:
            lines.high_enough_for(name)
            lines.text(0, name)
            lines.text(1, "Stated" if is_heard else "None yet")
            lines.row += 1
        lines.row += 1
    lines.row -= 1


def _write_streams(lines: Lines, round_: RoundCoverage) -> str:
    """Each return that is expected; returns the range of what has come of them."""
    lines.heading("The returns expected in the round")
    header_row, partnership = lines.row, round_.partnership
    lines.book.declare(
        lines.sheet,
        "Coverage_of_the_round",
        (header_row, 0, header_row + len(round_.streams), len(_STREAMS) - 1),
        _STREAMS,
        "One row for each return that the round expects: whether it has come, and when the first did.",
        filters=True,
    )
    lines.row += 1
    for each in round_.streams:
        name = partnership.workstream_by_code[each.stream.workstream].name
        whose = partnership.scope_name(each.stream.scope)
        lines.high_enough_for(name, whose)
        lines.text(0, name)
        lines.text(1, whose)
        lines.text(2, PRESENCES[each.presence])
        lines.day(3, each.received_on, CELL)
        lines.row += 1
    return str(xl_range_abs(header_row + 1, 2, max(header_row + 1, lines.row - 1), 2))
