"""The demonstration: South East 7 in January 2012, from an empty folder to the table."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from shared.access import Access
from shared.partnership import Partnership
from shared.principal import Principal, Role
from shared.settings import Settings

RETURNS = Path("deploy/demonstration/se7-january-2012.json")
DIRECTORY = Path("var/demo")

_VALID_FOR = timedelta(days=365)


def settings_in(directory: Path) -> Settings:
    """The embedded default, kept in one folder, with a sign-in that lets anybody on this machine pick a role."""
    directory.mkdir(parents=True, exist_ok=True)
    return Settings(
        data_directory=directory / "data",
        demonstration=True,
        session_secret=SecretStr(_kept_secret(directory / "session-secret")),
    )


def principals_of(partnership: Partnership) -> Iterator[Principal]:
    """Everybody who takes part: a lead for each workstream, a finance system and an author for each council."""
    for workstream in partnership.workstreams:
        yield Principal(f"lead-{workstream.code}", Role.LEAD, workstream.lead, frozenset({workstream.code}))
    for council in partnership.councils:
        yield Principal(f"finance-{council.register_code}", Role.FINANCE, council.gss)
        yield Principal(f"author-{council.register_code}", Role.AUTHOR, council.gss)
    yield Principal("office", Role.OFFICE)
    yield Principal("auditor", Role.AUDITOR)


async def make_keys(access: Access, partnership: Partnership, path: Path) -> Mapping[str, str]:
    """A working key for everybody, written to a file that only its owner can read; those that still work are kept."""
    keys = _kept_keys(path)
    for principal in principals_of(partnership):
        presented = keys.get(principal.name)
        if presented is None or await access.principal_of(presented) != principal:
            _, keys[principal.name] = await access.create(principal, _VALID_FOR)
    _write_private(path, json.dumps(keys, indent=1) + "\n")
    return keys


def _kept_keys(path: Path) -> dict[str, str]:
    return dict(json.loads(path.read_text())) if path.exists() else {}


def _kept_secret(path: Path) -> str:
    if not path.exists():
        _write_private(path, secrets.token_urlsafe(32))
    return path.read_text()


def _write_private(path: Path, text: str) -> None:
    """Written whole or not at all, and readable by its owner alone from the first byte."""
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)
