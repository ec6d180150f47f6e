"""The product as it runs for real, on this machine and without Docker: Apache Kafka, PostgreSQL, three services.

    python -m deploy.local.stack --port 8080

Everything is made anew in ``var/stack`` each time, and kept there for a look after it has been stopped. Each service is
a process of its own with its own credentials and nobody else's. Tests use :class:`Stack`, whose every part may be
stopped, killed and started again.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

import httpx
from pydantic import SecretStr

from deploy.kafka.desired import read_desired
from deploy.kafka.provision import apply, plan
from deploy.local.kafka_broker import KafkaBroker
from deploy.local.postgres_server import PostgresServer
from deploy.local.processes import POLL_SECONDS, ServerFailed, Unavailable, free_ports, report
from deploy.local.service_process import ROOT, ServiceProcess
from deploy.local.stack_env import write_env
from savings.demonstration import RETURNS, make_keys
from savings.loading import read_returns, send
from savings.process import SERVICES, Process
from shared.partnership import Partnership
from shared.settings import ServiceName, Settings

DIRECTORY: Final = ROOT / "var" / "stack"
PARTNERSHIP_FILE: Final = ROOT / "deploy" / "partnerships" / "se7.toml"
LOAD_DEADLINE_SECONDS: Final = 60
WATCH_SECONDS: Final = 0.5
#: Limits on what one caller may ask are for a deployment; here one caller is a load test.
REQUESTS_PER_MINUTE: Final = 10_000_000
#: A service finds its own settings in its environment, and nothing else of ours.
_BARE_ENVIRONMENT: Final = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}


class AlreadyRuns(Exception):
    """Another stack runs in that directory."""


class Stack:
    """Broker, database, three services and a proxy before them. Not for use from two threads at once."""

    def __init__(
        self,
        directory: Path = DIRECTORY,
        *,
        port: int = 0,
        environment: Mapping[str, str] | None = None,
        progress: Callable[[str], None] = report,
    ) -> None:
        """
        Args:
            directory: Where all is kept; what an earlier stack left there is removed by ``start``.
            port: Where the proxy answers; 0 for any that is free.
            environment: Given to the services over what they get from here.
            progress: Told each step.
        """
        self.directory = directory.resolve()
        self.partnership = Partnership.parse(PARTNERSHIP_FILE.read_text(encoding="utf-8"))
        self._asked_port = port
        self._environment = dict(environment or {})
        self._progress = progress
        self._lock: int | None = None
        self._session_secret = secrets.token_urlsafe(32)
        self.broker = KafkaBroker(self.directory / "kafka", progress=progress)
        self._postgres_directory = _reachable(self.directory / "postgres")
        self.database = PostgresServer(self._postgres_directory, progress=progress)
        self.passwords: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.services: dict[ServiceName, ServiceProcess] = {}
        self.others: list[ServiceProcess] = []
        self.proxy: ServiceProcess | None = None

    @property
    def url(self) -> str:
        """The one origin."""
        return self._proxy.url

    def credential(self, name: str) -> dict[str, str]:
        """The header that ``author-ESX``, ``lead-ict``, ``office``, … sends."""
        return {"Authorization": f"Bearer {self.keys[name]}"}

    @property
    def env_file(self) -> Path:
        return self.directory / "env"

    def start(self) -> None:
        """Start all of it from nothing; returns when every service is ready.

        Raises:
            AlreadyRuns: when another stack has the directory, or something else the port.
            Unavailable: when this machine cannot have the broker or the database.
            ServerFailed: when a part does not start.
        """
        self._take_directory()
        ports = self._ports()
        with self._step("Apache Kafka"):
            self.broker.start()
        with self._step("PostgreSQL, with a role and a schema for each service"):
            self.database.start()
        with self._step("Topics, users and permissions"):
            self._provision()
        with self._step("Migrations and keys"):
            asyncio.run(self._prepare())
        self.services = {name: self._service(name, ports) for name in SERVICES}
        self.proxy = self._proxy_process(ports)
        with self._step("intake, tracker and reporting, each a process"):
            for part in (*self.services.values(), self._proxy):
                part.launch()
            for part in (*self.services.values(), self._proxy):
                part.wait_until_ready()
        write_env(self)

    def another(self, name: ServiceName) -> ServiceProcess:
        """One more process of a service, not started yet: it shares the partitions, and the proxy does not know it."""
        number = 2 + sum(other.name.startswith(f"{name}-") for other in self.others)
        [port] = free_ports(1)
        ports: dict[str, int] = {part: service.port for part, service in self.services.items()}
        ports[name] = port
        other = self._service(name, ports, called=f"{name}-{number}")
        self.others.append(other)
        return other

    @property
    def settings(self) -> Settings:
        """Those of an administrator: every database, each under its own role, and the broker as its super user."""
        return Settings(
            partnership_file=PARTNERSHIP_FILE,
            database_url_intake=SecretStr(self.database.url("intake")),
            database_url_tracker=SecretStr(self.database.url("tracker")),
            database_url_reporting=SecretStr(self.database.url("reporting")),
            database_url_access=SecretStr(self.database.url("access")),
            kafka_bootstrap_servers=self.broker.bootstrap_servers,
            kafka_user=self.broker.admin.username,
            kafka_password=SecretStr(self.broker.admin.password),
        )

    def load(self) -> int:
        """Send January 2012 through the proxy and wait until the table shows it; how many returns it was.

        Raises:
            ServerFailed: when one is refused, or the table does not show them in time.
        """
        returns = read_returns(ROOT / RETURNS)

        async def run() -> None:
            async for answer in send(self.url, returns, self.keys):
                if not answer.accepted:
                    raise ServerFailed(f"{answer.prepared.title} was refused: {json.dumps(answer.body)[:2000]}")

        with self._step(f"January 2012: {len(returns)} returns over HTTP, posted and folded"):
            asyncio.run(run())
            self._wait_for_the_table(len(returns))
        return len(returns)

    def stop(self) -> None:
        """Stop all of it in order: what serves, then what it stands on. The directory stays for a look."""
        parts = [self.proxy, *self.others, *self.services.values()]
        for part in parts:
            if part is not None:
                part.stop()
        self.database.close()
        self.broker.close()
        if self._postgres_directory.parent != self.directory:
            shutil.rmtree(self._postgres_directory, ignore_errors=True)
        self.env_file.unlink(missing_ok=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def fallen(self) -> str | None:
        """The name of a part that has ended unasked; none while all run."""
        running: dict[str, int | None] = {"Apache Kafka": self.broker.pid, "PostgreSQL": self.database.pid}
        running |= {part.name: part.pid for part in (*self.services.values(), self._proxy)}
        return next((name for name, pid in running.items() if pid is None), None)

    @property
    def _proxy(self) -> ServiceProcess:
        if self.proxy is None:
            raise ServerFailed("the stack has not been started yet")
        return self.proxy

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        self._progress(f"{what} ...")
        yield
        self._progress(f"{what}: {time.monotonic() - started:.1f} s")

    def _take_directory(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            self._lock = None
            raise AlreadyRuns(f"A stack runs in {self.directory} already.") from None
        for name in ("kafka", "postgres"):
            shutil.rmtree(self.directory / name, ignore_errors=True)
        for name in ("keys.json", "env", *(f"{part}.log" for part in (*SERVICES, "proxy"))):
            (self.directory / name).unlink(missing_ok=True)

    def _ports(self) -> dict[str, int]:
        *services, proxy = free_ports(len(SERVICES) + 1)
        if self._asked_port:
            with socket.socket() as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    tried.bind(("127.0.0.1", self._asked_port))
                except OSError as error:
                    raise AlreadyRuns(f"Port {self._asked_port} cannot be used: {error.strerror}.") from error
        return {**dict(zip(SERVICES, services, strict=True)), "proxy": self._asked_port or proxy}

    def _provision(self) -> None:
        registers = [council.register_code for council in self.partnership.councils]
        desired = read_desired(registers, replication_factor=1)
        self.passwords = {user: secrets.token_urlsafe(24) for user in desired.users}

        async def run() -> None:
            await apply(await plan(self.broker.admin, desired, self.passwords))

        asyncio.run(run())

    async def _prepare(self) -> None:
        """Each service's tables under its own role, and a working key for everybody."""
        process = Process(self.settings)
        try:
            async for _ in process.migrate():
                pass
            self.keys = dict(await make_keys(process.access, process.partnership, self.directory / "keys.json"))
        finally:
            await process.close()

    def _service(self, name: ServiceName, ports: Mapping[str, int], called: str = "") -> ServiceProcess:
        called = called or name
        environment = {
            **_BARE_ENVIRONMENT,
            "SAVINGS_PARTNERSHIP_FILE": str(PARTNERSHIP_FILE),
            f"SAVINGS_DATABASE_URL_{name.upper()}": self.database.url(name),
            # It reads the keys, as itself.
            "SAVINGS_DATABASE_URL_ACCESS": self.database.url(name),
            "SAVINGS_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "SAVINGS_KAFKA_USER": name,
            "SAVINGS_KAFKA_PASSWORD": self.passwords[name],
            "SAVINGS_SESSION_SECRET": self._session_secret,
            "SAVINGS_DEMONSTRATION": "true",
            "SAVINGS_REQUESTS_PER_MINUTE": str(REQUESTS_PER_MINUTE),
            **({"SAVINGS_TRACKER_URL": f"http://127.0.0.1:{ports['tracker']}"} if name == "intake" else {}),
            **self._environment,
        }
        command = ["savings", "serve", name, "--port", str(ports[name])]
        log = self.directory / f"{called}.log"
        return ServiceProcess(called, command, ports[name], environment, log, ready="/readyz")

    def _proxy_process(self, ports: Mapping[str, int]) -> ServiceProcess:
        command = ["deploy.local.proxy", "--port", str(ports["proxy"])]
        for name, service in self.services.items():
            command += [f"--{name}", service.url]
        log = self.directory / "proxy.log"
        return ServiceProcess("proxy", command, ports["proxy"], _BARE_ENVIRONMENT, log, ready="/healthz")

    def _wait_for_the_table(self, returns: int) -> None:
        """Until as many returns have been folded into the table as were sent."""
        deadline = time.monotonic() + LOAD_DEADLINE_SECONDS
        with httpx.Client(base_url=self.url, headers=self.credential("auditor"), trust_env=False) as client:
            while client.get("/v1/tracker", params={"council": "none"}).json()["ledger_version"] < returns:
                if time.monotonic() > deadline:
                    raise ServerFailed(f"the table does not show the {returns} returns after {LOAD_DEADLINE_SECONDS} s")
                time.sleep(POLL_SECONDS)


