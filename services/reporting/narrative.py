"""The narrative starter: sentences with which a report may begin, every number in them the table's own. Pure.

A sentence is parts of text; a part that is a number says what it was added up from, so that page and Word can lead
there. Nothing is rounded, compared or explained that the ledger does not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from services.reporting.proof import Apportionment
from services.reporting.rows import Posted, Row, TotalRow
from services.reporting.table import Table, total_title
from shared.best import BasisChoice, FlowChoice
from shared.figures import PARTNERSHIP, Basis, Benefit, Scope
from shared.financial_year import FinancialYear
from shared.money import Pence, short_text


class Origin(StrEnum):
    """Where a number stands: in the rows of the table, in the proof under it, in the partnership's file, or between
    an edition and the table."""

    ROWS = "rows"
    PROOF = "proof"
    PARTNERSHIP_FILE = "partnership_file"
    MOVEMENT = "movement"


@dataclass(frozen=True, slots=True)
class Reference:
    """What a number comes from.

    ``workstream`` is a code, ``None`` for all of them; ``year`` is ``None`` for all years; ``behind`` are the figures
    that were added up, each with its entry, where they are the table's.
    """

    origin: Origin
    pence: Pence
    scope: Scope = PARTNERSHIP
    workstream: str | None = None
    year: FinancialYear | None = None
    behind: tuple[Posted, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence; ``reference`` where it is a number."""

    text: str
    reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True)
class Movement:
    """How far the total of a scope has moved since an edition, and by which workstreams: proved by whoever gives it.

    ``since`` is said after "than in": ``September``, ``the edition of 20 September 2011``.
    """

    since: str
    scope: Scope
    pence: Pence
    by_workstream: tuple[tuple[str, Pence], ...]


_Piece: TypeAlias = str | Part
_COUNTED: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def narrative_starter(table: Table, movements: Sequence[Movement] = ()) -> tuple[Sentence, ...]:
    """The sentences for a table; none where nothing has been stated.

    ``movements`` are those between an edition and this table, and are left unsaid where none are given.
    """
    whole = table.totals[0]
    if whole.total.pence is None:
        return ()
    home = table.totals[1] if table.home is not None else None
    return tuple(
        _sentence(pieces)
        for pieces in (
            _headline(table, whole, home),
            *(_moved(table, movement) for movement in movements),
            _by_workstream(table, whole, "Of the "),
            _by_workstream(table, home, f"Of {_name(table)}'s ") if home is not None else (),
            _by_year(table, whole),
            *(_benefits(table, total) for total in table.totals),
            _without_an_amount(table),
            *_apportioned(table),
            _potential(table),
        )
        if pieces
    )


def _headline(table: Table, whole: TotalRow, home: TotalRow | None) -> list[_Piece]:
    """What there is in all, and what of it comes home: "of which" only where the share is within the whole."""
    verb, comes = _verbs(table)
    noun = total_title(table.question.selection).removeprefix("Total ")
    if comes in _DONE:
        noun = noun.removeprefix("potential ")
    count = len(table.years)
    years = "in" if count == 1 else f"over the {_COUNTED[count] if count < len(_COUNTED) else count} years"
    span = f"{table.years[0]}" if count == 1 else f"{table.years[0]} to {table.years[-1]}"
    said: list[_Piece] = [f"The partnership {verb} {noun} of ", _total(table, whole), f" {years} {span}"]
    if home is not None and home.total.pence is not None:
        is_within = 0 <= home.total.pence <= (whole.total.pence or 0)
        share = _total(table, home)
        said += (
            [", of which ", share, f" {comes} {_name(table)}"]
            if is_within
            else [f"; {_name(table)} states a share of ", share]
        )
    return [*said, "."]


def _moved(table: Table, movement: Movement) -> list[_Piece]:
    whose = "That" if movement.scope == PARTNERSHIP else f"The share of {table.partnership.scope_name(movement.scope)}"
    if movement.pence == 0:
        return [f"{whose} is the same as in {movement.since}."]
    more = "more" if movement.pence > 0 else "less"
    number = Part(short_text(abs(movement.pence)), Reference(Origin.MOVEMENT, movement.pence, movement.scope))
    said: list[_Piece] = [f"{whose} is ", number, f" {more} than in {movement.since}"]
    same_way = [(code, pence) for code, pence in movement.by_workstream if pence * movement.pence > 0]
    if same_way:
        code, pence = max(same_way, key=lambda each: abs(each[1]))
        reference = Reference(Origin.MOVEMENT, pence, movement.scope, code)
        name = table.partnership.workstream_by_code[code].name
        said += [f", mainly {name} (", Part(short_text(abs(pence)), reference), ")"]
    return [*said, "."]


def _by_workstream(table: Table, total: TotalRow, opening: str) -> list[_Piece]:
    rows = [row for row in table.rows if row.scope == total.scope and row.total.pence]
    rows.sort(key=lambda row: row.total.pence or 0, reverse=True)
    if len(rows) < 2:
        return []
    said: list[list[_Piece]] = []
    for row in rows:
        said.append([_row_total(row), f"{'' if said else ' is'} in {row.workstream.name}"])
    return [opening, _total(table, total), ", ", *_listed(said), "."]


def _by_year(table: Table, whole: TotalRow) -> list[_Piece]:
    said: list[list[_Piece]] = []
    for year in whole.years:
        if year.in_year_pence:
            behind = tuple(
                each
                for row in table.rows
                if row.scope == whole.scope
                for cell in row.cells
                if cell.year == year.year
                for each in cell.behind
            )
            reference = Reference(Origin.ROWS, year.in_year_pence, whole.scope, None, year.year, behind)
            starts = " starts" if not said else ""
            said.append([Part(short_text(year.in_year_pence), reference), f"{starts} in {year.year}"])
    return [*_listed(said), "."] if len(said) > 1 else []


