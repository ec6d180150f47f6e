"""What is set from outside, by environment variables that start with ``SAVINGS_``. Each service reads its own part."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ServiceName = Literal["intake", "tracker", "reporting"]
DatabaseName = Literal["intake", "tracker", "reporting", "access", "bus"]


class Settings(BaseSettings):
    """The settings all services share. Unset, they give the embedded default: one process, files under ``var/data``."""

    model_config = SettingsConfigDict(env_prefix="SAVINGS_", env_file=None, extra="ignore")

    #: The partnership served.
    partnership_file: Path = Path("deploy/partnerships/se7.toml")
    #: Where the embedded default keeps its files.
    data_directory: Path = Path("var/data")
    #: A database URL with ``{name}`` for the service (``postgresql+asyncpg://.../savings``); empty: SQLite files.
    database_url: str = ""
    #: The partitions of each topic of the embedded bus.
    embedded_partitions: int = Field(default=4, ge=1, le=64)
    #: Where intake asks for the effect of a dry run; empty: in the same process.
    tracker_url: str = ""
    #: Signs session cookies; without it nobody can sign in to the pages.
    session_secret: SecretStr = SecretStr("")
    #: Whether the sign-in page lets anybody pick any role. For a demonstration on this machine alone.
    demonstration: bool = False
    #: How many requests one credential may make in a minute.
    requests_per_minute: int = Field(default=6000, ge=1)
    #: How many failed sign-ins one address may make in a minute.
    failures_per_minute: int = Field(default=60, ge=1)

    def url_of(self, name: DatabaseName) -> str:
        """The SQLAlchemy URL of a service's database."""
        if self.database_url:
            return self.database_url.format(name=name)
        return f"sqlite+aiosqlite:///{self.data_directory / name}.db"
