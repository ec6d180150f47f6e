"""Where a stream of the ledger stands in the read model. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from shared.figures import Stream


@dataclass(frozen=True, slots=True)
class Position:
    """Where a stream stands: its last return, and the head of its chain. ``return_count`` is less where one is missing.

    ``entry_number`` and ``hash`` are ``None`` in a stream whose returns have brought updates alone.
    """

    stream: Stream
    version: int
    return_count: int
    entry_number: int | None
    hash: str | None
