"""May this return stand? The rules of a return, as the partnership's domain has them. Pure: no I/O, no clock.

What a return is about is read by :mod:`services.intake.form`; who may state it is the principal's to say. Here stand
the rules about its lines, each and together, against the figures already stated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TypeAlias

from services.intake.stated_figures import AccountKey, StatedFigures
from shared.errors import Fault
from shared.figures import PARTNERSHIP, Account, Basis, Benefit, Figure, Flow, Recurrence, Status, Stream
from shared.financial_year import FinancialYear
from shared.money import Pence, pounds, short_text
from shared.partnership import Council, Partnership


@dataclass(frozen=True)
class Line:
    """One figure of a return; ``place`` is where it stands among the lines that were sent, from 0."""

    place: int
    account: Account
    figure: Figure
    cumulative_pence: Pence | None = None
    reason: str | None = None
    note: str | None = None
    cell: str | None = None

    @cached_property
    def key(self) -> AccountKey:
        return str(self.account)

    @property
    def pointer(self) -> str:
        return f"/lines/{self.place}"


@dataclass(frozen=True)
class Source:
    """Where the figures came from, as the sender says."""

    system: str | None = None
    reference: str | None = None
    file: str | None = None


@dataclass(frozen=True)
class Return:
    """One statement by one council about one workstream and scope, as at a date."""

    stream: Stream
    as_at: date
    lines: tuple[Line, ...]
    reason: str | None = None
    update: str | None = None
    source: Source = Source()

    def reason_for(self, line: Line) -> str | None:
        """A line's own reason, or else the one for the whole return."""
        return line.reason or self.reason

    @property
    def states_a_cumulative(self) -> bool:
        return any(line.cumulative_pence is not None for line in self.lines)


@dataclass(frozen=True, slots=True)
class LineResult:
    """What a line does: the figure it replaces as at its date, the movement, and whether it stands now."""

    line: Line
    previous: Figure | None
    movement_pence: Pence
    stands: bool


def results_of(return_: Return, stated: StatedFigures) -> list[LineResult]:
    """What each line of an accepted return does. The latest as-at date wins; on the same date, the last recorded."""
    return [_result_of(line, return_.as_at, stated) for line in return_.lines]


def _result_of(line: Line, as_at: date, stated: StatedFigures) -> LineResult:
    previous = stated.as_at(line.key, as_at)
    stands = stated.would_stand(line.key, as_at)
    replaced_pence = previous.counted_pence if previous is not None else 0
    movement_pence = Pence(line.figure.counted_pence - replaced_pence if stands else 0)
    return LineResult(line, previous, movement_pence, stands)


def may_stand(return_: Return, stated: StatedFigures, partnership: Partnership, *, whole: bool = True) -> list[Fault]:
    """Everything that keeps a return from standing, told at once; nothing, when it may stand.

    Args:
        stated: what has been stated before of every account named; of the whole stream, where a cumulative is stated.
        whole: whether these are all of its lines. Where some could not be read, sums over them would say nothing.
    """
    faults = [
        *_council_exists(return_, partnership),
        *(fault for line in return_.lines for fault in _line_faults(line, return_, stated, partnership)),
    ]
    twice = _given_twice(return_.lines)
    if whole and not twice:
        return faults + _cumulatives_disagree(return_, stated, partnership)
    return faults + twice


def _council_exists(return_: Return, partnership: Partnership) -> Iterator[Fault]:
    """A council states nothing as at a day on which it does not exist, neither its share nor as the lead council."""
    council = _speaker(return_.stream, partnership)
    fix = "Check the date, and that the partnership's file has the councils as they are."
    if council.ends is not None and return_.as_at > council.ends:
        detail = f"{council.name} ends on {council.ends}; it states nothing as at {return_.as_at}."
        yield Fault("/as_at", "council-ended", detail, fix, str(return_.as_at), f"{council.ends} or earlier")
    if council.starts is not None and return_.as_at < council.starts:
        detail = f"{council.name} starts on {council.starts}; it states nothing as at {return_.as_at}."
        yield Fault("/as_at", "council-not-started", detail, fix, str(return_.as_at), f"{council.starts} or later")


