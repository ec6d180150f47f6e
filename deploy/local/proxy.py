"""One origin in front of the three services, for a developer's stack: it routes by path and passes bytes through.

What may be sent, how large and by whom the services say. In a deployment ``deploy/proxy`` does this, with TLS.

    python -m deploy.local.proxy --port 8080 --intake http://127.0.0.1:8001 --tracker ... --reporting ...
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

#: Whose path begins so; whatever no service claims is reporting's, which draws the pages.
PREFIXES: Final[Mapping[str, str]] = {
    "/v1/submissions": "intake",
    "/v1/rejections": "intake",
    "/v1/ledgers": "tracker",
    "/v1/checks": "tracker",
}
EVERYTHING_ELSE: Final = "reporting"
#: What is for the operator is not for the world: it is asked of the service itself.
OPERATORS_ONLY: Final = ("/metrics", "/readyz")

#: A service knows its own part alone; the whole document is generated, kept, and checked to be current.
_OPENAPI: Final = Path(__file__).parents[2] / "docs" / "openapi.json"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: About one connection and not the message (RFC 9110, 7.6.1); each side has its own.
_HOP_BY_HOP: Final = frozenset(
    (
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization"),
        *("te", "trailer", "transfer-encoding", "upgrade"),
    )
)
#: Ours to say, not the caller's.
_FORWARDED: Final = frozenset(("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"))
#: Server-sent events are silent for long; everything else the services bound themselves.
_TIMEOUT: Final = httpx.Timeout(10, read=None)


def service_of(path: str) -> str:
    """Which service answers a path: ``/v1/ledgers/cumulative`` is the tracker's."""
    for prefix, service in PREFIXES.items():
        if path == prefix or path.startswith(f"{prefix}/"):
            return service
    return EVERYTHING_ELSE


def proxy(addresses: Mapping[str, str], openapi: Path) -> Starlette:
    """The application; ``addresses`` has where each service answers, ``openapi`` the document of all three."""
    client = httpx.AsyncClient(
        timeout=_TIMEOUT, limits=httpx.Limits(max_connections=None, max_keepalive_connections=64), trust_env=False
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    async def pass_on(request: Request) -> Response:
        if request.url.path in OPERATORS_ONLY:
            return _problem(404, "not-found", "There is no such thing here.", "Ask the service itself.")
        service = service_of(request.url.path)
        # The raw target, so that an encoded path arrives as it was sent.
        target = request.scope["raw_path"] + (b"?" + query if (query := request.scope["query_string"]) else b"")
        outgoing = httpx.Request(
            request.method,
            httpx.URL(addresses[service]).copy_with(raw_path=target),
            headers=[*_kept(request.headers.raw, _HOP_BY_HOP | _FORWARDED), *_forwarded(request)],
            content=request.stream() if _has_body(request) else None,
        )
        try:
            answer = await client.send(outgoing, stream=True)
        except httpx.TransportError:
            detail = f"The {service} service does not answer just now."
            return _problem(502, "unavailable", detail, "Send it again in a moment, with the same Idempotency-Key.")
        passed = StreamingResponse(_chunks(answer), status_code=answer.status_code)
        passed.raw_headers = _kept(answer.headers.raw, _HOP_BY_HOP)
        return passed

    async def document(_: Request) -> Response:
        return FileResponse(openapi, media_type="application/json")

    routes = [Route("/{path:path}", pass_on, methods=list(_METHODS))]
    if openapi.exists():
        routes.insert(0, Route("/openapi.json", document))
    return Starlette(routes=routes, lifespan=lifespan)


def _problem(status: int, kind: str, detail: str, fix: str) -> JSONResponse:
    problem = {"type": kind, "title": HTTPStatus(status).phrase, "status": status, "detail": detail, "fix": fix}
    return JSONResponse(problem, status, media_type="application/problem+json")


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def _kept(headers: Iterable[tuple[bytes, bytes]], dropped: frozenset[str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in headers if name.decode("latin-1").lower() not in dropped]


def _forwarded(request: Request) -> list[tuple[bytes, bytes]]:
    address = request.client.host if request.client else "unknown"
    return [(b"x-forwarded-for", address.encode()), (b"x-forwarded-proto", request.url.scheme.encode())]


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    """Raw: what is compressed stays so, and each chunk goes on as soon as it comes."""
    try:
        async for chunk in answer.aiter_raw():
            yield chunk
    finally:
        await answer.aclose()


def main() -> None:
    parser = argparse.ArgumentParser(description="One origin in front of the three services.")
    parser.add_argument("--port", type=int, required=True)
    names = sorted({*PREFIXES.values(), EVERYTHING_ELSE})
    for name in names:
        parser.add_argument(f"--{name}", required=True, metavar="URL")
    given = vars(parser.parse_args())
    config = uvicorn.Config(
        proxy({name: given[name] for name in names}, _OPENAPI),
        host="127.0.0.1",
        port=given["port"],
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(server.serve())


if __name__ == "__main__":
    main()
