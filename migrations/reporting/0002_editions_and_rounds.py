"""Editions as published, with where each stream stood and each table as it is answered; rounds and what they expect."""

import sqlalchemy as sa
from alembic import op

import shared.database

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NEVER_CHANGED = ("editions", "edition_positions", "edition_tables", "rounds", "expected_streams")


def upgrade() -> None:
    op.create_table(
        "editions",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("meeting_date", sa.Date(), nullable=False),
        sa.Column("as_at", sa.Date(), nullable=False),
        sa.Column("known_at", shared.database.Moment(), nullable=False),
        sa.Column("published_by", sa.String(length=100), nullable=False),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("title", "meeting_date"),
        sa.UniqueConstraint("published_by", "idempotency_key"),
    )
    op.create_table(
        "edition_positions",
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("workstream", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=11), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("entry_number", sa.BigInteger(), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["edition"], ["editions.number"]),
        sa.PrimaryKeyConstraint("edition", "workstream", "scope"),
    )
    op.create_table(
        "edition_tables",
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("council", sa.String(length=11), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["edition"], ["editions.number"]),
        sa.PrimaryKeyConstraint("edition", "council"),
    )
    op.create_table(
        "rounds",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("opens", sa.Date(), nullable=False),
        sa.Column("due", sa.Date(), nullable=False),
        sa.Column("closes", sa.Date(), nullable=False),
        sa.Column("made_by", sa.String(length=100), nullable=False),
        sa.Column("made_at", shared.database.Moment(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "expected_streams",
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("workstream", sa.String(length=40), nullable=False),
        sa.Column("scope", sa.String(length=11), nullable=False),
        sa.ForeignKeyConstraint(["round"], ["rounds.number"]),
        sa.PrimaryKeyConstraint("round", "workstream", "scope"),
    )
    _refuse_changes()


def _refuse_changes() -> None:
    """What was published is neither changed nor deleted, whoever asks: the database itself refuses."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% are made once and never changed', TG_TABLE_NAME; END $$"
        )
        for table in _NEVER_CHANGED:
            op.execute(
                f"CREATE TRIGGER {table}_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
    else:
        for table in _NEVER_CHANGED:
            for verb in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER {table}_refuse_{verb} BEFORE {verb.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table} are made once and never changed'); END"
                )


def downgrade() -> None:
    for table in reversed(_NEVER_CHANGED):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change")
