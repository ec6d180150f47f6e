"""A return as it comes to be decided: what could be read of it, who states it, and how it came in. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.intake.form import Reading
from shared.figures import Stream
from shared.principal import Principal


@dataclass(frozen=True, slots=True)
class Origin:
    """How a return came in: the id that its request or event carries, and the name of the event if it was one.

    ``traceparent`` is where it stands in its trace; it goes on with the return, and is not kept.
    """

    request_id: str
    event_source: str | None = None
    event_id: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """One return and whoever states it, by the credential or the topic that it came with."""

    reading: Reading
    by: Principal
    origin: Origin

    @property
    def stream(self) -> Stream | None:
        """What it is about, as far as that could be read."""
        return None if self.reading.return_ is None else self.reading.return_.stream

    @property
    def lines(self) -> int:
        """How many it has, as far as they could be read."""
        return 0 if self.reading.return_ is None else len(self.reading.return_.lines)


def streams_of(statements: Iterable[Statement]) -> set[Stream]:
    """The streams that these are about."""
    return {statement.stream for statement in statements if statement.stream is not None}