def _reachable(directory: Path) -> Path:
    """The directory, or where the user that PostgreSQL runs as cannot come to it, one that it can."""
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in directory.parents if parent.exists()):
        return directory
    return Path(tempfile.gettempdir()) / f"savings-stack-{os.getpid()}"


def run(port: int) -> None:
    """Start a stack, load January 2012, say where it is, and serve until stopped."""
    stack = Stack(port=port)
    try:
        stack.start()
        stack.load()
        _say_where(stack)
        while (name := stack.fallen()) is None:
            time.sleep(WATCH_SECONDS)
        raise ServerFailed(f"{name} has ended; its log is in {stack.directory}.")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        stack.stop()


def _say_where(stack: Stack) -> None:
    home = stack.partnership.councils[1]
    env = os.path.relpath(stack.env_file)
    lines = (
        "",
        f"Ready: {stack.url}",
        f"  The tracker table   {stack.url}/tracker   (sign in by picking a role)",
        f'  The same, printed   . {env}; curl -H "Authorization: Bearer $KEY_AUTHOR_{home.register_code}" '
        f"'{stack.url}/v1/tracker.csv?council={home.gss}&layout=printed'",
        f"  Addresses, users, passwords and keys   {env}   (shell syntax)",
        f"  Logs   {os.path.relpath(stack.directory)}/*.log",
        "Stop with Ctrl-C.",
    )
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main() -> None:
    parser = argparse.ArgumentParser(description="The product on Apache Kafka and PostgreSQL, on this machine.")
    parser.add_argument("--port", type=int, default=8080, help="where it answers (8080)")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupted)
    try:
        run(given.port)
    except KeyboardInterrupt:
        report("Stopped.")
    except (AlreadyRuns, Unavailable, ServerFailed) as error:
        report(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
