"""Whether the figures may be published: all there, in balance, and adding up; else what is wrong, and where. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from services.reporting.positions import Position
from services.reporting.rows import Posted
from services.reporting.table import Table
from shared.errors import Fault
from shared.money import pounds
from shared.partnership import Partnership

_MEND: Final = "Run 'savings verify', and mend reporting's copy of the ledger first: an edition is for ever."


def gaps(found: Iterable[Position]) -> Sequence[Fault]:
    """A return that has not arrived, or was set aside, is missing from the table: its place in the stream is empty."""
    return [
        _fault(
            f"Of the {each.version} returns of {each.stream}, {each.version - each.return_count} have not arrived here."
        )
        for each in found
        if each.return_count != each.version
    ]


def out_of_balance(
    partnership: Partnership, standing: Iterable[Posted], movements_pence: Mapping[str, int]
) -> Sequence[Fault]:
    """An account's balance is what its movements come to, and it is what its standing figure counts."""
    return [
        _fault(
            f"{_words(partnership, each)}: the movements come to £{pounds(movements_pence[str(each.account)])}, "
            f"and the figure that stands counts £{pounds(each.figure.counted_pence)}."
        )
        for each in standing
        if movements_pence[str(each.account)] != each.figure.counted_pence
    ]


def faults_of_the_tables(tables: Mapping[str | None, Table]) -> Sequence[Fault]:
    """What does not add up in any of the tables, each with both sides; and a table that is empty."""
    whole = tables[None]
    if whole.is_empty:
        empty = "Nothing has been stated yet, so there is nothing to publish."
        return [Fault("/as_at", "empty", empty, "Wait for the first returns, or give a later as_at.")]
    faults: list[Fault] = []
    for table in tables.values():
        where = table.home.name if table.home else table.partnership.name
        faults += [
            _fault(
                f"In the table of {where}, {part.workstream.name if part.workstream else 'all workstreams'}: shares of "
                f"£{pounds(part.shares_pence)} and £{pounds(part.unapportioned_pence)} unapportioned are not the "
                f"partnership's £{pounds(part.partnership_pence)}."
            )
            for part in table.proof.apportionments
            if not part.holds
        ]
        faults += [
            _fault(
                f"In the table of {where}, the rows of {addition.label} come to "
                f"£{pounds(addition.workstreams_pence)} and their total is £{pounds(addition.total_pence)}."
            )
            for addition in table.proof.additions
            if not addition.holds
        ]
    return faults


def _fault(detail: str) -> Fault:
    return Fault("", "does-not-add-up", detail, _MEND)


def _words(partnership: Partnership, each: Posted) -> str:
    account = each.account
    workstream = partnership.workstream_by_code.get(account.workstream)
    parts = [workstream.name if workstream else account.workstream, account.scope, account.initiative]
    return ", ".join(part for part in (*parts, str(account.year), account.basis, account.flow) if part)
