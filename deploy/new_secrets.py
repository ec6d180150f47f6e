"""Make the secrets of ``docker-compose.yml``: a password for everybody, in files under ``deploy/secrets``.

    python3 -m deploy.new_secrets [--name kafka.example.org]

What is there stays, so it may be run again after a council has joined. It needs Python and openssl, nothing else.
"""

from __future__ import annotations

import argparse
import json
import re
import secrets
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

DIRECTORY: Final = Path("deploy/secrets")
PARTNERSHIP_FILE: Final = Path("deploy/partnerships/se7.toml")
SERVICES: Final = ("intake", "tracker", "reporting")
PASSWORDS: Final = (
    "session_secret",
    "postgres_password",
    *(f"postgres_password_{role}" for role in (*SERVICES, "access")),
    *(f"kafka_password_{user}" for user in ("admin", "controller", *SERVICES)),
    "grafana_password",
)
#: Given by somebody else: an empty file until it is put there.
GIVEN: Final = ("oidc_client_secret",)
COUNCILS: Final = "kafka_passwords_councils"
CERTIFICATE: Final = "kafka_certificate"
CERTIFICATE_DAYS: Final = 825


def new_secrets(directory: Path, registers: Sequence[str], public_name: str) -> list[str]:
    """Make the secrets that are not there yet; returns the names of those made.

    Args:
        directory: Where they go; it is made so that only its owner can enter it.
        registers: The register codes of the partnership's councils.
        public_name: The name by which finance systems reach Kafka, for its certificate.
    """
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    directory.chmod(0o700)
    made: list[str] = []

    def keep(name: str, text: str) -> None:
        path = directory / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        # In a container it is read by another user than its owner here; on this machine the folder keeps others out.
        path.chmod(0o444)
        made.append(name)

    for name in PASSWORDS:
        if not (directory / name).exists():
            keep(name, secrets.token_urlsafe(32))
    for name in GIVEN:
        if not (directory / name).exists():
            keep(name, "")
    for role in (*SERVICES, "access"):
        password = (directory / f"postgres_password_{role}").read_text()
        url = f"postgresql://savings_{role}:{password}@postgres:5432/savings"
        path = directory / f"database_url_{role}"
        if not path.exists() or path.read_text() != url:
            keep(path.name, url)
    councils = directory / COUNCILS
    known: dict[str, str] = json.loads(councils.read_text()) if councils.exists() else {}
    missing = [user for register in registers if (user := f"council-{register}") not in known]
    if missing:
        keep(COUNCILS, json.dumps({**known, **{user: secrets.token_urlsafe(24) for user in missing}}, indent=1) + "\n")
    if not (directory / CERTIFICATE).exists():
        keep(CERTIFICATE, _certificate(public_name))
        text = (directory / CERTIFICATE).read_text()
        keep(f"{CERTIFICATE}_for_councils", text[text.index("-----BEGIN CERTIFICATE-----") :])
    return made


def register_codes(partnership: Path) -> list[str]:
    """Of the councils in a partnership's file."""
    return [council["register"] for council in tomllib.loads(partnership.read_text(encoding="utf-8"))["councils"]]


def _certificate(public_name: str) -> str:
    """A key and a certificate signed by itself, as PEM in one text; a certificate of an authority may replace it."""
    if not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", public_name):
        sys.exit(f"{public_name!r} is not the name of a host.")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:3072", "-nodes", "-keyout", "-", "-out", "-"]
    command += ["-days", str(CERTIFICATE_DAYS), "-subj", f"/CN={public_name}"]
    command += ["-addext", f"subjectAltName=DNS:{public_name}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the secrets of docker-compose.yml.")
    parser.add_argument("--name", default="localhost", help="the name by which finance systems reach Kafka")
    parser.add_argument("--partnership", type=Path, default=PARTNERSHIP_FILE, help="the partnership's file")
    given = parser.parse_args()
    made = new_secrets(DIRECTORY, register_codes(given.partnership), given.name)
    sys.stdout.write(f"{DIRECTORY}: {', '.join(made) or 'nothing new'}\n")


if __name__ == "__main__":
    main()
