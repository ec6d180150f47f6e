"""Returns, the figures they stated, where each stream stands, and the outbox."""

import sqlalchemy as sa
from alembic import op

import shared.database

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "returns",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("workstream", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("recorded_at", shared.database.Moment(), nullable=False),
        sa.Column("stated_by", sa.String(length=100), nullable=False),
        sa.Column("stated_by_role", sa.String(length=20), nullable=False),
        sa.Column("stated_by_council", sa.String(length=9), nullable=True),
        sa.Column("source_system", sa.String(length=200), nullable=True),
        sa.Column("source_reference", sa.String(length=200), nullable=True),
        sa.Column("source_file", sa.String(length=200), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=210), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("workstream", "scope", "version"),
        sa.UniqueConstraint("stated_by", "idempotency_key"),
    )
    op.create_index("returns_by_scope", "returns", ["scope", "id"])
    op.create_table(
        "accounts",
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("workstream", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=12), nullable=False),
        sa.Column("initiative", sa.String(length=200), nullable=False),
        sa.Column("year", sa.String(length=7), nullable=False),
        sa.Column("basis", sa.String(length=20), nullable=False),
        sa.Column("benefit", sa.String(length=20), nullable=False),
        sa.Column("recurrence", sa.String(length=20), nullable=False),
        sa.Column("flow", sa.String(length=20), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("accounts_by_stream", "accounts", ["workstream", "scope"])
    op.create_table(
        "figures",
        sa.Column("account", sa.String(length=400), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("amount_pence", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account", "as_at", "version"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "heads",
        sa.Column("workstream", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=12), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("recorded_at", shared.database.Moment(), nullable=True),
        sa.Column("content_hash", sa.LargeBinary(length=32), nullable=True),
        sa.PrimaryKeyConstraint("workstream", "scope"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", shared.database.Identity, autoincrement=True, nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("key", sa.String(length=400), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("parked_reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "outbox_parked",
        "outbox",
        ["key"],
        sqlite_where=sa.text("parked_reason IS NOT NULL"),
        postgresql_where=sa.text("parked_reason IS NOT NULL"),
    )
    op.create_table(
        "outbox_lease",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", shared.database.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    for table in ("outbox_lease", "outbox", "heads", "figures", "accounts", "returns"):
        op.drop_table(table)
