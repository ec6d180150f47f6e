"""The figures stated so far, as far as the returns at hand need them. Pure: a store fills it, or a test."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from operator import itemgetter
from typing import TypeAlias

from shared.figures import Account, Figure, Standing, Stream

#: The canonical text of an account, ``str(account)``: what its figures are kept under.
AccountKey: TypeAlias = str


class StatedFigures:
    """What has been stated of the accounts that the returns at hand need."""

    def __init__(self) -> None:
        #: Of each account, its figures by (as-at date, version): as they stand, see ``shared.figures.Standing``.
        self._history: defaultdict[AccountKey, list[tuple[date, int, Figure]]] = defaultdict(list)
        self._latest: dict[AccountKey, date] = {}
        self._accounts: defaultdict[Stream, dict[AccountKey, Account]] = defaultdict(dict)

    def add(self, account: Account, key: AccountKey, standing: Standing, figure: Figure) -> None:
        """A figure that was stated."""
        insort(self._history[key], (standing.as_at, standing.version, figure), key=itemgetter(0, 1))
        self._accounts[account.stream][key] = account
        self.know_latest(key, standing.as_at)

    def know_latest(self, key: AccountKey, as_at: date) -> None:
        """That the account has a figure as at this date, which need not be at hand."""
        self._latest[key] = max(as_at, self._latest.get(key, as_at))

    def as_at(self, key: AccountKey, day: date) -> Figure | None:
        """The figure that stands as at a day: of those that were true by then the latest, on one day the last."""
        history = self._history.get(key, ())
        place = bisect_right(history, day, key=itemgetter(0))
        return history[place - 1][2] if place else None

    def would_stand(self, key: AccountKey, as_at: date) -> bool:
        """Whether a figure recorded next would stand now: none is known as at a later date."""
        return self._latest.get(key, as_at) <= as_at

    def is_new(self, key: AccountKey) -> bool:
        return key not in self._latest

    def of_stream(self, stream: Stream, day: date) -> Iterator[tuple[AccountKey, Account, Figure]]:
        """The figures of a stream as at a day."""
        for key, account in self._accounts[stream].items():
            if (figure := self.as_at(key, day)) is not None:
                yield key, account, figure
