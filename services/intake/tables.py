"""The tables of intake: returns for ever, every figure they stated, where each stream stands, and the outbox."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from shared.database import Moment
from shared.outbox import Outbox

#: A row of any query below; its columns are the table's.
Found: TypeAlias = Row[*tuple[Any, ...]]

metadata = MetaData()

outbox: Final = Outbox.define(metadata)

#: Every return accepted, as stated and as answered. The ids rise with the time of recording, so they order a listing.
returns = Table(
    "returns",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("workstream", String(40), nullable=False),
    Column("scope", String(12), nullable=False),
    Column("version", Integer, nullable=False),
    Column("as_at", Date, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("stated_by", String(100), nullable=False),
    Column("stated_by_role", String(20), nullable=False),
    Column("stated_by_council", String(9)),
    Column("source_system", String(200)),
    Column("source_reference", String(200)),
    Column("source_file", String(200)),
    Column("reason", Text),
    Column("content", Text, nullable=False),
    Column("idempotency_key", String(210)),
    Column("request_id", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    UniqueConstraint("workstream", "scope", "version"),
    UniqueConstraint("stated_by", "idempotency_key"),
    Index("returns_by_scope", "scope", "id"),
)

#: Every account that was ever stated.
accounts = Table(
    "accounts",
    metadata,
    Column("key", String(400), primary_key=True),
    Column("workstream", String(40), nullable=False),
    Column("scope", String(12), nullable=False),
    Column("initiative", String(200), nullable=False),
    Column("year", String(7), nullable=False),
    Column("basis", String(20), nullable=False),
    Column("benefit", String(20), nullable=False),
    Column("recurrence", String(20), nullable=False),
    Column("flow", String(20), nullable=False),
    Index("accounts_by_stream", "workstream", "scope"),
)

#: Every figure ever stated of an account. The one that stands is the last of (as_at, version).
figures = Table(
    "figures",
    metadata,
    Column("account", String(400), primary_key=True),
    Column("as_at", Date, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("status", String(20), nullable=False),
    Column("amount_pence", BigInteger),
    sqlite_with_rowid=False,
)

#: Where each stream stands; its row is locked while a return of the stream is decided.
heads = Table(
    "heads",
    metadata,
    Column("workstream", String(40), primary_key=True),
    Column("scope", String(12), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("recorded_at", Moment),
    Column("content_hash", LargeBinary(32)),
)
