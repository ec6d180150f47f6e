"""The ``savings`` command: everything an operator types."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, TypeVar

import httpx
import typer
import uvloop
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from savings import demonstration
from savings.contracts import EVENTS, event_schema, write_schemas
from savings.guard import Guard
from savings.kafka_commands import kafka_app
from savings.loading import Answer, UnusableFile, read_keys, read_returns, send
from savings.process import SERVICES, Process
from savings.rebuild_command import rebuild
from savings.serving import PortTaken, serving
from services.reporting.grants import InvalidSignIn
from shared.behind import Stuck
from shared.clock import utc_now
from shared.partnership import InvalidPartnershipFile, Partnership
from shared.principal import ON_TOPICS, Principal, Role
from shared.settings import Settings
from shared.telemetry import configure_logging

app = typer.Typer(
    help="Shared-services savings for a partnership of councils. Settings come from SAVINGS_* environment variables.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
keys_app = typer.Typer(help="API keys: make, list and revoke them.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
app.add_typer(kafka_app, name="kafka")
app.command()(rebuild)

#: Short and plain: it stands in answers, logs and pages.
_KEY_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")

console = Console()
complaints = Console(stderr=True)

Result = TypeVar("Result")
Port = Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")]
Host = Annotated[str, typer.Option(help="The address to listen on.")]


class ServiceChoice(StrEnum):
    INTAKE = "intake"
    TRACKER = "tracker"
    REPORTING = "reporting"


@app.callback()
def _quietly() -> None:
    # Unconfigured, the log's tracebacks would print local variables, and credentials among them.
    configure_logging(level=logging.WARNING)


@app.command()
def serve(
    services: Annotated[
        list[ServiceChoice] | None, typer.Argument(help="The services of this process; all three when none is named.")
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
) -> None:
    """Serve until stopped. Run 'savings migrate' first."""
    configure_logging()
    names = tuple(choice.value for choice in services) if services else SERVICES
    process = _process(Settings.read(), names)
    for fault in process.reporting.word_templates.faults() if process.reporting is not None else ():
        # One council's template keeps nobody else from the product; that council is told when it asks for its document.
        complaints.print(f"[yellow]Word template[/] {escape(fault)}", highlight=False, soft_wrap=True)

    async def run() -> None:
        with Guard() as guard:
            async with serving(process, host, port) as task:
                console.print(f"Serving {', '.join(names)} on http://{host}:{port}", highlight=False)
                try:
                    await task
                finally:
                    guard.must_end()

    _run(run())


@app.command()
def check() -> None:
    """Read what is given in files, before serving: the partnership's file, and councils' own Word templates."""
    settings = Settings.read()
    process = _process(settings, ("reporting",))
    assert process.reporting is not None  # noqa: S101 - it was asked for above
    templates = process.reporting.word_templates
    faults = templates.faults()
    _run(process.close())
    partnership = process.partnership
    console.print(
        f"{settings.partnership_file}: {partnership.name}, {len(partnership.councils)} councils, "
        f"{len(partnership.workstreams)} workstreams.",
        highlight=False,
    )
    for fault in faults:
        complaints.print(f"[red]Wrong[/] {escape(fault)}", highlight=False, soft_wrap=True)
    if faults:
        raise typer.Exit(1)
    console.print(f"{len(templates.given())} Word templates of councils' own: all can be filled in.", highlight=False)


@app.command()
def migrate() -> None:
    """Bring every database up to date. Doing so again changes nothing."""
    process = _process(Settings.read())

    async def run() -> None:
        with _progress() as progress:
            await _migrate(process, progress)
        await process.close()

    _run(run())


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="A file of returns; deploy/demonstration has an example.")],
    url: Annotated[str, typer.Option(help="Where the service answers.")] = "http://127.0.0.1:8000",
    keys: Annotated[Path, typer.Option(help="A file of keys by name.")] = demonstration.DIRECTORY / "keys.json",
) -> None:
    """Send a file of returns over HTTP, each with its sender's key. Sent again, nothing is counted twice."""

    async def run() -> bool:
        with _progress() as progress:
            answers = await _send(url, file, keys, progress)
        return _told(answers)

    if not _run(run()):
        raise typer.Exit(1)


@app.command()
def demo(
    port: Port = 8000,
    directory: Annotated[Path, typer.Option(help="Where the demonstration is kept.")] = demonstration.DIRECTORY,
) -> None:
    """Run South East 7 in January 2012 on this machine. Run again, it carries on with the same data."""
    process = _process(demonstration.settings_in(directory))
    url, keys_file = f"http://127.0.0.1:{port}", directory / "keys.json"

    async def run() -> None:
        with _progress() as progress:
            await _migrate(process, progress)
            keys = await demonstration.make_keys(process.access, process.partnership, keys_file)
        async with serving(process, "127.0.0.1", port) as task:
            with _progress() as progress:
                answers = await _send(url, demonstration.RETURNS, keys_file, progress)
                posting = progress.add_task("Posting to the ledgers", total=1)
                async with asyncio.timeout(60):
                    while not await process.settled():  # noqa: ASYNC110 - three services, three databases: ask
                        await asyncio.sleep(0.05)
                progress.advance(posting)
            if not _told(answers):
                raise typer.Exit(1)
            _say_where(process.partnership, url, keys_file, len(keys))
            await task
        console.print("Stopped. Run it again to carry on with the same data.")

    _run(run())


