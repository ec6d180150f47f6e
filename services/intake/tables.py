"""The tables of intake: returns for ever, every figure they stated, where each stream stands, and the outbox.

And what was refused of the councils' topics, with where each topic has been read to.
"""

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
from shared.positions import Consumed

#: A row of any query below; its columns are the table's.
Found: TypeAlias = Row[*tuple[Any, ...]]

metadata = MetaData()

outbox: Final = Outbox.define(metadata)
consumed: Final = Consumed.define(metadata)

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
    #: The name of the event that it came in, where it came on a council's topic.
    Column("event_source", String(200)),
    Column("event_id", String(200)),
    UniqueConstraint("workstream", "scope", "version"),
    UniqueConstraint("stated_by", "idempotency_key"),
    Index("returns_by_scope", "scope", "id"),
    Index("returns_by_event", "event_id"),
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

#: What was posted on a council's topic and refused. A row never changes: whether it has been put right is for the
#: returns to say (see services.intake.rejections).
rejections = Table(
    "rejections",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("council", String(9), nullable=False),
    Column("stated_by", String(100), nullable=False),
    Column("topic", String(200), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("event_source", String(200)),
    Column("event_id", String(200)),
    #: The idempotency key under which the same event may still be accepted.
    Column("event_key", String(210)),
    #: The stream it was about, where that could be read, and how many returns that had.
    Column("workstream", String(40)),
    Column("scope", String(12)),
    Column("after_version", Integer, nullable=False),
    Column("received_at", Moment, nullable=False),
    #: The problem, as it would have been answered over HTTP.
    Column("problem", Text, nullable=False),
    #: The first bytes of what was posted, and how many it had.
    Column("original", LargeBinary, nullable=False),
    Column("original_bytes", BigInteger, nullable=False),
    Index("rejections_by_council", "council", "id"),
    Index("rejections_by_event", "event_id"),
)
