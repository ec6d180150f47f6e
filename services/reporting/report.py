"""A report: all that a page or a file of the table is drawn from, of one moment, so that no two disagree. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from services.reporting.charts import Chart, charts_of, figures_by_basis
from services.reporting.exports.imprint import Imprint
from services.reporting.movement import Movements
from services.reporting.narrative import Movement, Reference, Sentence, narrative_starter
from services.reporting.notes import written_day
from services.reporting.places import Places
from services.reporting.rows import Posted
from services.reporting.table import Table
from shared.figures import PARTNERSHIP


@dataclass(frozen=True)
class Report:
    """The table, and what goes with it.

    ``posted`` are all the figures that the table was built from, of which it shows a part. ``movements`` are those
    since the edition before, where there is one and the form tells of it. ``address`` is where people reach the
    product (``https://savings.example.gov.uk``), for links out of a file; empty where there shall be none.
    """

    table: Table
    posted: tuple[Posted, ...]
    #: How many returns the figures were folded from.
    ledger_version: int
    imprint: Imprint
    #: The number of the edition that it is, or none of a draft.
    edition: int | None = None
    movements: Movements | None = None
    address: str = ""
    word_template: Path | None = None

    @cached_property
    def charts(self) -> tuple[Chart, ...]:
        return charts_of(self.table, figures_by_basis(self.table, self.posted, PARTNERSHIP))

    @cached_property
    def narrative(self) -> tuple[Sentence, ...]:
        """The sentences with which a report may begin."""
        return narrative_starter(self.table, _moved(self.movements) if self.movements else ())

    @property
    def link(self) -> Callable[[Reference], str] | None:
        """The address of what a number comes from; ``None`` where it is not known where people reach the product."""
        if not self.address:
            return None
        before = self.movements.before.edition if self.movements else None
        return Places.of(self.table.question, self.edition, before, origin=self.address).behind


def _moved(movements: Movements) -> list[Movement]:
    """How the totals have moved; left unsaid where the sums do not hold."""
    day = movements.before.meeting_date
    named = movements.after.table.partnership.workstream_by_code
    return [
        Movement(
            since=f"the edition of {written_day(day)}" if day else f"the edition for {movements.before.title}",
            scope=total.scope,
            pence=total.pence,
            by_workstream=tuple(
                (row.workstream.code, row.pence)
                for row in movements.rows
                if row.scope == total.scope and row.workstream.code in named
            ),
        )
        for total in movements.totals
        if movements.holds
    ]
