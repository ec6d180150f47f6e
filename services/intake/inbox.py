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
from services.intake.knowing import streams_of
from services.intake.posted import Posted, read_posted
from services.intake.rejecting import Rejection, reject
from services.intake.stating import Stating
from services.intake.store import Origin
from shared.bus.port import Received
from shared.clock import Clock
from shared.correlation import traceparent_of
from shared.figures import Stream
from shared.partnership import Council, Partnership
from shared.principal import Principal, Role

#: As deploy/kafka/topics.yaml names them.
TOPIC_PREFIX: Final = "savings.inbox."
GROUP: Final = "savings.intake"


@dataclass(frozen=True)
class _Item:
    """A message of a council's topic and what could be read of it."""

    received: Received
    posted: Posted
    reading: Reading

    @property
    def origin(self) -> Origin:
        """A system that gives its event no correlation id finds it by its place on its topic."""
        at = self.received
        name = self.posted.name
        place = f"{at.at.topic.removeprefix(TOPIC_PREFIX)}-{at.at.partition}-{at.offset}"
        return Origin(
            self.posted.correlation_id or f"inbox-{place}",
            None if name is None else name.source,
            None if name is None else name.id,
            traceparent_of(at.headers),
        )


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
        by_council: dict[str, list[_Item]] = {}
        for item in items:
            by_council.setdefault(item.received.at.topic, []).append(item)
        speakers = {topic: speaker_of(self._council_of[topic]) for topic in by_council}
        locked = streams_of(
            [
                item.reading
                for topic, posted in by_council.items()
                for item in posted
                if self._stating.may_be_kept(item.reading, speakers[topic])
            ]
        )
        self.decided = []
        # All councils' streams at once: locks are taken in one order whoever else takes them.
        heads = await store.lock_heads(connection, locked)
        moved: set[Stream] = set()
        for topic, posted in sorted(by_council.items()):
            moved |= await self._decide(connection, self._council_of[topic], posted, heads)
        if set(locked) - moved:
            await store.forget_empty_heads(connection)

    async def _decide(
        self, connection: AsyncConnection, council: Council, items: Sequence[_Item], locked: Mapping[Stream, Head]
    ) -> set[Stream]:
        """Decide what one council posted; the streams that it moved."""
        speaker = speaker_of(council)
        readings = [item.reading for item in items]
        heads = {**await store.read_heads(connection, streams_of(readings)), **locked}
        decisions = await self._stating.decide(connection, readings, speaker, heads)
        self.decided += decisions
        rejections = await self._rejections(connection, council, items, decisions, heads)
        accepted = {
            decision.id: (decision, item)
            for item, decision in zip(items, decisions, strict=True)
            if isinstance(decision, Accepted)
        }
        if accepted:
            await self._stating.keep(
                connection, [one for one, _ in accepted.values()], speaker, lambda one: accepted[one.id][1].origin
            )
        if rejections:
            await reject(connection, rejections, self._partnership, self._clock())
        return {one.return_.stream for one, _ in accepted.values()}

    async def _rejections(
        self,
        connection: AsyncConnection,
        council: Council,
        items: Sequence[_Item],
        decisions: Sequence[Decision],
        heads: Mapping[Stream, Head],
    ) -> list[Rejection]:
        """What was refused, each with where its stream stood and whether its event may still be accepted."""
        refused_keys = {
            item.reading.key
            for item, decision in zip(items, decisions, strict=True)
            if isinstance(decision, NotTaken) and item.reading.key is not None
        }
        speaker = speaker_of(council).name
        taken = set(await store.kept_under(connection, speaker, refused_keys))
        versions = {stream: head.version for stream, head in heads.items()}
        found: list[Rejection] = []
        for item, decision in zip(items, decisions, strict=True):
            if isinstance(decision, Accepted):
                versions[decision.return_.stream] = decision.version
                taken |= {decision.key} if decision.key is not None else set()
            elif isinstance(decision, NotTaken):
                stream = None if item.reading.return_ is None else item.reading.return_.stream
                found.append(
                    Rejection(
                        council=council,
                        stated_by=speaker,
                        received=item.received,
                        name=item.posted.name,
                        correlation_id=item.origin.request_id,
                        may_still_be_accepted=item.reading.key not in taken,
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
            posted = read_posted(received)
            key = None if posted.name is None else posted.name.key
            if posted.error is not None:
                reading = Reading(error=posted.error, key=key)
            else:
                reading = read_return(posted.document, self._stating.vocabulary, today, key)
            items.append(_Item(received, posted, reading))
        return items


def speaker_of(council: Council) -> Principal:
    """Who speaks on a council's topic: its finance system."""
    return Principal(name=f"inbox-{council.register_code}", role=Role.FINANCE, council=council.gss)
