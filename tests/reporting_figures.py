"""Builders of what reporting is given: figures that stand, and South East 7's of January 2012."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

from services.reporting.rows import EntryBehind, Posted
from services.reporting.table import Question, Table, Update, build_table
from shared.figures import PARTNERSHIP, Account, Basis, Benefit, Figure, Flow, Recurrence, Scope, Status, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.money import Pence, parse_pounds
from shared.partnership import Partnership

SE7 = Partnership.parse(Path("deploy/partnerships/se7.toml").read_text(encoding="utf-8"))
EAST_SUSSEX = Scope("E10000011")
KENT = Scope("E10000016")
PRINTED = Path("tests/reference/se7-2012-01-26-appendix-1.csv").read_bytes()
RETURNS = Path("deploy/demonstration/se7-january-2012.json")

ENTRY = EntryBehind(
    submission_id="a-return",
    number=1,
    line=0,
    as_at=date(2011, 12, 7),
    recorded_at=datetime(2011, 12, 8, 9, 30, tzinfo=UTC),
    stated_by="lead-ict",
    stated_by_council="E06000043",
)


def figure(amount: str | Status) -> Figure:
    """``£1.25m``, or a status that carries no amount."""
    return Figure(amount, None) if isinstance(amount, Status) else Figure(Status.QUANTIFIED, parse_pounds(amount))


def pence(amount: int) -> Figure:
    return Figure(Status.QUANTIFIED, Pence(amount))


def posted(
    workstream: str,
    year: str,
    amount: str | Status | Figure,
    *,
    scope: Scope = PARTNERSHIP,
    initiative: str = "",
    basis: Basis = Basis.ESTIMATE,
    benefit: Benefit = Benefit.CASH_RELEASING,
    recurrence: Recurrence = Recurrence.RECURRING,
    flow: Flow = Flow.SAVING,
    entry: EntryBehind = ENTRY,
) -> Posted:
    """A figure that stands: what was stated of an account, and by which entry."""
    account = Account(
        scope=scope,
        workstream=WorkstreamCode(workstream),
        initiative=initiative,
        year=FinancialYear.parse(year),
        basis=basis,
        benefit=benefit,
        recurrence=recurrence,
        flow=flow,
    )
    return Posted(account, amount if isinstance(amount, Figure) else figure(amount), entry)


def january_2012() -> list[Posted]:
    """The figures of the demonstration's returns, as they stand once all have been posted."""
    found: list[Posted] = []
    for item in json.loads(RETURNS.read_text(encoding="utf-8"))["returns"]:
        stated = item["return"]
        for line in stated["lines"]:
            status = Status(line.get("status", Status.QUANTIFIED))
            found.append(
                posted(
                    stated["workstream"],
                    line["year"],
                    line["amount"] if status is Status.QUANTIFIED else status,
                    scope=Scope(stated["scope"]),
                    basis=Basis(line["basis"]),
                    benefit=Benefit(line.get("benefit", Benefit.CASH_RELEASING)),
                )
            )
    return found


def table_of(*figures: Posted, question: Question | None = None, updates: tuple[Update, ...] = ()) -> Table:
    """South East 7's table; East Sussex is the home council unless the question says otherwise."""
    return build_table(SE7, figures, updates, question or Question(home=EAST_SUSSEX))


def texts(table: Table, workstream: str, scope: Scope = PARTNERSHIP) -> list[str]:
    """What is printed in a row, the total last."""
    row = next(row for row in table.rows if row.workstream.code == workstream and row.scope == scope)
    return [*(cell.text for cell in row.cells), row.total.text]
