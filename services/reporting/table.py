"""The tracker table: the one object that every page, file and answer is drawn from, so that they cannot disagree. Pure.

Built from the partnership file and the figures that stand; nothing here reads a database or a clock. What is printed
equals Appendix 1 of the Cabinet report of 26 January 2012, to the letter, when given January 2012's figures.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from services.reporting.notes import Note, listed, notes_of, written_day
from services.reporting.proof import Proof, prove
from services.reporting.rounds import RoundCoverage
from services.reporting.rows import Posted, Row, Selection, TotalRow, build_row, build_total_row
from shared.best import BasisChoice, FlowChoice
from shared.figures import PARTNERSHIP, Scope, Stream, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.partnership import Council, Headline, Partnership, Projection, Workstream


@dataclass(frozen=True, slots=True)
class Update:
    """What was last written about a workstream in one scope: by whom, as at when, in which return."""

    stream: Stream
    text: str
    as_at: date
    recorded_at: datetime
    stated_by: str
    submission_id: str


@dataclass(frozen=True, slots=True)
class Question:
    """What a reader asks for.

    ``home`` is the council whose share is shown, if any; ``as_at`` leaves out what became true later, ``known_at`` what
    was recorded later. Both are printed with the table; the figures given to :func:`build_table` already obey them.
    """

    home: str | None = None
    as_at: date | None = None
    known_at: datetime | None = None
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True, slots=True)
class Narrative:
    """A workstream in words (Appendix 2): what it is for, and what its lead, and the home council, last wrote."""

    workstream: Workstream
    lead: Council
    update: Update | None
    home_update: Update | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Who has been heard: an amount or nil counts as stated, a placeholder does not."""

    with_partnership_figure: tuple[Workstream, ...]
    without_partnership_figure: tuple[Workstream, ...]
    councils_with_shares: tuple[Council, ...]
    councils_without_shares: tuple[Council, ...]
    latest_as_at: date | None
    #: What has come in the round that is open, if one is.
    round: RoundCoverage | None = None

    @property
    def text(self) -> str:
        """The coverage line under the table."""
        sentences = (
            _told("partnership figures are stated for", self.with_partnership_figure),
            _told("there is none yet for", self.without_partnership_figure),
            _told("shares are stated by", self.councils_with_shares),
            _told("there is none yet from", self.councils_without_shares),
            f"the latest figures are as at {written_day(self.latest_as_at)}" if self.latest_as_at else "",
            self.round.text if self.round else "",
        )
        return " ".join(f"{sentence[0].upper()}{sentence[1:]}." for sentence in sentences if sentence)


@dataclass(frozen=True, slots=True)
class Table:
    """The tracker table, whole: what is printed, the numbers, and the entries behind them."""

    partnership: Partnership
    home: Council | None
    question: Question
    years: tuple[FinancialYear, ...]
    rows: tuple[Row, ...]
    totals: tuple[TotalRow, ...]
    notes: tuple[Note, ...]
    narratives: tuple[Narrative, ...]
    projections: tuple[Projection, ...]
    headline: Headline | None
    coverage: Coverage
    proof: Proof

    @property
    def title(self) -> str:
        return f"{self.partnership.name} savings tracker"

    @property
    def caption(self) -> str:
        """What the table is of, in a word; what has been delivered is not potential any more."""
        potential = self.question.selection.basis is not BasisChoice.ACTUAL
        match self.question.selection.flow:
            case FlowChoice.SAVING:
                return "Potential savings and avoided costs" if potential else "Savings and avoided costs delivered"
            case FlowChoice.NET:
                return "Potential net savings" if potential else "Net savings delivered"
            case FlowChoice.COST:
                return "Costs of getting the savings"

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all has been stated of what the table shows."""
        return not any(cell.behind for row in self.rows for cell in row.cells)

    def rows_of(self, workstream: Workstream) -> tuple[Row, ...]:
        """A workstream's rows: the partnership's, then the home council's."""
        return tuple(row for row in self.rows if row.workstream is workstream)


