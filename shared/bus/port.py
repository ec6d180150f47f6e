"""The bus, as everything above it sees it.

Messages out, durable before ``publish`` returns; batches in, from a position.

Two adapters stand behind it, ``embedded`` (a log in SQLite) and ``kafka``; both pass the same contract tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent. Messages with the same key keep their order; the key of a stream is its text."""

    topic: str
    key: str
    value: bytes
    headers: Headers = ()


class TopicPartition(NamedTuple):
    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Received:
    """What arrived, and where it stands in the log. The key may be missing on a topic that others write to."""

    at: TopicPartition
    offset: int
    key: str | None
    value: bytes
    headers: Headers = ()


#: Asked on every assignment: from which offset to read each partition. It answers from the consumer's own database.
StartAt = Callable[[Sequence[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]


class MessageRefused(Exception):
    """The bus will never take this message (too large, no such topic): sending it again cannot help."""


class BusUnavailable(Exception):
    """The bus cannot be reached or did not answer clearly: the same messages may be sent again."""


class Consumer(Protocol):
    """A member of a group, reading the partitions that are its own just now."""

    async def poll(self, max_messages: int, timeout_seconds: float) -> Sequence[Received]:
        """The next messages, in offset order within each partition; empty when none came in time.

        Raises:
            BusUnavailable: try again.
        """
        ...

    async def rewind(self) -> None:
        """Go back to the positions of the database: what was polled since then was not kept."""
        ...

    async def inform(self, positions: Mapping[TopicPartition, int]) -> None:
        """Tell the lag monitors how far the effects have got. Nothing depends on it."""
        ...

    async def ends(self) -> Mapping[TopicPartition, int]:
        """The offset at which each partition read here ends just now: beyond its last message."""
        ...


class Bus(Protocol):
    async def publish(self, messages: Sequence[Message]) -> Sequence[MessageRefused | None]:
        """Append the messages, each key's in the order given, and return when all are durable.

        Returns for each message ``None``, or why it will never be taken.

        Raises:
            BusUnavailable: any of them may or may not have been taken; send all of them again.
        """
        ...

    def subscribe(
        self, topics: Sequence[str], group: str, start_at: StartAt
    ) -> AbstractAsyncContextManager[Consumer]: ...

    async def ready(self) -> bool:
        """Whether the bus answers."""
        ...
