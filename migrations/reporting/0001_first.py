"""The read model of the table: accounts and the entries behind them, the returns, a version, what was consumed."""

import secrets

import sqlalchemy as sa
from alembic import op

import shared.database

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    ledger = op.create_table(
        "ledger",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    # Random, so that a database made anew never gives a caller an entity tag that the one before has given.
    op.bulk_insert(ledger, [{"id": 1, "epoch": secrets.token_hex(16), "version": 0}])
    op.create_table(
        "streams",
        sa.Column("workstream", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=11), nullable=False),
        sa.PrimaryKeyConstraint("workstream", "scope"),
    )
    op.create_table(
        "returns",
        sa.Column("submission_id", sa.String(length=64), nullable=False),
        sa.Column("workstream", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=11), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("recorded_at", shared.database.Moment(), nullable=False),
        sa.Column("stated_by", sa.String(length=100), nullable=False),
        sa.Column("stated_by_role", sa.String(length=20), nullable=False),
        sa.Column("stated_by_council", sa.String(length=9), nullable=False),
        sa.Column("source_system", sa.Text(), nullable=True),
        sa.Column("source_reference", sa.Text(), nullable=True),
        sa.Column("source_file", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("written_update", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("submission_id"),
        sa.UniqueConstraint("workstream", "scope", "version"),
    )
    op.create_index(
        "returns_with_update",
        "returns",
        ["workstream", "scope", "as_at", "version"],
        sqlite_where=sa.text("written_update IS NOT NULL"),
        postgresql_where=sa.text("written_update IS NOT NULL"),
    )
    op.create_table(
        "accounts",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("workstream", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=11), nullable=False),
        sa.Column("initiative", sa.Text(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(length=20), nullable=False),
        sa.Column("benefit", sa.String(length=20), nullable=False),
        sa.Column("recurrence", sa.String(length=20), nullable=False),
        sa.Column("flow", sa.String(length=20), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key"),
    )
    op.create_table(
        "entries",
        sa.Column("account_id", IDENTITY, autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("recorded_at", shared.database.Moment(), nullable=False),
        sa.Column("submission_id", sa.String(length=64), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("amount_pence", sa.BigInteger(), nullable=True),
        sa.Column("confidence", sa.String(length=20), nullable=False),
        sa.Column("movement_pence", sa.BigInteger(), nullable=False),
        sa.Column("balance_pence", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("cell", sa.Text(), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"]),
        sa.ForeignKeyConstraint(["submission_id"], ["returns.submission_id"]),
        sa.PrimaryKeyConstraint("account_id", "version"),
        sqlite_with_rowid=False,
    )
    op.create_index("entries_by_date", "entries", ["account_id", "as_at", "version", "recorded_at"])
    op.create_table(
        "positions",
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    op.create_table(
        "effects",
        sa.Column("source", sa.String(length=200), nullable=False),
        sa.Column("event_id", sa.String(length=200), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("source", "event_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "parked",
        sa.Column("id", IDENTITY, autoincrement=True, nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("parked_at", shared.database.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    for table in ("parked", "effects", "positions", "entries", "accounts", "returns", "streams", "ledger"):
        op.drop_table(table)