def build_table(
    partnership: Partnership,
    posted: Sequence[Posted],
    updates: Iterable[Update],
    question: Question,
    round_coverage: RoundCoverage | None = None,
) -> Table:
    """The table that answers a question.

    ``posted`` are the standing figures of every scope, not of the rows shown alone: the proof needs all shares. At most
    one for each account. ``round_coverage`` is that of the round that is open, if one is.
    """
    home = partnership.council_by_gss[question.home] if question.home is not None else None
    selection = question.selection
    named = [each for each in posted if _is_named(partnership, each)]
    outside = [each for each in posted if not _is_named(partnership, each)]
    chosen = selection.choose(named)
    scopes = (PARTNERSHIP, home.scope) if home is not None else (PARTNERSHIP,)

    cells: Mapping[Stream, dict[FinancialYear, list[Posted]]] = defaultdict(lambda: defaultdict(list))
    for each in sorted(chosen, key=lambda each: each.account):
        cells[each.account.stream][each.account.year].append(each)
    carried_forward = round_coverage.carried_forward if round_coverage else frozenset()
    rows = tuple(
        build_row(
            partnership,
            workstream,
            scope,
            cells[_stream(workstream, scope)],
            selection,
            is_carried_forward=_stream(workstream, scope) in carried_forward,
        )
        for workstream in partnership.workstreams
        for scope in scopes
    )
    totals = tuple(
        build_total_row(
            partnership, [row for row in rows if row.scope == scope], total_title(selection), chosen, selection
        )
        for scope in scopes
    )
    return Table(
        partnership=partnership,
        home=home,
        question=question,
        years=partnership.years,
        rows=rows,
        totals=totals,
        notes=notes_of(partnership, home, selection, rows, totals, outside),
        narratives=_narratives(partnership, home, updates),
        projections=partnership.projections,
        headline=partnership.headline,
        coverage=_coverage(partnership, named, round_coverage),
        proof=prove(partnership, chosen, selection, rows, totals),
    )


def total_title(selection: Selection) -> str:
    """What heads the last two rows; what has been delivered is not potential any more."""
    potential = "" if selection.basis is BasisChoice.ACTUAL else "potential "
    match selection.flow:
        case FlowChoice.SAVING:
            words = f"Total {potential}savings"
        case FlowChoice.NET:
            words = f"Total {potential}net savings"
        case FlowChoice.COST:
            words = "Total costs"
    return words


def _is_named(partnership: Partnership, each: Posted) -> bool:
    """Whether the partnership file knows the figure's workstream, scope and year; a file may have changed since."""
    account = each.account
    return (
        account.workstream in partnership.workstream_by_code
        and (account.scope == PARTNERSHIP or account.scope in partnership.council_by_gss)
        and partnership.first_year <= account.year <= partnership.last_year
    )


def _stream(workstream: Workstream, scope: Scope) -> Stream:
    return Stream(WorkstreamCode(workstream.code), scope)


def _narratives(partnership: Partnership, home: Council | None, updates: Iterable[Update]) -> tuple[Narrative, ...]:
    by_stream = {update.stream: update for update in updates}
    return tuple(
        Narrative(
            workstream=workstream,
            lead=partnership.council_by_gss[workstream.lead],
            update=by_stream.get(_stream(workstream, PARTNERSHIP)),
            home_update=by_stream.get(_stream(workstream, home.scope)) if home is not None else None,
        )
        for workstream in partnership.workstreams
    )


def _coverage(partnership: Partnership, posted: Sequence[Posted], round_: RoundCoverage | None) -> Coverage:
    stated = [each for each in posted if each.figure.is_stated]
    heard = {each.account.workstream for each in stated if each.account.scope == PARTNERSHIP}
    sharing = {each.account.scope for each in stated}
    councils = [council for council in partnership.councils if _exists_in(partnership, council)]
    return Coverage(
        with_partnership_figure=tuple(each for each in partnership.workstreams if each.code in heard),
        without_partnership_figure=tuple(each for each in partnership.workstreams if each.code not in heard),
        councils_with_shares=tuple(council for council in councils if council.scope in sharing),
        councils_without_shares=tuple(council for council in councils if council.scope not in sharing),
        latest_as_at=max((each.entry.as_at for each in posted), default=None),
        round=round_,
    )


def _exists_in(partnership: Partnership, council: Council) -> bool:
    """Whether the council exists on some day of the table's years."""
    starts, ends = council.starts or date.min, council.ends or date.max
    return starts <= partnership.last_year.last_day and ends >= partnership.first_year.first_day


def _told(words: str, about: Sequence[Workstream] | Sequence[Council]) -> str:
    return f"{words} {listed([each.name for each in about])}" if about else ""
