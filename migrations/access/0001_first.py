"""API keys."""

import sqlalchemy as sa
from alembic import op

import shared.database

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("council", sa.String(length=9), nullable=True),
        sa.Column("workstreams", sa.Text(), nullable=False),
        sa.Column("created_at", shared.database.Moment(), nullable=False),
        sa.Column("expires_at", shared.database.Moment(), nullable=False),
        sa.Column("revoked_at", shared.database.Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("hash"),
    )
    op.create_index("ix_keys_name", "keys", ["name"])


def downgrade() -> None:
    op.drop_table("keys")
