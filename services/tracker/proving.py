"""The proof that the ledgers hold, as office and auditors ask for it; and what waits or was set aside."""

from __future__ import annotations

import asyncio
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.tracker.checking import Check, Failure, check_all
from services.tracker.schemas import CheckOut, ChecksOut, FailureOut, ParkedOut
from services.tracker.store import consumed, outbox
from services.tracker.verifying import verify
from shared.consuming import Consuming
from shared.database import Database
from shared.errors import TooMany
from shared.partnership import Partnership

#: How many of the parked events are told one by one, the latest first.
_PARKED_TOLD: Final = 20
_RETRY_AFTER_SECONDS: Final = 30


class Proving:
    """Runs the checks; the history is re-read for one caller at a time, because it is long work."""

    def __init__(self, database: Database, partnership: Partnership, consuming: Consuming) -> None:
        self._database = database
        self._partnership = partnership
        self._consuming = consuming
        self._re_reading = asyncio.Lock()

    async def prove(self, *, full: bool) -> ChecksOut:
        """Every check; with ``full`` also that each entry is what was posted.

        Raises:
            TooMany: the entries are being re-read for somebody else.
        """
        if full and self._re_reading.locked():
            raise TooMany("The entries are being re-read for somebody already.", _RETRY_AFTER_SECONDS)
        async with self._database.read() as connection:
            checks = list(await check_all(connection, self._partnership))
            parked = await _latest_parked(connection)
            parked_events = await consumed.parked_count(connection)
            outbox_waiting = await outbox.waiting_count(connection)
            outbox_parked = await outbox.parked_count(connection)
        if full:
            checks.append(await self._re_read())
        return ChecksOut(
            holds=all(check.holds for check in checks),
            checks=[
                CheckOut(
                    check=check.name,
                    holds=check.holds,
                    examined=check.examined,
                    failures=[
                        FailureOut(subject=one.subject, one_side=one.one_side, other_side=one.other_side)
                        for one in check.failures
                    ],
                )
                for check in checks
            ],
            parked_events=parked_events,
            parked=parked,
            outbox_waiting=outbox_waiting,
            outbox_parked=outbox_parked,
            lag_messages=await self._consuming.lag_messages(),
        )

    async def _re_read(self) -> Check:
        async with self._re_reading:
            verdict = await verify(self._database)
        fault = verdict.fault
        failures = () if fault is None else (Failure(fault.subject, fault.kept, fault.again),)
        return Check("every entry is what was posted", verdict.entries, failures)


async def _latest_parked(connection: AsyncConnection) -> list[ParkedOut]:
    rows = consumed.parked
    query = (
        select(rows.c.topic, rows.c.partition, rows.c.offset, rows.c.key, rows.c.reason, rows.c.parked_at)
        .order_by(rows.c.id.desc())
        .limit(_PARKED_TOLD)
    )
    return [ParkedOut(**row._mapping) for row in await connection.execute(query)]
