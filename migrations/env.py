"""Run by Alembic, on the connection and for the service that ``migrations.config_of`` names."""

from __future__ import annotations

from alembic import context

from migrations import metadata_of

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=metadata_of(attributes["name"]),
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
