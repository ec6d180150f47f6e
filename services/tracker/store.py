"""The tracker's tables.

A stream's row is its head and its lock: whoever posts to a stream holds it, so a stream's returns and entries are
numbered and chained by one writer at a time. Postings and entries are appended and never changed; triggers in the
database see to that. What stands now is on the accounts, so reading a ledger costs the same however long its history.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from services.tracker.ledger import Held
from shared.database import Identity, Moment
from shared.figures import Confidence, Status
from shared.outbox import Outbox
from shared.positions import Consumed

metadata = MetaData()
outbox = Outbox.define(metadata)
consumed = Consumed.define(metadata)

streams = Table(
    "streams",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("name", String(400), nullable=False, unique=True),
    Column("workstream", String(200), nullable=False),
    Column("scope", String(200), nullable=False, index=True),
    Column("version", BigInteger, nullable=False),
    Column("posting_count", BigInteger, nullable=False),
    Column("entry_count", BigInteger, nullable=False),
    Column("movements_pence", BigInteger, nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", Identity, primary_key=True, autoincrement=True),
    Column("stream_id", ForeignKey("streams.id"), nullable=False, index=True),
    Column("key", Text, nullable=False, unique=True),
    Column("initiative", Text, nullable=False),
    Column("year", String(7), nullable=False),
    Column("basis", String(20), nullable=False),
    Column("benefit", String(20), nullable=False),
    Column("recurrence", String(20), nullable=False),
    Column("flow", String(20), nullable=False),
    # What stands: see ledger.Held.
    Column("status", String(20), nullable=False),
    Column("amount_pence", BigInteger),
    Column("confidence", String(20), nullable=False),
    Column("as_at", Date, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("entry_number", BigInteger, nullable=False),
    Column("balance_pence", BigInteger, nullable=False),
    Column("entry_count", BigInteger, nullable=False),
)

#: What all entries of a return have in common. ``number`` is the place of the return in the stream's chain.
postings = Table(
    "postings",
    metadata,
    Column("stream_id", ForeignKey("streams.id"), primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("submission_id", Text, nullable=False, unique=True),
    Column("version", BigInteger, nullable=False),
    Column("as_at", Date, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("stated_by_name", Text, nullable=False),
    Column("stated_by_role", String(20), nullable=False),
    Column("stated_by_council", Text, nullable=False),
    Column("source_system", Text),
    Column("source_reference", Text),
    Column("source_file", Text),
    Column("reason", Text),
    Column("update", Text),
    Column("previous_hash", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    UniqueConstraint("stream_id", "previous_hash"),
    sqlite_with_rowid=False,
)

entries = Table(
    "entries",
    metadata,
    Column("stream_id", Identity, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("posting_number", BigInteger, nullable=False),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("status", String(20), nullable=False),
    Column("amount_pence", BigInteger),
    Column("confidence", String(20), nullable=False),
    Column("movement_pence", BigInteger, nullable=False),
    Column("balance_pence", BigInteger, nullable=False),
    # The posting's, repeated here for the index that answers "as at a day, as known at a moment".
    Column("as_at", Date, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("recorded_at", Moment, nullable=False),
    Column("reason", Text),
    Column("note", Text),
    Column("cell", Text),
    Column("previous_hash", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    ForeignKeyConstraint(["stream_id", "posting_number"], ["postings.stream_id", "postings.number"]),
    UniqueConstraint("stream_id", "previous_hash"),
    sqlite_with_rowid=False,
)
Index("entries_by_rank", entries.c.account_id, entries.c.as_at, entries.c.version)
Index("entries_by_account", entries.c.account_id, entries.c.number)

#: The columns of what stands on an account, as :func:`held_from` takes them.
STANDING: Final = tuple(accounts.c[name] for name in Held._fields)


#: Looked up by their texts: asking the enum takes longer than all else that reading a row does.
_STATUSES: Final = {str(status): status for status in Status}
_CONFIDENCES: Final = {str(confidence): confidence for confidence in Confidence}


def held_from(standing: Sequence[Any]) -> Held:
    status, amount_pence, confidence, *rest = standing
    return Held(_STATUSES[status], amount_pence, _CONFIDENCES[confidence], *rest)
