"""The outbox: an event is written in the transaction of its effect, and a relay sends it afterwards.

The relay takes *the rows that are there*, lowest id first, and deletes them once sent. It keeps no cursor: ids are
given out before their transactions commit, so a cursor would step over a row that commits late. Rows of one key are
written under that key's stream lock, so among them id order is commit order. Two relays do no harm to what is counted
(consumers know an event by its id); a lease keeps them from working at once, so that nothing is
sent twice without need.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

import structlog
from pydantic_core import to_json
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    func,
    or_,
    select,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.behind import LOOK_SECONDS, STUCK_SECONDS, Behind, Stuck
from shared.bus.port import Bus, BusUnavailable, Headers, Message, MessageRefused
from shared.clock import Clock
from shared.correlation import lines_of_ids
from shared.database import Database, DatabaseUnavailable, ForEach, Identity, Moment, insert
from shared.telemetry import Telemetry

BATCH: Final = 500
LEASE_SECONDS: Final = 4
IDLE_SECONDS: Final = 0.25
#: A round with one message costs nearly as much as one with fifty: what is written within this time of the beginning of
#: one goes into the next.
GATHER_SECONDS: Final = 0.005

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Outbox:
    """The outbox of a service, in its own metadata."""

    rows: Table
    lease: Table
    appending: ForEach
    removing: ForEach

    @classmethod
    def define(cls, metadata: MetaData) -> Outbox:
        rows = Table(
            "outbox",
            metadata,
            Column("id", Identity, primary_key=True, autoincrement=True),
            Column("topic", String(200), nullable=False),
            Column("key", String(400), nullable=False),
            Column("headers", Text, nullable=False),
            Column("value", LargeBinary, nullable=False),
            Column("parked_reason", Text),
        )
        Index(
            "outbox_parked",
            rows.c.key,
            sqlite_where=rows.c.parked_reason.is_not(None),
            postgresql_where=rows.c.parked_reason.is_not(None),
        )
        lease = Table(
            "outbox_lease",
            metadata,
            Column("name", String(40), primary_key=True),
            Column("holder", String(40), nullable=False),
            Column("fence", BigInteger, nullable=False),
            Column("expires_at", Moment, nullable=False),
        )
        appending = ForEach(rows.insert(), ("topic", "key", "headers", "value", "parked_reason"))
        removing = ForEach(rows.delete().where(rows.c.id == bindparam("the_id")), ("the_id",))
        return cls(rows, lease, appending, removing)

    async def put(self, connection: AsyncConnection, messages: Sequence[Message]) -> None:
        """Write messages to be sent once the transaction has committed, in this order."""
        await self.appending.run(
            connection,
            [(message.topic, message.key, _headers_text(message.headers), message.value, None) for message in messages],
        )

    async def parked_count(self, connection: AsyncConnection) -> int:
        query = select(func.count()).select_from(self.rows).where(self.rows.c.parked_reason.is_not(None))
        return int((await connection.execute(query)).scalar_one())

    async def waiting_count(self, connection: AsyncConnection) -> int:
        """Rows not sent yet, those behind a parked one among them."""
        return int((await connection.execute(select(func.count()).select_from(self.rows))).scalar_one())


def _headers_text(headers: Headers) -> str:
    return to_json([(name, value.decode()) for name, value in headers]).decode()


class FencedOff(Exception):
    """Another relay has taken the lease since: what this one sent will be sent again, and counted once."""


class Relay:
    """Sends what stands in an outbox. Any number may run; the one that holds the lease works."""

    def __init__(
        self,
        outbox: Outbox,
        database: Database,
        bus: Bus,
        clock: Clock,
        telemetry: Telemetry | None = None,
    ) -> None:
        telemetry = telemetry or Telemetry()
        self._outbox = outbox
        self._database = database
        self._bus = bus
        self._clock = clock
        self._holder = uuid4().hex
        self._something_written = asyncio.Event()
        self._seconds = telemetry.seconds
        self._tracing = telemetry.tracing
        self._behind = Behind()
        self._rounds_begun = self._rounds_ended = 0
        #: The fencing number of the lease taken last, and when that ends.
        self._lease: tuple[int, datetime] | None = None

    def nudge(self) -> None:
        """Something was committed to the outbox: do not wait for the next look."""
        self._something_written.set()

    async def run(self) -> None:
        """Relay until cancelled.

        Raises:
            Stuck: a round of it has gone on for a minute. An outage ends a round; nothing that we know of keeps one.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch(), name="relay watchdog")
            group.create_task(self._relay(), name="relay")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.watch()

    def watch(self) -> None:
        """Look whether rounds end; :meth:`run` does so every few seconds, and tests by hand.

        Raises:
            Stuck: see :meth:`run`.
        """
        now = self._seconds()
        self._behind.look(now, {"the relay's round": (self._rounds_ended, self._rounds_begun)})
        still = self._behind.still(now)
        if still is not None and still.seconds >= STUCK_SECONDS:
            log.error("relay.stuck", still_seconds=round(still.seconds))
            raise Stuck(f"{still}. The process ends, to be started again.")

    async def _relay(self) -> None:
        try:
            while True:
                self._something_written.clear()
                self._rounds_begun += 1
                started = self._seconds()
                try:
                    sent = await self.run_once()
                except BusUnavailable as error:
                    log.warning("relay.bus_unavailable", error=str(error))
                    sent = 0
                except DatabaseUnavailable as error:
                    log.warning("relay.database_unavailable", error=str(error))
                    sent = 0
                except FencedOff:
                    log.warning("relay.fenced_off")
                    sent = 0
                self._rounds_ended = self._rounds_begun
                if sent < BATCH:
                    await asyncio.sleep(started + GATHER_SECONDS - self._seconds())
                    with suppress(TimeoutError):
                        async with asyncio.timeout(IDLE_SECONDS):
                            await self._something_written.wait()
        finally:
            try:
                await self.release()
            except DatabaseUnavailable as error:
                log.warning("relay.lease_not_released", error=str(error))

    async def release(self) -> None:
        """Give the lease back, so that the next relay need not wait for its end."""
        lease, self._lease = self._outbox.lease, None
        async with self._database.write() as connection:
            await connection.execute(
                lease.update()
                .where(lease.c.name == "relay", lease.c.holder == self._holder)
                .values(expires_at=self._clock())
            )

    async def run_once(self) -> int:
        """Send one batch; how many rows have left the outbox (or were parked). 0 also without the lease.

        Raises:
            BusUnavailable: nothing was marked; the same rows go again.
            FencedOff: likewise.
        """
        fence = await self._take_lease()
        if fence is None:
            return 0
        rows, messages = await self._next_batch()
        if not rows:
            return 0
        outcomes = await self._publish(messages)
        async with self._database.write() as connection:
            await self._hold_lease(connection, fence)
            sent = [(row_id,) for row_id, refused in zip(rows, outcomes, strict=True) if refused is None]
            await self._outbox.removing.run(connection, sent)
            for row_id, refused in zip(rows, outcomes, strict=True):
                if refused is not None:
                    log.error("relay.parked", outbox_id=row_id, reason=str(refused))
                    await connection.execute(
                        self._outbox.rows.update()
                        .where(self._outbox.rows.c.id == row_id)
                        .values(parked_reason=str(refused))
                    )
        topics = sorted({message.topic for message in messages})
        for ids in lines_of_ids(messages):
            log.info("relay.sent", topics=topics, correlation_ids=ids)
        return len(rows)

    async def _publish(self, messages: Sequence[Message]) -> Sequence[MessageRefused | None]:
        if self._tracing is None:
            return await self._bus.publish(messages)
        with self._tracing.sending(messages) as traced:
            return await self._bus.publish(traced)

    async def _next_batch(self) -> tuple[list[int], list[Message]]:
        rows = self._outbox.rows
        # A parked row holds back the rows of its own key, and no others.
        held = select(rows.c.key).where(rows.c.parked_reason.is_not(None))
        query = select(rows).where(rows.c.key.not_in(held)).order_by(rows.c.id).limit(BATCH)
        ids: list[int] = []
        messages: list[Message] = []
        async with self._database.read() as connection:
            for found in await connection.execute(query):
                ids.append(found.id)
                headers = tuple((name, text.encode()) for name, text in json.loads(found.headers))
                messages.append(Message(found.topic, found.key, found.value, headers))
        return ids, messages

    async def _take_lease(self) -> int | None:
        """The fencing number under which this relay may send; none while another holds the lease."""
        lease, now = self._outbox.lease, self._clock()
        # Whether it is held still is asked where it matters: in the transaction that takes away what was sent.
        if self._lease is not None and self._lease[1] > now + timedelta(seconds=LEASE_SECONDS / 2):
            return self._lease[0]
        self._lease = None
        async with self._database.read() as connection:
            held = (await connection.execute(select(lease).where(lease.c.name == "relay"))).one_or_none()
        if held is not None and held.holder != self._holder and held.expires_at > now:
            return None
        expires_at = now + timedelta(seconds=LEASE_SECONDS)
        async with self._database.write() as connection:
            taking = insert(lease, connection).values(name="relay", holder=self._holder, fence=1, expires_at=expires_at)
            taken = await connection.execute(
                taking.on_conflict_do_update(
                    index_elements=["name"],
                    set_={"holder": self._holder, "fence": lease.c.fence + 1, "expires_at": taking.excluded.expires_at},
                    where=or_(lease.c.holder == self._holder, lease.c.expires_at <= now),
                ).returning(lease.c.fence)
            )
            fence = taken.scalar_one_or_none()
        if fence is None:
            return None
        self._lease = (int(fence), expires_at)
        return int(fence)

    async def _hold_lease(self, connection: AsyncConnection, fence: int) -> None:
        lease = self._outbox.lease
        held = await connection.execute(
            lease.update()
            .where(lease.c.name == "relay", lease.c.holder == self._holder, lease.c.fence == fence)
            .values(holder=self._holder)
        )
        if held.rowcount != 1:
            self._lease = None
            raise FencedOff