def _line_faults(line: Line, return_: Return, stated: StatedFigures, partnership: Partnership) -> Iterator[Fault]:
    yield from _year_outside_council(line, return_.stream, partnership)
    yield from _basis_does_not_fit_year(line, return_.as_at)
    if return_.reason_for(line) is None:
        yield from _negative_without_reason(line)
        yield from _change_without_reason(line, stated.as_at(line.key, return_.as_at))


def _year_outside_council(line: Line, stream: Stream, partnership: Partnership) -> Iterator[Fault]:
    if stream.scope == PARTNERSHIP:
        return
    council, year = partnership.council_by_gss[stream.scope], line.account.year
    pointer, given = f"{line.pointer}/year", str(year)
    if council.ends is not None and year.first_day > council.ends:
        detail = f"{council.name} ends on {council.ends}; it has no share in {year}."
        fix = "State years that begin before that day."
        yield Fault(pointer, "council-ended", detail, fix, given, f"years up to {_year_of(council.ends)}")
    if council.starts is not None and year.last_day < council.starts:
        detail = f"{council.name} starts on {council.starts}; it has no share in {year}."
        fix = "State years that end after that day."
        yield Fault(pointer, "council-not-started", detail, fix, given, f"years from {_year_of(council.starts)}")


def _basis_does_not_fit_year(line: Line, as_at: date) -> Iterator[Fault]:
    year, has_ended = line.account.year, line.account.year.has_ended_by(as_at)
    pointer = f"{line.pointer}/basis"
    if line.account.basis is Basis.ACTUAL and not has_ended:
        detail = f"An actual is about a year that has ended; {year} ends on {year.last_day}, after {as_at}."
        fix = f"State it as a forecast, or as at {year.last_day} or later."
        yield Fault(pointer, "actual-before-year-end", detail, fix, Basis.ACTUAL, [Basis.ESTIMATE, Basis.FORECAST])
    if line.account.basis is Basis.FORECAST and has_ended:
        detail = f"A forecast is about a year that has not ended; {year} ended on {year.last_day}, by {as_at}."
        fix = "State it as an actual, or as at a day before the year's end."
        yield Fault(pointer, "forecast-after-year-end", detail, fix, Basis.FORECAST, [Basis.ESTIMATE, Basis.ACTUAL])


def _negative_without_reason(line: Line) -> Iterator[Fault]:
    amount_pence = line.figure.counted_pence
    if line.account.flow is Flow.SAVING and amount_pence < 0:
        detail = f"A saving of {short_text(amount_pence)} is negative and has no reason."
        fix = "Give the reason, on the line or for the whole return; state what a saving costs with the flow cost."
        yield Fault(f"{line.pointer}/amount", "negative-without-reason", detail, fix, pounds(amount_pence))


def _change_without_reason(line: Line, previous: Figure | None) -> Iterator[Fault]:
    if previous is None or not previous.is_stated or line.figure.says_the_same_as(previous):
        return
    stated, now = in_words(previous), in_words(line.figure)
    detail = f"{line.account.year} was stated as {stated}, and now as {now}; a change needs a reason."
    fix = f"Give the reason, on the line or for the whole return, or state {stated} as before."
    pointer = f"{line.pointer}/{'amount' if line.figure.status is Status.QUANTIFIED else 'status'}"
    yield Fault(pointer, "change-without-reason", detail, fix, now, stated)


