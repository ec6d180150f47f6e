"""Run by Alembic, on the connection and for the service that ``migrations.config_of`` names."""

from __future__ import annotations

from importlib import import_module

from alembic import context
from sqlalchemy import MetaData

_METADATA_IN = {
    "intake": "services.intake.store",
    "tracker": "services.tracker.store",
    "reporting": "services.reporting.store",
    "access": "shared.access",
    "bus": "shared.bus.embedded",
}


def metadata_of(name: str) -> MetaData:
    metadata = import_module(_METADATA_IN[name]).metadata
    assert isinstance(metadata, MetaData)  # noqa: S101 - a module of ours
    return metadata


attributes = context.config.attributes
context.configure(
    connection=attributes["connection"],
    target_metadata=metadata_of(attributes["name"]),
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
