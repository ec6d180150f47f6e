"""API keys: 256 bits, shown once, kept as their SHA-256, revocable and expiring.

The table has a database (or schema) of its own, written by the ``savings keys`` command and read by every service.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, LargeBinary, MetaData, Row, String, Table, Text, select

from shared.clock import Clock
from shared.database import Database, Moment
from shared.principal import Principal, Role

#: Starts every key, so that a leaked one is recognised by scanners.
PREFIX: Final = "sav_"
#: A revoked key stops working within this time.
CACHE_SECONDS: Final = 2.0
_REMEMBERED_FOR: Final = timedelta(seconds=CACHE_SECONDS)
_CACHE_LIMIT: Final = 10_000

metadata = MetaData()

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("hash", LargeBinary(32), nullable=False, unique=True),
    Column("name", String(100), nullable=False, index=True),
    Column("role", String(20), nullable=False),
    Column("council", String(9)),
    Column("workstreams", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("revoked_at", Moment),
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as kept: whom it stands for and how long; the key itself is not known here."""

    id: str
    principal: Principal
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    def works_at(self, moment: datetime) -> bool:
        return self.revoked_at is None and moment < self.expires_at


class Access:
    """Who a presented key belongs to, and the making and revoking of keys."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        #: What was found by a key's hash or id, and when it was asked for.
        self._cache: dict[bytes | str, tuple[datetime, Key | None]] = {}

    async def principal_of(self, presented: str) -> Principal | None:
        """Who presents this key; ``None`` when it is unknown, expired or revoked.

        The key is looked up by its hash, so how long the look-up takes tells nothing about the key.
        """
        digest = hashlib.sha256(presented.encode()).digest()
        return await self._working(keys.c.hash, digest)

    async def principal_of_id(self, key_id: str) -> Principal | None:
        """Whom a key's id stands for while the key works: what a session is tied to."""
        return await self._working(keys.c.id, key_id)

    async def key_of(self, presented: str) -> Key | None:
        """The working key that was presented, for a sign-in."""
        key = await self._find(keys.c.hash == hashlib.sha256(presented.encode()).digest())
        return key if key is not None and key.works_at(self._clock()) else None

    async def create(self, principal: Principal, valid_for: timedelta) -> tuple[Key, str]:
        """Make a key; the second value is the key itself, to be shown once and never kept."""
        now = self._clock()
        presented = PREFIX + secrets.token_urlsafe(32)
        key = Key(secrets.token_hex(8), principal, now, now + valid_for, None)
        async with self._database.write() as connection:
            await connection.execute(
                keys.insert().values(
                    id=key.id,
                    hash=hashlib.sha256(presented.encode()).digest(),
                    name=principal.name,
                    role=principal.role,
                    council=principal.council,
                    workstreams=json.dumps(sorted(principal.workstreams)),
                    created_at=key.created_at,
                    expires_at=key.expires_at,
                )
            )
        return key, presented

    async def revoke(self, key_id: str) -> bool:
        """Revoke a key for good; whether there was a working one of that id."""
        async with self._database.write() as connection:
            done = await connection.execute(
                keys.update().where(keys.c.id == key_id, keys.c.revoked_at.is_(None)).values(revoked_at=self._clock())
            )
        self._cache.clear()
        return done.rowcount == 1

    async def all_keys(self) -> Sequence[Key]:
        """Every key ever made, by name and age."""
        async with self._database.read() as connection:
            found = await connection.execute(select(keys).order_by(keys.c.name, keys.c.created_at))
            return [_key(row) for row in found]

    async def stood_for(self, name: str) -> Sequence[Principal]:
        """All whom keys of this name ever stood for, revoked and expired ones too: what they stated stays theirs."""
        async with self._database.read() as connection:
            found = await connection.execute(select(keys).where(keys.c.name == name).order_by(keys.c.created_at))
            return [_key(row).principal for row in found]

    async def _working(self, column: Column[Any], known_by: bytes | str) -> Principal | None:
        now = self._clock()
        cached = self._cache.get(known_by)
        if cached is None or now - cached[0] > _REMEMBERED_FOR:
            if len(self._cache) >= _CACHE_LIMIT:
                self._cache.clear()
            # As of before the look-up: a key revoked while it is under way stops in time too.
            cached = (now, await self._find(column == known_by))
            self._cache[known_by] = cached
        key = cached[1]
        return key.principal if key is not None and key.works_at(now) else None

    async def _find(self, condition: ColumnElement[bool]) -> Key | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(keys).where(condition))).one_or_none()
        return None if row is None else _key(row)


def _key(row: Row[Any]) -> Key:
    principal = Principal(
        name=row.name,
        role=Role(row.role),
        council=row.council,
        workstreams=frozenset(json.loads(row.workstreams)),
    )
    return Key(row.id, principal, row.created_at, row.expires_at, row.revoked_at)
