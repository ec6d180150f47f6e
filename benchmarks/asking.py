"""Servers in processes of their own, and asking them as fast as they answer."""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, cast

import uvicorn

Address = tuple[str, int]
#: What each connection asks, again and again.
Requests = Sequence[Iterator[bytes]]


class Times(NamedTuple):
    """For how many rounds each server is asked, and how long in each; a round has to see many answers."""

    rounds: int
    seconds: float


SHORT: Final = Times(rounds=12, seconds=0.5)


@contextmanager
def serving(serve_app: Callable[..., None], what: Any) -> Iterator[Address]:
    """A server in a process of its own, as a service is run."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = multiprocessing.get_context("spawn").Process(target=serve_app, args=(listening, what))
        process.start()
        try:
            yield listening.getsockname()
        finally:
            process.terminate()
            process.join()


def serve(listening: socket.socket, app: Any) -> None:
    """What such a process does: the server and its settings are those of ``savings serve``."""
    config = uvicorn.Config(app, lifespan="off", access_log=False, log_level="warning", server_header=False)
    uvicorn.Server(config).run([listening])


def bare(answer: bytes, work: Callable[[bytes], Awaitable[None]] | None = None) -> Any:
    """A floor: an application that sends these bytes, head and all, after the ``work`` it does with the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    # The server adds the date of its own accord.
    headers = [tuple(line.split(b": ", 1)) for line in lines if not line.lower().startswith(b"date:")]
    start = {"type": "http.response.start", "status": int(status.split()[1]), "headers": headers}

    async def app(_scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]) -> None:
        if work is not None:
            chunks = []
            while True:
                message = await receive()
                chunks.append(message.get("body", b""))
                if not message.get("more_body"):
                    break
            await work(b"".join(chunks))
        await send(start)
        await send({"type": "http.response.body", "body": body})

    return app


async def in_turn(asked: dict[Address, Callable[[], Requests]], status: int, times: Times = SHORT) -> list[float]:
    """Requests answered in a second by each server, in the best of its rounds.

    They are asked turn by turn, so that whatever else the machine does falls on all alike; and it only ever takes time
    away, so that the best round says most.
    """
    best = dict.fromkeys(asked, 0.0)
    for address, requests in asked.items():
        # A process takes its time to start.
        await answer_to(address, next(requests()[0]))
    for _ in range(times.rounds):
        for address, requests in asked.items():
            best[address] = max(best[address], await _in_a_second(address, requests(), status, times.seconds))
    return list(best.values())


async def answer_to(address: Address, request: bytes) -> bytes:
    """One whole answer: its head, and as much body as the head says."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.readexactly(_body_bytes(head))
    writer.close()
    return head + body


def post(path: str, key: str, body: bytes, *headers: str) -> bytes:
    """A request with a JSON body."""
    lines = ("Host: savings.test", f"Authorization: Bearer {key}", "Content-Type: application/json", *headers)
    head = "\r\n".join((f"POST {path} HTTP/1.1", *lines, f"Content-Length: {len(body)}", "", ""))
    return head.encode() + body


async def _in_a_second(address: Address, requests: Requests, status: int, seconds: float) -> float:
    loop = asyncio.get_running_loop()
    expected = f"HTTP/1.1 {status} ".encode()
    connections = [
        (await loop.create_connection(lambda asked=asked: _Asking(asked, expected), *address))[1] for asked in requests
    ]
    await asyncio.sleep(seconds / 5)
    before, started = sum(each.answered for each in connections), time.perf_counter()
    await asyncio.sleep(seconds)
    after, took_seconds = sum(each.answered for each in connections), time.perf_counter() - started
    for each in connections:
        each.stop()
        assert not each.unexpected, each.unexpected
    return (after - before) / took_seconds


class _Asking(asyncio.Protocol):
    """One connection that asks again as soon as it has been answered."""

    def __init__(self, requests: Iterator[bytes], expected: bytes) -> None:
        self._requests = requests
        self._expected = expected
        self._received = b""
        self._left = 0
        self._transport: asyncio.Transport | None = None
        self.answered = 0
        self.unexpected = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        if self._left:
            self._left -= len(data)
        else:
            self._received += data
            head, end, body = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(self._expected):
                self.unexpected = self._received.decode()
                self.stop()
                return
            self._received = b""
            self._left = _body_bytes(head) - len(body)
        if self._left == 0 and self._transport is not None:
            self.answered += 1
            self._transport.write(next(self._requests))

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def _body_bytes(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"content-length:")
    return int(rest.split(b"\r\n", 1)[0]) if found else 0
