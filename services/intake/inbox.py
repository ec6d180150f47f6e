"""The councils' topics: what finance systems post there is decided as it would be over HTTP.

Who is speaking comes from the topic alone: the broker lets a council post on its own and on no other. Whatever comes
of a message, an accepted return or a rejection, is written in one transaction with the position beyond it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.intake import store
from services.intake.deciding import Accepted, Decision, Head, NotTaken
from services.intake.form import Reading, read_return
from services.intake.posted import Posted, read_posted
from services.intake.rejecting import Rejection, reject
from services.intake.statement import Origin, Statement, streams_of
from services.intake.stating import Stating
from shared.bus.port import Received
from shared.clock import Clock
from shared.correlation import traceparent_of
from shared.figures import Stream
from shared.partnership import Council, Partnership
from shared.principal import ON_TOPICS, Principal, Role

#: As deploy/kafka/topics.yaml names them.
TOPIC_PREFIX: Final = "savings.inbox."
GROUP: Final = "savings.intake"


@dataclass(frozen=True)
class _Item:
    """A message of a council's topic and what could be read of it."""

    council: Council
    received: Received
    posted: Posted
    statement: Statement


class Inbox:
    """Decides what councils post on their topics, and keeps it or rejects it."""

    def __init__(self, partnership: Partnership, stating: Stating, clock: Clock) -> None:
        self._partnership = partnership
        self._stating = stating
        self._clock = clock
        #: What became of the messages handled last; the transaction may still be given up.
        self.decided: list[Decision] = []
        self._council_of = {f"{TOPIC_PREFIX}{one.register_code}": one for one in partnership.councils}

    @property
    def topics(self) -> Sequence[str]:
        return list(self._council_of)

    async def handle(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        """Have the effects of these messages; those of a council in the order in which it posted them."""
        # Reading many takes a while; whoever states over HTTP is served meanwhile.
        items = self._read(batch) if len(batch) == 1 else await asyncio.to_thread(self._read, batch)
        items.sort(key=lambda item: item.received.at.topic)
        statements = [item.statement for item in items]
        streams = streams_of(statements)
        to_lock = streams_of(filter(self._stating.may_be_kept, statements))
        self.decided = []
        # All councils' streams at once: locks are taken in one order whoever else takes them.
        locked = await store.lock_heads(connection, to_lock)
        heads = {**await store.read_heads(connection, streams - to_lock), **locked}
        decisions = await self._stating.decide(connection, statements, heads)
        rejections = await self._rejections(connection, items, decisions, heads)
        accepted = [decision for decision in decisions if isinstance(decision, Accepted)]
        if accepted:
            await self._stating.keep(connection, accepted)
        if rejections:
            await reject(connection, rejections, self._partnership, self._clock())
        if to_lock - {one.return_.stream for one in accepted}:
            await store.forget_empty_heads(connection)
        self.decided = decisions

    async def _rejections(
        self,
        connection: AsyncConnection,
        items: Sequence[_Item],
        decisions: Sequence[Decision],
        heads: Mapping[Stream, Head],
    ) -> list[Rejection]:
        """What was refused, each with where its stream stood and whether its event may still be accepted."""
        refused_keys = {
            (item.statement.by.name, item.statement.reading.key)
            for item, decision in zip(items, decisions, strict=True)
            if isinstance(decision, NotTaken) and item.statement.reading.key is not None
        }
        taken: set[tuple[str, str | None]] = set(await store.kept_under(connection, refused_keys))
        versions = {stream: head.version for stream, head in heads.items()}
        found: list[Rejection] = []
        for item, decision in zip(items, decisions, strict=True):
            speaker, stream = item.statement.by.name, item.statement.stream
            if isinstance(decision, Accepted):
                versions[decision.return_.stream] = decision.version
                taken |= {(speaker, decision.key)} if decision.key is not None else set()
            elif isinstance(decision, NotTaken):
                found.append(
                    Rejection(
                        council=item.council,
                        stated_by=speaker,
                        received=item.received,
                        name=item.posted.name,
                        correlation_id=item.statement.origin.request_id,
                        may_still_be_accepted=(speaker, item.statement.reading.key) not in taken,
                        stream=stream,
                        after_version=0 if stream is None else versions.get(stream, 0),
                        error=decision.error,
                    )
                )
        return found

    def _read(self, batch: Sequence[Received]) -> list[_Item]:
        today = self._stating.today()
        items = []
        for received in batch:
            council, posted = self._council_of[received.at.topic], read_posted(received)
            key = None if posted.name is None else posted.name.key
            if posted.error is not None:
                reading = Reading(error=posted.error, key=key)
            else:
                reading = read_return(posted.document, self._stating.vocabulary, today, key)
            statement = Statement(reading, speaker_of(council), _origin_of(received, posted))
            items.append(_Item(council, received, posted, statement))
        return items


def speaker_of(council: Council) -> Principal:
    """Who speaks on a council's topic: its finance system."""
    return Principal(name=f"{ON_TOPICS}{council.register_code}", role=Role.FINANCE, council=council.gss)


def _origin_of(received: Received, posted: Posted) -> Origin:
    """A system that gives its event no correlation id finds it by its place on its topic."""
    place = f"{received.at.topic.removeprefix(TOPIC_PREFIX)}-{received.at.partition}-{received.offset}"
    return Origin(
        posted.correlation_id or f"inbox-{place}",
        None if posted.name is None else posted.name.source,
        None if posted.name is None else posted.name.id,
        traceparent_of(received.headers),
    )
