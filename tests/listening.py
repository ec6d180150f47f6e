"""An application on a real socket, and server-sent events read from it as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx
import uvicorn

DEADLINE_SECONDS = 10


@asynccontextmanager
async def listening(app: Any, lifespan: Literal["on", "off"] = "off") -> AsyncIterator[str]:
    """Serve on a port of its own; yields the address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan=lifespan, log_level="warning"))
    serving = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not server.started:  # noqa: ASYNC110 - it calls nobody back
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


class Events:
    """What comes of a stream of events."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> dict[str, str]:
        """The fields of the next event; of one without, a heartbeat or the end, nothing or ``StopAsyncIteration``."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(DEADLINE_SECONDS):
            while line := await anext(self._lines):
                name, _, value = line.partition(": ")
                fields[name] = value
        return fields

    async def next_moved(self) -> dict[str, str]:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while "event" not in (fields := await self.next()):
                pass
        return fields

    async def ended(self) -> None:
        """Read on until the server ends it."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            async for _ in self._lines:
                pass


@asynccontextmanager
async def events_of(http: httpx.AsyncClient, url: str, **headers: str) -> AsyncIterator[Events]:
    async with http.stream("GET", url, headers=headers) as answer:
        yield Events(answer)