def _given_twice(lines: Sequence[Line]) -> list[Fault]:
    first: dict[AccountKey, Line] = {}
    faults: list[Fault] = []
    for line in lines:
        other = first.setdefault(line.key, line)
        if other is not line:
            detail = f"The line is about the same account as {other.pointer}: {line.account.year}, in all else alike."
            fix = "Leave one of them out, or tell them apart by initiative, basis, benefit, recurrence or flow."
            given, allowed = in_words(line.figure), f"{other.pointer} says {in_words(other.figure)}"
            faults.append(Fault(line.pointer, "line-given-twice", detail, fix, given, allowed))
    return faults


_Initiative: TypeAlias = tuple[str, Basis, Benefit, Recurrence, Flow]
_Whole: TypeAlias = tuple[Basis, Flow]


def _cumulatives_disagree(return_: Return, stated: StatedFigures, partnership: Partnership) -> list[Fault]:
    """A cumulative is the running sum of the in-year amounts, as they stand as at the return's date after it.

    Senders mean one of two sums by it: that of the line's own initiative, or that of the workstream as a whole (over
    all initiatives, benefits and recurrences). Either is taken.
    """
    if not return_.states_a_cumulative:
        return []
    after = {key: (account, figure) for key, account, figure in stated.of_stream(return_.stream, return_.as_at)}
    after |= {line.key: (line.account, line.figure) for line in return_.lines}
    by_initiative: defaultdict[_Initiative, defaultdict[FinancialYear, int]] = defaultdict(lambda: defaultdict(int))
    by_whole: defaultdict[_Whole, defaultdict[FinancialYear, int]] = defaultdict(lambda: defaultdict(int))
    for account, figure in after.values():
        by_initiative[_initiative_of(account)][account.year] += figure.counted_pence
        by_whole[account.basis, account.flow][account.year] += figure.counted_pence
    faults: list[Fault] = []
    for line in return_.lines:
        if line.cumulative_pence is None:
            continue
        own = _sum_up_to(line.account.year, by_initiative[_initiative_of(line.account)])
        whole = _sum_up_to(line.account.year, by_whole[line.account.basis, line.account.flow])
        if line.cumulative_pence not in (own, whole):
            faults.append(_disagreement(line, own, whole, partnership))
    return faults


def _initiative_of(account: Account) -> _Initiative:
    return account.initiative, account.basis, account.benefit, account.recurrence, account.flow


def _sum_up_to(year: FinancialYear, amounts_pence: Mapping[FinancialYear, int]) -> int:
    return sum(amount for other, amount in amounts_pence.items() if other <= year)


def _disagreement(line: Line, own_pence: int, whole_pence: int, partnership: Partnership) -> Fault:
    year, cumulative_pence = line.account.year, line.cumulative_pence or 0
    workstream = partnership.workstream_by_code[line.account.workstream].name
    sums = f"{short_text(whole_pence)} for {workstream} as a whole"
    if own_pence != whole_pence:
        own = line.account.initiative or "these lines without an initiative"
        sums = f"{short_text(own_pence)} for {own}, and {sums}"
    return Fault(
        f"{line.pointer}/cumulative",
        "cumulative-disagrees",
        f"The cumulative is stated as {short_text(cumulative_pence)}; the amounts of the years up to {year}, with "
        f"those that stand from before, add up to {sums}.",
        "Correct the cumulative or the amounts, or leave the cumulative out.",
        pounds(cumulative_pence),
        sorted({pounds(own_pence), pounds(whole_pence)}),
    )


def in_words(figure: Figure) -> str:
    """A figure in a sentence: ``£300k``, ``nil``, ``to be confirmed``."""
    return str(figure.status).replace("_", " ") if figure.amount_pence is None else short_text(figure.amount_pence)


def _speaker(stream: Stream, partnership: Partnership) -> Council:
    """The council that states a stream: whose share it is, or the lead council."""
    if stream.scope == PARTNERSHIP:
        return partnership.council_by_gss[partnership.workstream_by_code[stream.workstream].lead]
    return partnership.council_by_gss[stream.scope]


def _year_of(day: date) -> FinancialYear:
    return FinancialYear.containing(day)
