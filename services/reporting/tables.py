"""The tables of reporting: the read model folded from the tracker's events, and the editions and rounds of the office.

The read model can be folded again from the events. What has been published, and which rounds there were, is stated here
and nowhere else; the database itself refuses to change it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from shared.database import Identity, Moment
from shared.positions import Consumed

metadata = MetaData()
consumed: Final = Consumed.define(metadata)

#: One row. ``version`` counts the returns folded, so that it is the same in a read model built again; ``epoch`` is made
#: when the database is, so that a caller's copy from before a rebuild is never taken for the newest.
ledger: Final = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", String(32), nullable=False),
    Column("version", BigInteger, nullable=False),
)

streams: Final = Table(
    "streams",
    metadata,
    Column("workstream", String(40), primary_key=True),
    Column("scope", String(11), primary_key=True),
)

returns: Final = Table(
    "returns",
    metadata,
    Column("submission_id", String(64), primary_key=True),
    Column("workstream", String(40), nullable=False),
    Column("scope", String(11), nullable=False),
    Column("version", Integer, nullable=False),
    Column("as_at", Date, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("stated_by", String(100), nullable=False),
    Column("stated_by_role", String(20), nullable=False),
    Column("stated_by_council", String(9), nullable=False),
    Column("source_system", Text),
    Column("source_reference", Text),
    Column("source_file", Text),
    Column("reason", Text),
    Column("written_update", Text),
    UniqueConstraint("workstream", "scope", "version"),
)
_HAS_UPDATE: Final = returns.c.written_update.is_not(None)
Index(
    "returns_with_update",
    returns.c.workstream,
    returns.c.scope,
    returns.c.as_at,
    returns.c.version,
    sqlite_where=_HAS_UPDATE,
    postgresql_where=_HAS_UPDATE,
)

#: ``as_at`` and ``version`` are the rank of the figure that stands; ``version`` leads to its entry.
accounts: Final = Table(
    "accounts",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("workstream", String(40), nullable=False),
    Column("scope", String(11), nullable=False),
    Column("initiative", Text, nullable=False),
    Column("year", Integer, nullable=False),
    Column("basis", String(20), nullable=False),
    Column("benefit", String(20), nullable=False),
    Column("recurrence", String(20), nullable=False),
    Column("flow", String(20), nullable=False),
    Column("as_at", Date, nullable=False),
    Column("version", Integer, nullable=False),
)

entries: Final = Table(
    "entries",
    metadata,
    Column("account_id", Identity, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("as_at", Date, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("submission_id", String(64), ForeignKey("returns.submission_id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("status", String(20), nullable=False),
    Column("amount_pence", BigInteger),
    Column("confidence", String(20), nullable=False),
    Column("movement_pence", BigInteger, nullable=False),
    Column("balance_pence", BigInteger, nullable=False),
    Column("reason", Text),
    Column("note", Text),
    Column("cell", Text),
    Column("hash", String(64), nullable=False),
    # The seek of "as at": the last of an account's entries up to a date. Recorded times stand in it to be looked at.
    Index("entries_by_date", "account_id", "as_at", "version", "recorded_at"),
    sqlite_with_rowid=False,
)

#: The tracker as published. ``manifest`` is the canonical JSON that ``digest`` is the SHA-256 of; it holds the digest
#: of each table. ``request_hash`` is that of what was asked for: it tells a retry from another request under its key.
editions: Final = Table(
    "editions",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("title", String(200), nullable=False),
    Column("meeting_date", Date, nullable=False),
    Column("as_at", Date, nullable=False),
    Column("known_at", Moment, nullable=False),
    Column("published_by", String(100), nullable=False),
    Column("idempotency_key", String(200)),
    Column("request_hash", String(64), nullable=False),
    Column("manifest", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
    UniqueConstraint("title", "meeting_date"),
    UniqueConstraint("published_by", "idempotency_key"),
)

#: Up to which return of each stream an edition was built, and the head of the stream's chain there.
edition_positions: Final = Table(
    "edition_positions",
    metadata,
    Column("edition", Integer, ForeignKey("editions.number"), primary_key=True),
    Column("workstream", String(40), primary_key=True),
    Column("scope", String(11), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("entry_number", BigInteger),
    Column("hash", String(64)),
)

#: The table of an edition for a home council, or for ``none``, byte for byte as it is answered.
edition_tables: Final = Table(
    "edition_tables",
    metadata,
    Column("edition", Integer, ForeignKey("editions.number"), primary_key=True),
    Column("council", String(11), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("digest", String(64), nullable=False),
)

#: A reporting period. Days, all included; of rounds that overlap, the last made is the one that is open.
rounds: Final = Table(
    "rounds",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("name", String(200), nullable=False, unique=True),
    Column("opens", Date, nullable=False),
    Column("due", Date, nullable=False),
    Column("closes", Date, nullable=False),
    Column("made_by", String(100), nullable=False),
    Column("made_at", Moment, nullable=False),
)

expected_streams: Final = Table(
    "expected_streams",
    metadata,
    Column("round", Integer, ForeignKey("rounds.number"), primary_key=True),
    Column("workstream", String(40), primary_key=True),
    Column("scope", String(11), primary_key=True),
)
