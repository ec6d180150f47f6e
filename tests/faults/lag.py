"""What is still on its way through a stack: by the services' own positions, and by what their groups have told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from deploy.kafka.desired import council_inbox
from deploy.local.stack import Stack
from services.intake.inbox import GROUP as INTAKE_GROUP
from shared.events import ENTRIES_TOPIC, SUBMISSIONS_TOPIC
from tests.faults.topics import partitions_of

_POLL_SECONDS: Final = 0.1
_WAITING: Final = "SELECT (SELECT count(*) FROM intake.outbox) + (SELECT count(*) FROM tracker.outbox)"


async def settled(stack: Stack, deadline_seconds: float) -> Mapping[str, int]:
    """Wait until nothing is on its way any more, and nobody is asked to help; what still is at the deadline."""
    left: Mapping[str, int] = {"not looked at yet": 1}
    try:
        async with asyncio.timeout(deadline_seconds), _Lag(stack) as lag:
            while left := await lag.left():  # noqa: ASYNC110 - three databases and a broker: ask
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        pass
    return left


class _Lag:
    """What has been accepted or read and has not gone on; by our own positions and by what the groups have said."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        inboxes = [council_inbox(council.register_code) for council in stack.partnership.councils]
        self._read = {
            "intake": (INTAKE_GROUP, inboxes),
            "tracker": ("savings.tracker", [SUBMISSIONS_TOPIC]),
            "reporting": ("savings.reporting", [ENTRIES_TOPIC]),
        }

    async def __aenter__(self) -> _Lag:
        options = self._stack.broker.admin.options()
        self._database = await asyncpg.connect(self._stack.database.superuser_url)
        self._consumer = AIOKafkaConsumer(**options, enable_auto_commit=False)
        await self._consumer.start()
        self._admin = AIOKafkaAdminClient(**options)
        await self._admin.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._admin.close()
        await self._consumer.stop()
        await self._database.close()

    async def left(self) -> Mapping[str, int]:
        """Empty when there is nothing left."""
        found = {"rows in outboxes": int(await self._database.fetchval(_WAITING))}
        for service, (group, topics) in self._read.items():
            rows = await self._database.fetch(f"SELECT topic, partition, next_offset FROM {service}.positions")
            positions = {(row["topic"], row["partition"]): int(row["next_offset"]) for row in rows}
            told = await self._admin.list_consumer_group_offsets(group)
            ends = await self._consumer.end_offsets(await partitions_of(self._admin, topics))
            found[f"{service}'s lag"] = sum(
                end - positions.get((at.topic, at.partition), 0) for at, end in ends.items()
            )
            found[f"{service}'s lag as its group tells it"] = sum(
                end - (told[at].offset if at in told else 0) for at, end in ends.items()
            )
        return {what: number for what, number in found.items() if number}
