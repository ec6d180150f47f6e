"""What is set from outside, by environment variables that start with ``SAVINGS_``. Each service reads its own part."""

from __future__ import annotations

import os
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
    #: PostgreSQL, a URL for each database this process uses; each has the schema of its name to itself. Empty: a file.
    database_url_intake: SecretStr = SecretStr("")
    database_url_tracker: SecretStr = SecretStr("")
    database_url_reporting: SecretStr = SecretStr("")
    database_url_access: SecretStr = SecretStr("")
    #: Apache Kafka; empty: the embedded log. A user signs in by SCRAM-SHA-512, and a CA file encrypts.
    kafka_bootstrap_servers: str = ""
    kafka_user: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_ca_file: Path | None = None
    #: The partitions of each topic of the embedded bus.
    embedded_partitions: int = Field(default=4, ge=1, le=64)
    #: Where intake asks for the effect of a dry run; empty: in the same process.
    tracker_url: str = ""
    #: Signs session cookies; without it nobody can sign in to the pages.
    session_secret: SecretStr = SecretStr("")
    #: What a reader of /metrics presents as bearer token; unset, whoever reaches the process itself may read them.
    metrics_token: SecretStr = SecretStr("")
    #: The OpenID Connect provider at which people sign in (docs/operate.md); empty: none, and keys alone open pages.
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    #: Empty: a public client, which has none. In a file: ``savings_oidc_client_secret`` in the secrets' folder.
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_scopes: str = "openid profile email"
    #: The claims of a person's name and of what they are there; a dot leads into an object (``realm_access.roles``).
    oidc_name_claim: str = "email"
    oidc_role_claim: str = "roles"
    #: What each of the values of that claim is here: a file like ``deploy/partnerships/se7-sign-in.toml``.
    oidc_grants_file: Path | None = None
    #: For how long a person stays signed in: what they may do is asked again afterwards.
    oidc_session_minutes: int = Field(default=480, ge=1, le=480)
    #: Whom to ask for a part in it, in words: ``Jo Smith, 01234 567890``. Empty: the programme office.
    contact: str = ""
    #: Whether the sign-in page lets anybody pick any role. For a demonstration on this machine alone.
    demonstration: bool = False
    #: Where people reach the product (``https://savings.example.gov.uk``): where links in files lead. Empty: as asked.
    public_url: str = ""
    #: A folder of Word templates of councils' own (docs/word-template.md).
    word_templates: Path | None = None
    #: How many requests one credential may make in a minute.
    requests_per_minute: int = Field(default=6000, ge=1)
    #: How many streams of events one caller may have open at a time, how many all together in a process, and for how
    #: long each stays open before it has to be opened again.
    streams_per_caller: int = Field(default=20, ge=1)
    streams_in_all: int = Field(default=500, ge=1)
    stream_seconds: float = Field(default=900, gt=0)
    #: How many failed sign-ins one address may make in a minute.
    failures_per_minute: int = Field(default=60, ge=1)

    @classmethod
    def read(cls) -> Settings:
        """From the environment; a secret may stand in a file of its name (``savings_kafka_password``) instead."""
        return cls(_secrets_dir=os.environ.get("SAVINGS_SECRETS_DIRECTORY"))

    def url_of(self, name: DatabaseName) -> str:
        """The SQLAlchemy URL of a database; one for PostgreSQL may be given as libpq writes it, without a driver."""
        given = "" if name == "bus" else getattr(self, f"database_url_{name}").get_secret_value()
        if given.startswith("postgresql://"):
            return str(given.replace("postgresql://", "postgresql+asyncpg://", 1))
        return given or f"sqlite+aiosqlite:///{self.data_directory / name}.db"
