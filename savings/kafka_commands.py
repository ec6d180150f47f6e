"""``savings kafka``: make the broker hold the topics, users and permissions that the files in ``deploy/kafka`` say."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from aiokafka.errors import KafkaError
from rich.console import Console

from deploy.kafka.cluster import ClusterRefused
from deploy.kafka.desired import Desired, InvalidProvisioning
from deploy.kafka.provision import KafkaConnection, MissingPassword, NotSettled, Plan, apply, plan, read_desired
from shared.partnership import InvalidPartnershipFile, Partnership
from shared.settings import Settings

kafka_app = typer.Typer(help="Apache Kafka: its topics, users and permissions.", no_args_is_help=True)
console = Console()
complaints = Console(stderr=True)


@kafka_app.callback()
def _kafka() -> None:
    """Apache Kafka: its topics, users and permissions."""


@kafka_app.command("apply")
def apply_command(
    yes: Annotated[bool, typer.Option("--yes", help="Do it without asking.")] = False,
    passwords: Annotated[
        Path | None, typer.Option(help='Passwords by user, as JSON: {"intake": "...", "council-ESX": "..."}.')
    ] = None,
    generate: Annotated[
        bool, typer.Option("--generate", help="Give new users a password and write it into that file.")
    ] = False,
    replication_factor: Annotated[
        int | None, typer.Option(min=1, max=9, help="In place of the file's, for a cluster of fewer brokers.")
    ] = None,
    remove_unexpected: Annotated[
        bool, typer.Option("--remove-unexpected", help="Take away users, ACLs and settings that the files don't name.")
    ] = False,
) -> None:
    """Show what would change on the broker, ask, and make it so. Doing so again changes nothing.

    It signs in as SAVINGS_KAFKA_USER, who must be an administrator. A user's password may also stand in
    SAVINGS_KAFKA_PASSWORD_INTAKE, SAVINGS_KAFKA_PASSWORD_COUNCIL_ESX and so on, or in a file of that name, in small
    letters, in SAVINGS_SECRETS_DIRECTORY. A user that exists and has none given keeps the one it has.
    """
    if generate and passwords is None:
        _fail("--generate needs --passwords, the file to write them into.")
    settings = Settings.read()
    try:
        desired = read_desired(_register_codes(settings), replication_factor=replication_factor)
        given = passwords_of(desired.users, passwords)
        asyncio.run(_apply(_administrator(settings), desired, given, passwords, generate, remove_unexpected, yes))
    except (InvalidPartnershipFile, InvalidProvisioning, ClusterRefused, NotSettled) as error:
        _fail(str(error))
    except MissingPassword as error:
        _fail(f"{error}: add it to the file of --passwords, or let --generate make one.")
    except (OSError, KafkaError) as error:
        if isinstance(error, OSError) and error.filename:
            _fail(f"{error.filename} cannot be read: {error.strerror}.")
        _fail(f"Kafka does not answer at {settings.kafka_bootstrap_servers}: {error!r}")


def passwords_of(users: Sequence[str], path: Path | None) -> Mapping[str, str]:
    """The passwords given for these users: by the file, else the environment, else the folder of secrets.

    Raises:
        typer.Exit: the file cannot be read.
    """
    found = _read(path) if path is not None else {}
    folder = os.environ.get("SAVINGS_SECRETS_DIRECTORY")
    for user in users:
        name = f"SAVINGS_KAFKA_PASSWORD_{user.upper().replace('-', '_')}"
        if user in found:
            continue
        if value := os.environ.get(name):
            found[user] = value
        elif folder and (file := Path(folder) / name.lower()).exists():
            found[user] = file.read_text(encoding="utf-8").strip()
    return found


async def _apply(
    administrator: KafkaConnection,
    desired: Desired,
    given: Mapping[str, str],
    path: Path | None,
    generate: bool,
    remove_unexpected: bool,
    yes: bool,
) -> None:
    made: dict[str, str] = {}
    try:
        steps = await plan(administrator, desired, given, remove_unexpected=remove_unexpected)
    except MissingPassword as missing:
        if not generate:
            raise
        made = {user: secrets.token_urlsafe(24) for user in missing.users}
        steps = await plan(administrator, desired, {**given, **made}, remove_unexpected=remove_unexpected)
    console.print(str(steps), highlight=False, markup=False, soft_wrap=True)
    if not steps:
        return
    if not (yes or typer.confirm(_question(steps))):
        raise typer.Exit(1)
    if made and path is not None:
        # Before they are set: a password that the broker has and nobody knows would have to be changed again.
        _write_private(path, json.dumps({**_read(path), **made}, indent=1) + "\n")
    await apply(steps)
    console.print("Done: the broker holds what the files say.")


def _question(steps: Plan) -> str:
    return f"Make {'this change' if len(steps.steps) == 1 else f'these {len(steps.steps)} changes'}?"


def _register_codes(settings: Settings) -> Sequence[str]:
    partnership = Partnership.parse(settings.partnership_file.read_text(encoding="utf-8"))
    return [council.register_code for council in partnership.councils]


def _administrator(settings: Settings) -> KafkaConnection:
    if not (settings.kafka_bootstrap_servers and settings.kafka_user):
        _fail("Set SAVINGS_KAFKA_BOOTSTRAP_SERVERS, SAVINGS_KAFKA_USER and SAVINGS_KAFKA_PASSWORD of an administrator.")
    encrypted = settings.kafka_ca_file is not None
    return KafkaConnection(
        settings.kafka_bootstrap_servers,
        settings.kafka_user,
        settings.kafka_password.get_secret_value(),
        "SASL_SSL" if encrypted else "SASL_PLAINTEXT",
        ssl.create_default_context(cafile=str(settings.kafka_ca_file)) if encrypted else None,
    )


def _read(path: Path) -> dict[str, str]:
    """The passwords in a file; none where it is not there yet."""
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        _fail(f"{path} cannot be read: {error}.")
    if not (isinstance(found, dict) and all(isinstance(value, str) for value in found.values())):
        _fail(f'{path} does not hold passwords by user, as in {{"intake": "..."}}.')
    return found


def _write_private(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    part.replace(path)


def _fail(reason: str) -> NoReturn:
    complaints.print(reason, style="red", highlight=False, markup=False)
    raise typer.Exit(1)
