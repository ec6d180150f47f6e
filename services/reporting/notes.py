"""What stands under the tracker table in words: what brackets and greys mean, and what the totals do not say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import assert_never

from services.reporting.rows import CellStatus, Posted, Row, Selection, TotalRow
from shared.best import BasisChoice, FlowChoice
from shared.figures import Basis, Benefit, Recurrence, Scope, Status
from shared.money import short_text
from shared.partnership import Council, Partnership


class NoteKind(StrEnum):
    BRACKETS = "brackets"
    GREYS = "greys"
    SELECTION = "selection"
    WORKSTREAM = "workstream"
    BENEFITS = "benefits"
    NOT_IN_THE_TOTALS = "not_in_the_totals"
    NOT_COMPLETE = "not_complete"
    NOT_IN_THE_TABLE = "not_in_the_table"


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence under the table; ``workstream`` where it is about one alone."""

    kind: NoteKind
    text: str
    workstream: str | None = None


def notes_of(
    partnership: Partnership,
    home: Council | None,
    selection: Selection,
    rows: Sequence[Row],
    totals: Sequence[TotalRow],
    outside: Sequence[Posted],
) -> tuple[Note, ...]:
    """The notes of a table, in the order of printing. ``outside`` are figures for which it has no row or column."""
    return (
        Note(
            NoteKind.BRACKETS, f"Figures in brackets are cumulative: the running total since {partnership.first_year}."
        ),
        *_greys(partnership, home),
        *_selection(selection, rows),
        *_of_the_workstreams(rows),
        *_benefits(partnership, selection, rows, totals),
        *_not_in_the_totals(rows),
        *_not_complete(rows),
        *_not_in_the_table(outside),
    )


def written_day(day: date) -> str:
    """``7 December 2011``."""
    return f"{day.day} {day:%B %Y}"


def listed(parts: Sequence[str]) -> str:
    """``Highways, Waste and ICT``."""
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


def _greys(partnership: Partnership, home: Council | None) -> Iterable[Note]:
    whole = f"{partnership.name} ({partnership.short_name})"
    yield Note(
        NoteKind.GREYS, f"Light grey rows are the whole of {whole}, as stated by each workstream's lead council."
    )
    if home is not None:
        yield Note(
            NoteKind.GREYS,
            f"Dark grey rows are the share of {home.name} ({home.short_name}), as stated by that council.",
        )


def _selection(selection: Selection, rows: Sequence[Row]) -> Iterable[Note]:
    bases = {each.account.basis for row in rows for cell in row.cells for each in cell.behind}
    match selection.basis:
        case BasisChoice.BEST if bases == {Basis.ESTIMATE}:
            yield Note(NoteKind.SELECTION, "All figures are estimates: potential that has been identified.")
        case BasisChoice.BEST:
            yield Note(
                NoteKind.SELECTION,
                "Each figure is the surest stated: the actual if there is one, else the forecast, else the estimate.",
            )
        case BasisChoice.ESTIMATE:
            yield Note(NoteKind.SELECTION, "Estimates alone are shown: potential that has been identified.")
        case BasisChoice.FORECAST:
            yield Note(NoteKind.SELECTION, "Forecasts alone are shown: savings planned and expected.")
        case BasisChoice.ACTUAL:
            yield Note(NoteKind.SELECTION, "Actuals alone are shown: savings delivered in years that have ended.")
        case _:
            assert_never(selection.basis)
    if selection.benefit is not None:
        yield Note(NoteKind.SELECTION, f"Only {_BENEFITS[selection.benefit]} are shown.")
    if selection.recurrence is not None:
        word = "recurring" if selection.recurrence is Recurrence.RECURRING else "one-off"
        yield Note(NoteKind.SELECTION, f"Only {word} amounts are shown.")
    match selection.flow:
        case FlowChoice.SAVING:
            pass
        case FlowChoice.COST:
            yield Note(NoteKind.SELECTION, "The amounts are costs: the investment needed to get the savings.")
        case FlowChoice.NET:
            yield Note(NoteKind.SELECTION, "The amounts are net: savings minus the costs of getting them.")
        case _:
            assert_never(selection.flow)


