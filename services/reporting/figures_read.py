"""Reading everything that a table is built from, of one moment: the figures, the updates, and the round's coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import rounds_store, store
from services.reporting.rounds import Round, RoundCoverage, coverage_of
from services.reporting.rows import Posted
from services.reporting.store import LedgerVersion
from services.reporting.table import Question, Table, Update, build_table
from shared.figures import Scope
from shared.partnership import Partnership


@dataclass(frozen=True, slots=True)
class Figures:
    """What a table is built from. Tables of any home council whose updates were read can be built from it."""

    partnership: Partnership
    version: LedgerVersion
    posted: tuple[Posted, ...]
    updates: tuple[Update, ...]
    round_coverage: RoundCoverage | None

    def table(self, question: Question) -> Table:
        """The table that answers a question; its clocks must be those that the figures were read by."""
        return build_table(self.partnership, self.posted, self.updates, question, self.round_coverage)


async def read_figures(
    connection: AsyncConnection,
    partnership: Partnership,
    scopes: Sequence[Scope],
    *,
    as_at: date | None = None,
    known_at: datetime | None = None,
    edition: int | None = None,
    round_: Round | None = None,
) -> Figures:
    """What stands by both clocks, or as an edition had it; ``scopes`` are those whose written updates are wanted."""
    version = await store.ledger_version(connection)
    posted = await store.standing(connection, as_at, known_at, edition)
    updates = await store.latest_updates(connection, scopes, as_at, known_at, edition)
    coverage = None
    if round_ is not None:
        received = await rounds_store.first_received(connection, round_, known_at, edition)
        stated = {each.account.stream for each in posted if each.figure.is_stated}
        coverage = coverage_of(partnership, round_, received, stated)
    return Figures(partnership, version, tuple(posted), tuple(updates), coverage)