@app.command()
def verify() -> None:
    """Re-read every entry of every ledger and prove that nothing was altered; name the first bad one."""
    process = _process(Settings.read(), ("tracker",))

    async def run() -> bool:
        assert process.tracker is not None  # noqa: S101 - it was asked for above
        try:
            return await _verify(process)
        finally:
            await process.close()

    if not _run(run()):
        raise typer.Exit(1)


@app.command()
def openapi(
    write: Annotated[Path | None, typer.Option(help="Write it to this file instead of printing it.")] = None,
) -> None:
    """The OpenAPI document of all three services."""
    document = openapi_text(_process(Settings.read()))
    if write is None:
        typer.echo(document, nl=False)
    else:
        write.write_text(document, encoding="utf-8")


@app.command()
def events(
    write: Annotated[
        Path | None, typer.Option(help="Write each to a file in this directory, not to the screen.")
    ] = None,
) -> None:
    """The JSON Schema of the data of every type of event."""
    if write is None:
        schemas = {event_type: event_schema(event_type) for event_type in EVENTS}
        typer.echo(json.dumps(schemas, indent=1, ensure_ascii=False))
    else:
        write_schemas(write)


@keys_app.command("create")
def create_key(
    name: Annotated[str, typer.Argument(help="Whom the key stands for; a rotated key keeps the name.")],
    role: Annotated[Role, typer.Option(help="What it is for.")],
    council: Annotated[str | None, typer.Option(help="Register code or GSS code: ESX or E10000011.")] = None,
    workstream: Annotated[list[str] | None, typer.Option(help="A lead's workstream; may be given again.")] = None,
    days: Annotated[int, typer.Option(min=1, max=1096, help="How long it works.")] = 365,
) -> None:
    """Make a key and show it once. Only its hash is kept."""
    process = _process(Settings.read(), ())
    principal = _principal(process.partnership, name, role, council, workstream or [])

    async def run() -> None:
        try:
            await _require_free(process, principal)
            key, presented = await process.access.create(principal, timedelta(days=days))
        finally:
            await process.close()
        complaints.print(
            f"Key {key.id} for {principal.in_words(process.partnership)}, until {key.expires_at:%d %B %Y}."
        )
        complaints.print("It is shown this once. Keep it where only its user can read it.")
        typer.echo(presented)

    _run(run())


@keys_app.command("list")
def list_keys() -> None:
    """List every key ever made."""
    process = _process(Settings.read(), ())

    async def run() -> None:
        table = Table("Id", "Name", "Role", "Council", "Workstreams", "Expires", "State")
        now = utc_now()
        for key in await process.access.all_keys():
            state = "works" if key.works_at(now) else "revoked" if key.revoked_at else "expired"
            principal = key.principal
            workstreams = ", ".join(sorted(principal.workstreams))
            table.add_row(
                key.id,
                principal.name,
                principal.role,
                principal.council or "",
                workstreams,
                f"{key.expires_at:%Y-%m-%d}",
                state,
            )
        await process.close()
        console.print(table)

    _run(run())


@keys_app.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(help="The key's id, as 'savings keys list' shows it.")]) -> None:
    """Revoke a key for good; every process refuses it within seconds."""
    process = _process(Settings.read(), ())

    async def run() -> bool:
        done = await process.access.revoke(key_id)
        await process.close()
        return done

    if not _run(run()):
        _fail(f"There is no working key {key_id}. 'savings keys list' shows them all.")
    console.print(f"Key {key_id} is revoked.")


def openapi_text(process: Process) -> str:
    """The document as it is kept in ``docs/openapi.json``."""
    return json.dumps(process.app.openapi(), indent=1, ensure_ascii=False) + "\n"


async def _migrate(process: Process, progress: Progress) -> None:
    task = progress.add_task("Preparing the databases", total=len(process.databases))
    async for _ in process.migrate():
        progress.advance(task)


async def _send(url: str, file: Path, keys: Path, progress: Progress) -> Sequence[Answer]:
    returns = read_returns(file)
    task = progress.add_task("Sending the returns", total=len(returns))
    answers: list[Answer] = []
    async for answer in send(url, returns, read_keys(keys)):
        answers.append(answer)
        progress.advance(task)
    return answers


def _told(answers: Sequence[Answer]) -> bool:
    """Say what became of the returns; whether all were accepted."""
    for answer in answers:
        if not answer.accepted:
            title = f"{answer.prepared.sent_by}: {answer.prepared.title}"
            complaints.print(f"[red]Refused[/] {title}: {answer.body.get('detail')}", highlight=False)
            for fault in answer.body.get("errors") or []:
                complaints.print(
                    f"  {fault['pointer']}: {fault['detail']} {fault['fix']}", highlight=False, markup=False
                )
    replayed = sum(answer.replayed for answer in answers)
    accepted = sum(answer.accepted for answer in answers)
    console.print(
        f"{accepted} of {len(answers)} returns accepted"
        + (f", {replayed} of them were there already." if replayed else "."),
        highlight=False,
    )
    return accepted == len(answers)