def _benefits(table: Table, total: TotalRow) -> list[_Piece]:
    """Benefits are never mixed in one total without saying so (CSR07)."""
    selection = table.question.selection
    if selection.benefit is not None:
        return []
    found: list[list[_Piece]] = []
    for benefit, words in _FREE_NO_CASH.items():
        behind = tuple(each for each in _behind(table, total.scope) if each.account.benefit is benefit)
        pence = Pence(sum(selection.counted_pence(each) for each in behind))
        if pence:
            reference = Reference(Origin.ROWS, pence, total.scope, behind=behind)
            found.append([Part(short_text(pence), reference), f" of {words}"])
    if not found:
        return []
    return ["The ", _total(table, total), " includes ", *_listed(found), ", which free no cash."]


_FREE_NO_CASH: Final = {
    Benefit.AVOIDED_COST: "avoided costs",
    Benefit.NON_CASH_RELEASING: "non-cash-releasing gains",
}


def _without_an_amount(table: Table) -> list[_Piece]:
    silent: list[list[_Piece]] = [
        [row.workstream.name] for row in table.rows if row.is_partnership and row.total.pence is None
    ]
    return ["The partnership figure is still to come for ", *_listed(silent), "."] if silent else []


def _apportioned(table: Table) -> Iterable[list[_Piece]]:
    """What no council has claimed of the whole, and where more is claimed than there is."""
    whole = next(part for part in table.proof.apportionments if part.workstream is None)
    if whole.unapportioned_pence > 0:
        yield [_proved(whole, whole.unapportioned_pence), " has not been apportioned to councils yet."]
    for part in table.proof.over_claimed:
        name = part.workstream.name if part.workstream is not None else ""
        against: list[_Piece] = [", and there is no partnership figure"]
        if part.partnership_is_stated:
            more = "more than there is" if part.unapportioned_pence < 0 else "in some years more than there is by then"
            against = [" against a partnership figure of ", _proved(part, part.partnership_pence), f", {more}"]
        yield [f"In {name} the councils state shares of ", _proved(part, part.shares_pence), *against, "."]


def _potential(table: Table) -> list[_Piece]:
    headline = table.headline
    if headline is None:
        return []
    terms = (
        (headline.short_term_pence, "short"),
        (headline.medium_term_pence, "medium"),
        (headline.long_term_pence, "long"),
    )
    said: list[list[_Piece]] = [
        [Part(short_text(pence), Reference(Origin.PARTNERSHIP_FILE, Pence(pence))), f" in the {term} term"]
        for pence, term in terms
    ]
    return ["The partnership puts its overall potential at ", *_listed(said), "."]


#: What is said of money that has come, or gone: it is potential no more.
_DONE: Final = ("came to", "fell to")


def _verbs(table: Table) -> tuple[str, str]:
    """What the partnership has done about the money, and what of it a council gets, as sure as the figures are."""
    selection = table.question.selection
    bases = {each.account.basis for row in table.rows for cell in row.cells for each in cell.behind}
    if selection.basis is BasisChoice.ACTUAL or bases == {Basis.ACTUAL}:
        verb, comes = "has delivered", "came to"
    elif selection.basis is BasisChoice.FORECAST or bases == {Basis.FORECAST}:
        verb, comes = "expects", "is to come to"
    else:
        verb, comes = "has identified", "would come to"
    if selection.flow is FlowChoice.COST:
        return ("has met" if verb == "has delivered" else verb), ("fell to" if comes == "came to" else "would fall to")
    return verb, comes


def _name(table: Table) -> str:
    return table.home.name if table.home is not None else table.partnership.name


def _total(table: Table, total: TotalRow) -> Part:
    reference = Reference(
        Origin.ROWS, total.total.pence or Pence(0), total.scope, behind=tuple(_behind(table, total.scope))
    )
    return Part(short_text(reference.pence), reference)


def _row_total(row: Row) -> Part:
    behind = tuple(each for cell in row.cells for each in cell.behind)
    reference = Reference(Origin.ROWS, row.total.pence or Pence(0), row.scope, row.workstream.code, behind=behind)
    return Part(short_text(reference.pence), reference)


def _proved(part: Apportionment, pence: Pence) -> Part:
    code = part.workstream.code if part.workstream is not None else None
    return Part(short_text(pence), Reference(Origin.PROOF, pence, workstream=code))


def _behind(table: Table, scope: Scope) -> Iterable[Posted]:
    return (each for row in table.rows if row.scope == scope for cell in row.cells for each in cell.behind)


def _listed(items: Sequence[Sequence[_Piece]]) -> list[_Piece]:
    """``a, b and c``, of items that are pieces themselves."""
    said: list[_Piece] = []
    for place, item in enumerate(items):
        if place:
            said.append(" and " if place == len(items) - 1 else ", ")
        said += item
    return said


def _sentence(pieces: Sequence[_Piece]) -> Sentence:
    """Pieces put together, neighbouring words in one part."""
    parts: list[Part] = []
    for piece in pieces:
        if isinstance(piece, Part):
            parts.append(piece)
        elif parts and parts[-1].reference is None:
            parts[-1] = Part(parts[-1].text + piece)
        else:
            parts.append(Part(piece))
    return Sentence(tuple(parts))
