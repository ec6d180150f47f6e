"""One service as a process of its own, with its own port, log and credentials: started, stopped, killed, restarted."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from deploy.local.processes import end, spawn, wait_until

ROOT: Final = Path(__file__).parents[2]
START_DEADLINE_SECONDS: Final = 60
STOP_DEADLINE_SECONDS: Final = 20


class ServiceProcess:
    """A command that answers HTTP on a port of 127.0.0.1. Whatever ends us ends it too."""

    def __init__(
        self, name: str, module: Sequence[str], port: int, environment: Mapping[str, str], log: Path, *, ready: str
    ) -> None:
        """
        Args:
            name: What it is called in messages.
            module: What Python runs with ``-m``, and its arguments.
            port: Where it will answer.
            environment: All that it finds in its environment.
            log: Where its output goes.
            ready: The path that answers 200 once it may be used.
        """
        self.name = name
        self.port = port
        self.environment = environment
        self.log = log
        self._command = [sys.executable, "-m", *module]
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        """Start it, unless it runs; returns when it is ready.

        Raises:
            ServerFailed: with the end of its log.
        """
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it, unless it runs, and do not wait."""
        if self.pid is None:
            self._process = spawn(
                self._command, log=self.log, directory=ROOT, death_signal=signal.SIGKILL, environment=self.environment
            )

    def wait_until_ready(self, deadline_seconds: float = START_DEADLINE_SECONDS) -> None:
        """Raises: ServerFailed, with the end of its log, when it ends first or the deadline passes."""
        assert self._process is not None  # noqa: S101 - launched before
        wait_until(
            self.is_ready, process=self._process, log=self.log, what=self.name, deadline_seconds=deadline_seconds
        )

    def is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}{self._ready}", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> bool:
        """SIGTERM and wait; past the deadline SIGKILL. Whether it went by itself."""
        process, self._process = self._process, None
        return process is None or end(process, signal.SIGTERM, STOP_DEADLINE_SECONDS)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            end(process, signal.SIGKILL, STOP_DEADLINE_SECONDS)

    def restart(self) -> None:
        """Stop it in good order and start it again."""
        self.stop()
        self.start()