async def _verify(process: Process) -> bool:
    assert process.tracker is not None  # noqa: S101 - the caller asked for it
    with _progress() as progress:
        task = progress.add_task("Reading the entries", total=None)
        verdict = await process.tracker.verify(lambda done, total: progress.update(task, completed=done, total=total))
    if verdict.fault is None:
        console.print(
            f"{verdict.entries} entries in {verdict.streams} streams: every hash, movement and balance agrees.",
            highlight=False,
        )
        return True
    complaints.print(f"[red]Altered[/]: {verdict.fault}", highlight=False)
    return False


def _say_where(partnership: Partnership, url: str, keys_file: Path, key_count: int) -> None:
    home = partnership.councils[1]
    key = f"import json; print(json.load(open('{keys_file}'))['author-{home.register_code}'])"
    curl = f'curl -H "Authorization: Bearer $(python3 -c "{key}")"'
    lines = (
        "",
        f"[bold]Ready: {url}[/]",
        f"  The tracker table      {url}/tracker   (sign in by picking a role)",
        f"  The same, as printed   {curl} '{url}/v1/tracker.csv?council={home.gss}&layout=printed'",
        f"  Ledgers and checks     {url}/v1/ledgers/cumulative, {url}/v1/checks",
        f"  What the API takes     {url}/openapi.json",
        f"  {key_count} demonstration keys  {keys_file}",
        "Stop with Ctrl-C.",
    )
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _principal(
    partnership: Partnership, name: str, role: Role, council: str | None, workstreams: Sequence[str]
) -> Principal:
    """The caller that a key shall stand for; ends the command where the parts do not fit together."""
    if "@" in name:
        _fail("A name with @ is that of a person who signs in with an account; name the key otherwise.")
    if not _KEY_NAME.fullmatch(name):
        _fail("A key's name is 1 to 100 letters, digits, dots, hyphens and underscores, as in finance-ESX.")
    if name.lower().startswith(ON_TOPICS):
        _fail(f"A name that begins with {ON_TOPICS} is that of a council's own topic; name the key otherwise.")
    gss = None
    if council is not None:
        found = partnership.council_by_register_code.get(council) or partnership.council_by_gss.get(council)
        if found is None:
            known = ", ".join(f"{one.register_code} ({one.gss})" for one in partnership.councils)
            _fail(f"There is no council {council} in {partnership.name}. There are {known}.")
        gss = found.gss
    if role in (Role.LEAD, Role.FINANCE, Role.AUTHOR) and gss is None:
        _fail(f"A key for {role} speaks for a council: add --council.")
    if role in (Role.OFFICE, Role.AUDITOR) and gss is not None:
        _fail(f"A key for {role} speaks for no council: leave --council out.")
    if role is Role.LEAD and not workstreams:
        _fail("A key for a lead needs --workstream.")
    if role is not Role.LEAD and workstreams:
        _fail("Only a lead's key names workstreams.")
    for code in workstreams:
        if gss is not None and code not in partnership.led_by(gss):
            led = ", ".join(partnership.led_by(gss)) or "none"
            _fail(f"{partnership.council_by_gss[gss].name} does not lead {code}; it leads {led}.")
    return Principal(name, role, gss, frozenset(workstreams))


async def _require_free(process: Process, principal: Principal) -> None:
    """End the command where the name is somebody else's: what a name stated, and its idempotency keys, stay its own."""
    for other in await process.access.stood_for(principal.name):
        if (other.role, other.council) != (principal.role, principal.council):
            whose = other.role if other.council is None else f"{other.role} of {other.council}"
            _fail(
                f"The name {other.name} stands for {whose}, and stays so when its keys are revoked: choose another "
                "name. To rotate its key, give the same role and council."
            )


def _process(settings: Settings, names: Sequence[Any] = SERVICES) -> Process:
    try:
        return Process(settings, tuple(names))
    except OSError as error:
        _fail(
            f"{error.filename} cannot be read: {error.strerror}. Set SAVINGS_PARTNERSHIP_FILE, or start in the project."
        )
    except (InvalidPartnershipFile, InvalidSignIn) as error:
        _fail(str(error))


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=complaints,
    )


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end; a foreseen failure is told in a sentence, without a traceback."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work)
    except (PortTaken, UnusableFile) as error:
        _fail(str(error))
    except BaseExceptionGroup as group:
        if (stuck := group.subgroup(Stuck)) is None:
            raise
        _fail(str(_first(stuck)))
    except httpx.TransportError as error:
        _fail(f"The service does not answer: {error}. Is it running, and is --url right?")
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


def _fail(reason: str) -> NoReturn:
    complaints.print(f"[red]{reason}[/]", highlight=False)
    raise typer.Exit(1)
