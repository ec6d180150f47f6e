"""Serving a process over HTTP until it is told to stop, or something in it fails."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import uvicorn

from savings.process import Process
from shared.collector import rest_the_collector

#: How long a request under way may take once the process has been told to stop.
GRACE_SECONDS = 10


class PortTaken(Exception):
    """Something else listens there already."""


class Server(uvicorn.Server):
    """The HTTP server of a process; :attr:`answering` is set once it takes requests."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self.answering = asyncio.Event()
        self._stopping = stopping

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.answering.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Before the wait for what is under way: a stream of events would be waited for in vain.
        self._stopping()
        await super().shutdown(sockets)

    def stop(self) -> None:
        """Answer what is under way, then stop."""
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The server's own handling ends the process before its services have been stopped; ours comes below.
        yield


@asynccontextmanager
async def serving(process: Process, host: str, port: int) -> AsyncIterator[asyncio.Task[None]]:
    """Serve until SIGINT or SIGTERM, or until the block is left; yields the task that serves, once it takes requests.

    A failure of the server or of a background task of a service ends the block with that failure.

    Raises:
        PortTaken: before anything has been started.
    """
    listening = _listen(host, port)
    server = Server(
        uvicorn.Config(
            process.app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        ),
        process.stopping,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    rest_the_collector()
    try:
        async with process.running(), asyncio.TaskGroup() as group:
            task = group.create_task(server.serve(sockets=[listening]))
            await server.answering.wait()
            try:
                yield task
            finally:
                server.stop()
    finally:
        await process.close()


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise PortTaken(f"Port {port} on {host} cannot be used: {error.strerror}.") from error
    return listening
