"""Which figures changed between two states, by how much, and why they did. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from services.reporting.rows import EntryBehind, Posted, Selection
from shared.figures import Account, Basis, Benefit, Flow, Recurrence, Scope, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.money import Pence


class MovementKind(StrEnum):
    """Why a figure counts for more or less than it did."""

    NEW = "new"  # there was no figure before
    REPROFILED = "reprofiled"  # moved from year to year: over the years it comes to nothing
    CORRECTED = "corrected"  # the figure itself was changed
    CHANGED_BASIS = "changed_basis"  # another basis counts now: an estimate became a forecast, or an actual


#: What the kinds are called where people read them, in the order of printing.
KINDS: Final[Mapping[MovementKind, str]] = {
    MovementKind.NEW: "New",
    MovementKind.REPROFILED: "Re-profiled between years",
    MovementKind.CORRECTED: "Corrected",
    MovementKind.CHANGED_BASIS: "Changed basis",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A figure, or the part of it, that moved for one reason.

    ``pence`` is what it adds to the movement. ``before`` and ``after`` are the figures that counted, ``None`` where
    none did; a figure moved partly from another year and partly corrected is two changes. ``because`` are the entries
    that made the change: each has its return, who stated it, and the reason given.
    """

    kind: MovementKind
    pence: Pence
    before: Posted | None
    after: Posted | None
    because: tuple[EntryBehind, ...]

    @property
    def account(self) -> Account:
        """The account that the figure is in now, or was in."""
        posted = self.after or self.before
        assert posted is not None  # noqa: S101 - a change has at least one end
        return posted.account

    @property
    def reasons(self) -> tuple[str, ...]:
        """The reasons given, each once."""
        return tuple(dict.fromkeys(entry.reason for entry in self.because if entry.reason))


#: One initiative in one year; under ``best`` one basis counts in it.
_Cell: TypeAlias = tuple[Scope, WorkstreamCode, str, FinancialYear, Flow]
_Kind: TypeAlias = tuple[Benefit, Recurrence]


@dataclass(frozen=True, slots=True)
class _Counting:
    """What counts in one cell, all of one basis; figures that the selection then leaves out are still in it."""

    figures: Mapping[_Kind, Posted]

    @property
    def basis(self) -> Basis:
        return next(iter(self.figures.values())).account.basis

    @property
    def is_stated(self) -> bool:
        return any(each.figure.is_stated for each in self.figures.values())


def changes_between(before: Iterable[Posted], after: Iterable[Posted], selection: Selection) -> Sequence[Change]:
    """What changed from the figures that stood before to those that stand after, by account, of what a reader asks for.

    The pence of all the changes together are what the counted figures come to after, less what they came to before.
    """
    # Basis is chosen first, so whether it changed is seen before benefit and recurrence narrow the view.
    everything = replace(selection, benefit=None, recurrence=None)
    return _with_reprofiling(
        _changes(_counting(everything.choose(before)), _counting(everything.choose(after)), selection)
    )


def _counting(chosen: Iterable[Posted]) -> Mapping[_Cell, _Counting]:
    by_cell: dict[_Cell, dict[_Kind, Posted]] = defaultdict(dict)
    for each in chosen:
        account = each.account
        cell = (account.scope, account.workstream, account.initiative, account.year, account.flow)
        by_cell[cell][account.benefit, account.recurrence] = each
    return {cell: _Counting(figures) for cell, figures in by_cell.items()}


def _changes(before: Mapping[_Cell, _Counting], after: Mapping[_Cell, _Counting], selection: Selection) -> list[Change]:
    changes: list[Change] = []
    for cell in sorted(before.keys() | after.keys()):
        old, new = before.get(cell), after.get(cell)
        kinds = sorted({*(old.figures if old else ()), *(new.figures if new else ())})
        for kind in kinds:
            if (selection.benefit or kind[0], selection.recurrence or kind[1]) != kind:
                continue
            was, now = old.figures.get(kind) if old else None, new.figures.get(kind) if new else None
            if (change := _change(old, new, was, now, selection)) is not None:
                changes.append(change)
    return changes


def _change(
    old: _Counting | None, new: _Counting | None, was: Posted | None, now: Posted | None, selection: Selection
) -> Change | None:
    """The change of one figure, or ``None`` where it says what it said; placeholders are no figures."""
    was_stated, is_stated = (each is not None and each.figure.is_stated for each in (was, now))
    if not was_stated and not is_stated:
        return None
    pence = Pence((selection.counted_pence(now) if now else 0) - (selection.counted_pence(was) if was else 0))
    because = (now.entry,) if now else tuple(each.entry for each in new.figures.values()) if new else ()
    if old is not None and new is not None and old.is_stated and new.is_stated and old.basis is not new.basis:
        return Change(MovementKind.CHANGED_BASIS, pence, was, now, because)
    if was is not None and now is not None and was.figure.says_the_same_as(now.figure):
        return None
    return Change(MovementKind.CORRECTED if was_stated else MovementKind.NEW, pence, was, now, because)


def _with_reprofiling(changes: Sequence[Change]) -> list[Change]:
    """The changes, with what only moved from year to year told apart.

    Among the accounts that differ in the year alone, what some years lost and others gained is re-profiled as far as
    the two are equal, counted from the earliest year on; what is left over stays what it was.
    """
    families: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for place, change in enumerate(changes):
        if change.kind is not MovementKind.CHANGED_BASIS:
            account = change.account
            family = (account.stream, account.initiative, account.basis, account.benefit, account.recurrence)
            families[*family, account.flow].append(place)
    moved: list[int] = [0] * len(changes)
    for places in families.values():
        gained = sum(changes[place].pence for place in places if changes[place].pence > 0)
        lost = -sum(changes[place].pence for place in places if changes[place].pence < 0)
        up = down = min(gained, lost)
        for place in sorted(places, key=lambda place: changes[place].account.year):
            pence = changes[place].pence
            if pence > 0:
                moved[place] = min(pence, up)
                up -= moved[place]
            else:
                moved[place] = -min(-pence, down)
                down += moved[place]
    told: list[Change] = []
    for change, reprofiled in zip(changes, moved, strict=True):
        if reprofiled:
            told.append(replace(change, kind=MovementKind.REPROFILED, pence=Pence(reprofiled)))
        if change.pence != reprofiled or not reprofiled:
            told.append(replace(change, pence=Pence(change.pence - reprofiled)))
    return told