def _of_the_workstreams(rows: Sequence[Row]) -> Iterable[Note]:
    told: set[str] = set()
    for row in rows:
        if row.workstream.note and row.total.pence is not None and row.workstream.code not in told:
            told.add(row.workstream.code)
            yield Note(NoteKind.WORKSTREAM, row.workstream.note, row.workstream.code)


_BENEFITS = {
    Benefit.CASH_RELEASING: "cash-releasing savings",
    Benefit.AVOIDED_COST: "avoided costs",
    Benefit.NON_CASH_RELEASING: "non-cash-releasing gains",
}


def _benefits(
    partnership: Partnership, selection: Selection, rows: Sequence[Row], totals: Sequence[TotalRow]
) -> Iterable[Note]:
    """Benefits are never mixed in one total without saying so (CSR07)."""
    if selection.benefit is not None:
        return
    for total in totals:
        parts = [
            part
            for benefit in (Benefit.AVOIDED_COST, Benefit.NON_CASH_RELEASING)
            if (part := _part_of(benefit, total.scope, selection, rows))
        ]
        if parts:
            whose = partnership.short_name if total.is_partnership else total.label
            yield Note(
                NoteKind.BENEFITS,
                f"The {whose} total of {total.total.text} includes {listed(parts)}, which free no cash.",
            )


def _part_of(benefit: Benefit, scope: Scope, selection: Selection, rows: Sequence[Row]) -> str | None:
    """``£1.6m of avoided costs (Special Educational Needs)``; where amounts cancel out they are still named."""
    pence, names = 0, []
    for row in rows:
        of_benefit = [
            selection.counted_pence(each)
            for cell in row.cells
            for each in cell.behind
            if row.scope == scope and each.account.benefit is benefit
        ]
        pence += sum(of_benefit)
        if any(of_benefit):
            names.append(row.workstream.name)
    return f"{short_text(pence)} of {_BENEFITS[benefit]} in {listed(names)}" if names else None


def _not_in_the_totals(rows: Sequence[Row]) -> Iterable[Note]:
    for status, words in (
        (CellStatus.TO_BE_CONFIRMED, "To be confirmed, and so not in the totals"),
        (CellStatus.SEE_NARRATIVE, "Not quantified, and so not in the totals; see the details below"),
    ):
        where = [
            f"{row.workstream.name}, {row.label}, {cell.year}"
            for row in rows
            for cell in row.cells
            if cell.status is status
        ]
        if where:
            yield Note(NoteKind.NOT_IN_THE_TOTALS, f"{words}: {'; '.join(where)}.")


def _not_complete(rows: Sequence[Row]) -> Iterable[Note]:
    """Where a cell shows an amount and part of it has no amount yet."""
    for row in rows:
        for cell in row.cells:
            if cell.status is CellStatus.QUANTIFIED and (
                pending := [_named(each) for each in cell.behind if _pends(each)]
            ):
                yield Note(
                    NoteKind.NOT_COMPLETE,
                    f"{row.workstream.name}, {row.label}, {cell.year}: the figure does not include "
                    f"{listed(sorted(set(pending)))}.",
                    row.workstream.code,
                )


def _not_in_the_table(outside: Sequence[Posted]) -> Iterable[Note]:
    """A figure of a workstream, council or year that the partnership file no longer names is left out, and named."""
    where = sorted({f"{each.account.workstream}, {each.account.scope}, {each.account.year}" for each in outside})
    if where:
        yield Note(
            NoteKind.NOT_IN_THE_TABLE,
            f"Stated, but not in the table, because the partnership's file does not name them: {'; '.join(where)}.",
        )


def _pends(each: Posted) -> bool:
    return each.figure.status in (Status.TO_BE_CONFIRMED, Status.SEE_NARRATIVE)


def _named(each: Posted) -> str:
    """``Data Centres, which is to be confirmed``; what concerns no initiative of its own is a part."""
    waits = "to be confirmed" if each.figure.status is Status.TO_BE_CONFIRMED else "not quantified"
    return f"{each.account.initiative or 'a part'}, which is {waits}"
