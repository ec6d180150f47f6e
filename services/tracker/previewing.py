"""What returns would do to the totals, each as if it alone were posted next. PURE.

A return moves the figures of its own workstream alone: the sums of the others are made once for a whole batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache

from services.tracker.ledger import Held
from services.tracker.totals import Filters, Row, after, ledger_of
from shared.events import LineAccepted
from shared.figures import PARTNERSHIP, Account, Figure, Scope, Stream, WorkstreamCode
from shared.financial_year import FinancialYear


@dataclass(frozen=True, slots=True)
class Change:
    """The row of a workstream in a ledger, without the return and with it."""

    before: Row
    after: Row


class Previews:
    """Answers about one state of the ledgers: what is ``held`` on every account."""

    def __init__(
        self, held: Mapping[Account, Held], workstreams: Sequence[WorkstreamCode], years: Iterable[FinancialYear]
    ) -> None:
        self._workstreams = workstreams
        self._years = sorted({*years, *(account.year for account in held)})
        self._held: dict[WorkstreamCode, dict[Account, Held]] = {}
        for account, standing in held.items():
            self._held.setdefault(account.workstream, {})[account] = standing
        self._total_of = cache(self._total)
        self._now = cache(self._row_now)

    def of(self, stream: Stream, as_at: date, lines: Iterable[LineAccepted]) -> tuple[Change, Change, int]:
        """The change in the stream's own ledger, that in the cumulative one, and the total now of its own, in pence."""
        then = after(self._held_in(stream.workstream), stream, as_at, lines)
        own, whole = (
            Change(self._now(scope, stream.workstream), self._row(scope, stream.workstream, then))
            for scope in (stream.scope, PARTNERSHIP)
        )
        return own, whole, self._total_of(stream.scope)

    def _total(self, scope: Scope) -> int:
        return sum(self._now(scope, workstream).total_pence for workstream in {*self._workstreams, *self._held})

    def _row_now(self, scope: Scope, workstream: WorkstreamCode) -> Row:
        held = self._held_in(workstream)
        return self._row(scope, workstream, {account: standing.figure for account, standing in held.items()})

    def _row(self, scope: Scope, workstream: WorkstreamCode, figures: Mapping[Account, Figure]) -> Row:
        return ledger_of(scope, figures, Filters(), [workstream], self._years).row_of(workstream)

    def _held_in(self, workstream: WorkstreamCode) -> Mapping[Account, Held]:
        return self._held.get(workstream, {})
