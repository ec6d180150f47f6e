"""What councils post on their topics: where each has been read to, what was refused, and the event a return came in."""

import sqlalchemy as sa
from alembic import op

import shared.database

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("returns", sa.Column("event_source", sa.String(length=200), nullable=True))
    op.add_column("returns", sa.Column("event_id", sa.String(length=200), nullable=True))
    op.create_index("returns_by_event", "returns", ["event_id"])
    op.create_table(
        "rejections",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("council", sa.String(length=9), nullable=False),
        sa.Column("stated_by", sa.String(length=100), nullable=False),
        sa.Column("topic", sa.String(length=200), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("event_source", sa.String(length=200), nullable=True),
        sa.Column("event_id", sa.String(length=200), nullable=True),
        sa.Column("event_key", sa.String(length=210), nullable=True),
        sa.Column("workstream", sa.String(length=40), nullable=True),
        sa.Column("scope", sa.String(length=12), nullable=True),
        sa.Column("after_version", sa.Integer(), nullable=False),
        sa.Column("received_at", shared.database.Moment(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("original", sa.LargeBinary(), nullable=False),
        sa.Column("original_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("rejections_by_council", "rejections", ["council", "id"])
    op.create_index("rejections_by_event", "rejections", ["event_id"])
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
        sa.Column("id", shared.database.Identity, autoincrement=True, nullable=False),
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
    for table in ("parked", "effects", "positions", "rejections"):
        op.drop_table(table)
    op.drop_index("returns_by_event", "returns")
    op.drop_column("returns", "event_id")
    op.drop_column("returns", "event_source")
