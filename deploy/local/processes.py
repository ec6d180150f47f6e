"""Child processes of a test or a developer's stack: started on a leash, watched, and ended by their own id."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

POLL_SECONDS: Final = 0.02
PORTS: Final = range(20_000, 32_000)
PORT_ATTEMPTS: Final = 200
_LEASH: Final = Path(__file__).with_name("leash.py")


class Unavailable(Exception):
    """The server cannot be had on this machine; the text says what is missing."""


class ServerFailed(Exception):
    """The server is there and did not do what it should; the text carries the end of its log."""


def report(line: str) -> None:
    """The default progress: a line on standard error."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def on_leash(command: Sequence[str], *, death_signal: signal.Signals, user: str | None = None) -> list[str]:
    """The command, to be started by ``spawn``: it gets ``death_signal`` when this process ends, however that ends."""
    leash = [sys.executable, "-I", "-S", str(_LEASH), death_signal.name, str(os.getpid()), user or "-"]
    return [*leash, *command]


def spawn(
    command: Sequence[str],
    *,
    log: Path,
    directory: Path,
    death_signal: signal.Signals,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command on the leash, its output appended to ``log``.

    It is in a session of its own: Ctrl-C reaches the caller, who then stops what it started in the right order.
    """
    with log.open("ab") as output:
        return (
            _spawner(os.getpid())
            .submit(
                subprocess.Popen,
                on_leash(command, death_signal=death_signal, user=user),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=None if environment is None else dict(environment),
                start_new_session=True,
            )
            .result()
        )


def end(process: subprocess.Popen[bytes], how: signal.Signals, deadline_seconds: float) -> bool:
    """Signal the process and wait for it; past the deadline, SIGKILL. True when it went by itself."""
    process.send_signal(how)
    try:
        process.wait(deadline_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def wait_until(
    ready: Callable[[], bool], *, process: subprocess.Popen[bytes], log: Path, what: str, deadline_seconds: float
) -> None:
    """Poll until ``ready``.

    Raises:
        ServerFailed: when the process ends first, or the deadline passes.
    """
    deadline = time.monotonic() + deadline_seconds
    while not ready():
        if process.poll() is not None:
            raise ServerFailed(f"{what} ended with {process.returncode}:\n{tail(log)}")
        if time.monotonic() > deadline:
            raise ServerFailed(f"{what} was not ready after {deadline_seconds:g} s:\n{tail(log)}")
        time.sleep(POLL_SECONDS)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on now, all different.

    Below the range that the system takes for outgoing connections. Within it, while a server is away, a client that
    keeps trying its port is some time given that very port to call from, is connected to itself, and the server
    cannot have its port back.

    Raises:
        ServerFailed: when there are none.
    """
    free: list[int] = []
    for _ in range(PORT_ATTEMPTS):
        port = PORTS.start + secrets.randbelow(len(PORTS))
        with socket.socket() as tried:
            if port not in free and _can_bind(tried, port):
                free.append(port)
        if len(free) == count:
            return free
    raise ServerFailed(f"no {count} free ports between {PORTS.start} and {PORTS.stop} of 127.0.0.1")


def _can_bind(tried: socket.socket, port: int) -> bool:
    try:
        tried.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def tail(log: Path, lines: int = 25) -> str:
    """The end of a log, to say why a server failed."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else "(no log)"


@cache
def _spawner(pid: int) -> ThreadPoolExecutor:
    """The one thread of this process that starts children: a leash is tied to its thread, and this one stays."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="leash")
