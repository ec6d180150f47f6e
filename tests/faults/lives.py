"""The services of a stack, run so that they can be killed at a named point or broken on purpose."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import Final

import httpx

from deploy.local.processes import end, spawn, tail
from deploy.local.service_process import ROOT
from deploy.local.stack import Stack
from shared.settings import ServiceName
from tests.faults.points import Point

_POLL_SECONDS: Final = 0.02
#: A point that is not reached within this time under load is not reached at all.
REACH_SECONDS: Final = 120
_STOP_SECONDS: Final = 20


class Life:
    """One life of a service process, in the place of the stack's own."""

    def __init__(self, stack: Stack, service: ServiceName, *options: str, port: int = 0) -> None:
        """
        Args:
            stack: Whose settings and credentials it has.
            service: Which it is; the stack's own process must have been stopped.
            options: As ``tests.faults.process`` takes them.
            port: Where it answers, when not where the stack's own does.
        """
        self.service = service
        own = stack.services[service]
        self.url = f"http://127.0.0.1:{port or own.port}"
        self._log = own.log
        self._reached = stack.directory / "reached"
        command = [sys.executable, "-m", "tests.faults.process", "--reached", str(self._reached), *options]
        command += ["--", "serve", service, "--port", str(port or own.port)]
        self._process: subprocess.Popen[bytes] = spawn(
            command, log=own.log, directory=ROOT, death_signal=signal.SIGKILL, environment=own.environment
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    async def answers(self) -> None:
        """Wait until it takes requests."""
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as http, asyncio.timeout(REACH_SECONDS):
            while self._process.poll() is None:
                try:
                    await http.get("/healthz")
                    return
                except httpx.TransportError:
                    await asyncio.sleep(_POLL_SECONDS)
        raise AssertionError(f"{self.service} ended with {self._process.returncode}:\n{tail(self._log)}")

    async def dies_at(self, point: Point) -> None:
        """Wait until it has killed itself there.

        Raises:
            AssertionError: it did not get there, or it ended in another way.
        """
        try:
            async with asyncio.timeout(REACH_SECONDS):
                while self._process.poll() is None:  # noqa: ASYNC110 - a process calls nobody back
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            self.stop()
            raise AssertionError(f"{self.service} did not reach '{point}':\n{tail(self._log)}") from None
        told = self._reached.read_text().split() if self._reached.exists() else []
        ended = f"{self.service} ended with {self._process.returncode} before '{point}':\n{tail(self._log)}"
        assert self._process.returncode == -signal.SIGKILL, ended
        assert str(self.pid) in told, ended

    def stop(self) -> None:
        if self._process.poll() is None:
            end(self._process, signal.SIGKILL, _STOP_SECONDS)


def armed(stack: Stack, service: ServiceName, point: Point, nth: int, *options: str) -> Life:
    """A life that ends when it passes the point for the nth time."""
    return Life(stack, service, "--point", point.name, "--nth", str(nth), *options)
