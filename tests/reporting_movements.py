"""Builders of what moved: January 2012 beside an edition before it in which some figures were others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from services.reporting.movement import Movements, State, movements_between
from services.reporting.rounds import Round, RoundCoverage, coverage_of
from services.reporting.rows import Posted
from services.reporting.table import Question, build_table
from shared.figures import PARTNERSHIP, Basis, Scope, Status, Stream, WorkstreamCode
from tests.reporting_figures import EAST_SUSSEX, ENTRY, KENT, SE7, figure, january_2012, posted

SEPTEMBER = "Cabinet, 20 September 2011"
REASON = "The supply chain review found more."


def september_2011() -> list[Posted]:
    """January's figures as they stood before: Highways lower, ICT in other years, SEN not yet stated."""
    before = []
    for each in january_2012():
        account = each.account
        match (account.workstream, account.scope, str(account.year)):
            case ("highways", "partnership", "2012/13"):
                before.append(replace(each, figure=figure("£5m")))
            case ("ict", "partnership", "2011/12"):
                before.append(replace(each, figure=figure("£9.1m")))
            case ("ict", "partnership", "2012/13"):
                before.append(replace(each, figure=figure("£9.4m")))
            case ("sen", "partnership", _):
                pass
            case _:
                before.append(each)
    return before


def moved(after: Sequence[Posted] | None = None, home: Scope | None = EAST_SUSSEX) -> Movements:
    """From September's edition to January's draft, or to other figures."""
    question = Question(home=home)
    now = [
        replace(each, entry=replace(each.entry, reason=REASON)) if each.account.workstream == "highways" else each
        for each in (after if after is not None else january_2012())
    ]
    now += [posted("waste", "2013/14", "£5m", basis=Basis.FORECAST, entry=replace(ENTRY, reason="A contract, now."))]
    return movements_between(
        State(SEPTEMBER, build_table(SE7, september_2011(), (), question), tuple(september_2011())),
        State("Draft", build_table(SE7, now, (), question), tuple(now)),
    )


def round_coverage() -> RoundCoverage:
    """A round in which Highways has come in time, ICT late, and East Sussex's and Kent's shares not at all."""
    streams = [
        Stream(WorkstreamCode(workstream.code), scope)
        for workstream in SE7.workstreams
        for scope in (PARTNERSHIP, EAST_SUSSEX, KENT)
    ]
    round_ = Round(
        1, "December 2011", date(2011, 12, 1), date(2011, 12, 9), date(2012, 1, 20), ENTRY.recorded_at, tuple(streams)
    )
    received = {
        Stream(WorkstreamCode("highways"), PARTNERSHIP): datetime(2011, 12, 8, 9, tzinfo=UTC),
        Stream(WorkstreamCode("ict"), PARTNERSHIP): datetime(2011, 12, 12, 9, tzinfo=UTC),
    }
    stated = {each.account.stream for each in january_2012() if each.figure.status is Status.QUANTIFIED}
    return coverage_of(SE7, round_, received, stated)
