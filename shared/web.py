"""What every service's HTTP surface has in common: who may, problem details, limits, health, conditional requests.

Every route denies by default. A route is open to the roles that its endpoint names with :func:`permits`, or to anybody
where it says :func:`public`; one that says neither answers nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

import structlog
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute, iter_route_contexts
from fastapi_problem.error import Problem
from fastapi_problem.handler import (
    ExceptionHandler,
    add_exception_handler,
    http_exception_handler_,
    new_exception_handler,
)
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from werkzeug.http import quote_etag
from werkzeug.sansio.http import is_resource_modified

from shared.access import Access
from shared.asked import Asked
from shared.correlation import request_id_given
from shared.direct import Direct
from shared.errors import (
    Fault,
    Forbidden,
    NoSuchAddress,
    Refused,
    SavingsError,
    TooLarge,
    TooMany,
    Unauthenticated,
    WrongMethod,
)
from shared.plain_words import in_plain_words
from shared.principal import Principal, Role
from shared.rate import Rate
from shared.sessions import SESSION_COOKIE, Sessions
from shared.settings import Settings

log = structlog.get_logger(__name__)

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def permits(*roles: Role) -> Callable[[Endpoint], Endpoint]:
    """Open an endpoint to callers of these roles. What they may state or see in it is decided inside."""

    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.permitted_roles = frozenset(roles)  # type: ignore[attr-defined]
        return endpoint

    return mark


def public(endpoint: Endpoint) -> Endpoint:
    """Open an endpoint to anybody: health, sign-in, what a browser needs before it has signed in."""
    endpoint.permitted_roles = None  # type: ignore[attr-defined]
    return endpoint


def page(endpoint: Endpoint) -> Endpoint:
    """Mark an endpoint that people open in a browser: its errors are drawn as pages, see :func:`create_app`."""
    endpoint.is_page = True  # type: ignore[attr-defined]
    return endpoint


EVERYONE: Final = tuple(Role)
READERS_OF_ALL: Final = (Role.OFFICE, Role.AUDITOR)
_SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")


class Gate:
    """Decides who is asking and whether they may come in; it stands before every route of the application."""

    def __init__(self, access: Access, settings: Settings) -> None:
        self._access = access
        self._sessions = Sessions(settings)
        self._requests = Rate(settings.requests_per_minute)
        self._failures = Rate(settings.failures_per_minute)

    async def __call__(self, request: Request) -> None:
        endpoint = request.scope["endpoint"]
        roles: frozenset[Role] | None = getattr(endpoint, "permitted_roles", frozenset())
        if roles is None:
            return
        self.require_few_failures(request)
        principal = await self.principal_of(request)
        if principal is None:
            # Somebody who opens a page before signing in has failed at nothing yet.
            if not getattr(endpoint, "is_page", False):
                self.count_failure(request)
            raise Unauthenticated(
                "No valid key came with the request: it is missing, unknown, expired or revoked.",
                "Send 'Authorization: Bearer <key>'. The programme office makes keys with 'savings keys create'.",
            )
        if not self._requests.take(principal.name):
            raise TooMany(f"{principal.name} made more than {self._requests.limit} requests in a minute.", 10)
        # A browser sends the cookie along with whatever any site makes it send; a key is sent by whoever has it.
        if request.method not in _SAFE_METHODS and _key_presented(request) is None:
            require_own_page(request)
        if principal.role not in roles:
            raise Forbidden(
                f"{principal.name} has the role {principal.role}; "
                f"this is open to {', '.join(sorted(roles)) or 'nobody'}.",
                "Use a key of one of those roles.",
            )
        request.state.principal = principal

    def require_few_failures(self, request: Request) -> None:
        """Raises: TooMany, where an address has presented too many keys in a minute that are none."""
        if not self._failures.has_room(_address_of(request)):
            raise TooMany("Too many requests without a valid key came from this address.", 60)

    def count_failure(self, request: Request) -> None:
        self._failures.count(_address_of(request))

    async def principal_of(self, request: Request) -> Principal | None:
        """Whose key or session came with a request, if it works now; ``None`` where there is none that does."""
        if (presented := _key_presented(request)) is not None:
            return await self._access.principal_of(presented)
        cookie = request.cookies.get(SESSION_COOKIE)
        session = self._sessions.read(cookie) if cookie else None
        return await self._access.principal_of_id(session) if isinstance(session, str) else session


def require_own_page(request: Request) -> None:
    """Take what a reader sends only from a page of this site; no other may sign one in or out, or publish for one.

    Raises: Forbidden, also where the browser does not say where it comes from.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", "")
    own = site == "same-origin" if site is not None else urlsplit(origin).netloc == request.url.netloc
    if not own:
        raise Forbidden(
            "This was not sent from a page of this site.",
            "Open the page that has it and try again; a program sends a key: 'Authorization: Bearer <key>'.",
        )


def _key_presented(request: Request) -> str | None:
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    return presented.strip() if scheme.lower() == "bearer" and presented else None


def _address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"


def caller_of(request: Request) -> Principal:
    """Who is asking, as the gate found it."""
    principal = request.state.principal
    assert isinstance(principal, Principal)  # noqa: S101 - the gate stands before every route
    return principal


async def _caller(request: Request) -> Principal:
    return caller_of(request)


#: The caller, as the gate found it.
Caller = Annotated[Principal, Depends(_caller)]


async def _no_parameters(request: Request) -> None:
    Asked(request.query_params.multi_items(), ()).require_no_fault()


#: The ``dependencies=`` of a route that takes no parameters: one that is given all the same is refused, not ignored.
NO_PARAMETERS: Final = [Depends(_no_parameters)]


class FaultOut(BaseModel):
    """One thing wrong with what was sent: where, what was given, what is allowed, and how to mend it."""

    pointer: str
    code: str
    detail: str
    given: Any = None
    allowed: Any = None
    fix: str


class ProblemOut(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    fix: str | None = None
    errors: list[FaultOut] | None = None


def problem_responses(*errors: type[SavingsError]) -> dict[int | str, dict[str, Any]]:
    """The ``responses=`` of a route that may answer with these errors."""
    return {
        error.status: {
            "description": error.title,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemOut"}}},
        }
        for error in errors
    }


def create_app(
    *, title: str, access: Access, settings: Settings, lifespan: Any = None, answers: dict[int, int] | None = None
) -> FastAPI:
    """An application whose every route stands behind the gate, and whose every error is a problem.

    Its answers are counted by status in ``answers``.
    Set ``app.state.draw_problem`` to a :data:`DrawProblem`, and where a page fails people read a page instead.
    """
    gate = Gate(access, settings)
    handler = _problem_handler()
    app = _Application(
        gate=gate,
        handler=handler,
        answers={} if answers is None else answers,
        title=title,
        version="1",
        lifespan=lifespan,
        dependencies=[Depends(gate)],
        # The description is open to all; the interactive pages load scripts from elsewhere and are not served.
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.gate = gate
    add_exception_handler(app, handler, generic_swagger_defaults=False)
    # It has put models of its own into the description, one of them incomplete; what we answer is a ProblemOut.
    del app.openapi
    # Registered by its own name too: what is known only as an Exception is answered outside of the middleware, and
    # raised again to the server as something nobody foresaw.
    app.add_exception_handler(SavingsError, handler)
    return app


class _Application(FastAPI):
    """What every request comes to: the envelope, and in it an endpoint that is answered directly, or the framework."""

    def __init__(self, *, gate: Gate, handler: ExceptionHandler, answers: dict[int, int], **options: Any) -> None:
        super().__init__(**options)
        self._envelope = _Envelope(Direct(self, super().__call__, gate, handler), answers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._envelope(scope, receive, send)


#: Draws a problem as a page: the request, the problem's members, and the answer as it would be without.
DrawProblem = Callable[[Request, Mapping[str, Any], JSONResponse], Response]


def _as_a_page(content: dict[str, Any], request: Request, answer: JSONResponse) -> tuple[dict[str, Any], Response]:
    draw: DrawProblem | None = getattr(request.app.state, "draw_problem", None)
    endpoint = request.scope.get("endpoint")
    # A mistyped address has no endpoint; then what the client takes decides.
    is_page = getattr(endpoint, "is_page", endpoint is None and "text/html" in request.headers.get("accept", ""))
    return content, draw(request, content, answer) if draw is not None and is_page else answer


def _problem_handler() -> ExceptionHandler:
    return new_exception_handler(
        logger=log,
        post_hooks=[_as_a_page],
        # Exception comes last and is for what nobody foresaw: the log has it, the answer tells nothing of the inside.
        handlers={SavingsError: lambda _handler, _request, error: problem_of(error), Exception: _unforeseen},
        http_exception_handler=_of_the_framework,
        request_validation_handler=lambda _handler, _request, error: problem_of(_refused_query(error)),
    )


def _of_the_framework(handler: Any, request: Request, error: HTTPException) -> Problem:
    """What the framework refuses by itself: mostly an address that there is not, or a method."""
    path = request.url.path[:200]
    match error.status_code:
        case 404:
            fix = "Check its spelling; /openapi.json lists the addresses of the API."
            return problem_of(NoSuchAddress(f"There is nothing at {path}.", fix))
        case 405:
            # What the framework names is in no order, so another with each start.
            allowed = _methods_at(request) or sorted((error.headers or {}).get("Allow", "none").split(", "))
            fix = f"What can be: {', '.join(allowed)}. /openapi.json tells what each does."
            return problem_of(WrongMethod(f"{request.method} cannot be sent to {path}.", fix, allowed))
        case _:
            return http_exception_handler_(handler, request, error)


def _methods_at(request: Request) -> Sequence[str]:
    """Those of all routes of an address; the framework names those of one of them."""
    matching = [
        context.methods or ()
        for context in iter_route_contexts(request.app.routes)
        if isinstance(context.original_route, APIRoute) and compile_path(str(context.path))[0].match(request.url.path)
    ]
    return sorted({method for methods in matching for method in methods})


def _unforeseen(_handler: Any, _request: Request, error: Exception) -> Any:
    if isinstance(error, (SavingsError, RequestValidationError, HTTPException, Problem)):
        return None
    return Problem(
        "Something went wrong",
        type_="internal",
        status=500,
        detail="The server met something it did not expect. Nothing of this request was kept unless an answer said so.",
        fix="Send it again with the same Idempotency-Key; if it goes on, tell the programme office the request's id.",
    )


def problem_of(error: SavingsError) -> Problem:
    """The answer to an error; the one place where errors become HTTP."""
    extras: dict[str, Any] = {}
    if error.fix is not None:
        extras["fix"] = error.fix
    if isinstance(error, Refused):
        extras["errors"] = [asdict(fault) for fault in error.faults]
    headers: dict[str, str] = {}
    match error:
        case Unauthenticated():
            headers["WWW-Authenticate"] = 'Bearer realm="savings"'
        case WrongMethod():
            headers["Allow"] = ", ".join(error.allowed)
        case TooMany():
            headers["Retry-After"] = str(error.retry_after_seconds)
        case _:
            pass
    return Problem(
        error.title, type_=error.code, status=error.status, detail=error.detail, headers=headers or None, **extras
    )


def _refused_query(error: RequestValidationError) -> Refused:
    faults = [
        Fault(
            pointer="/".join(str(part) for part in ("", *fault["loc"])),
            code="invalid-parameter",
            detail=told.detail,
            given=fault.get("input") if isinstance(fault.get("input"), (str, int, float, bool)) else None,
            allowed=told.allowed,
            fix=told.fix,
        )
        for fault in error.errors()
        for told in [in_plain_words(fault)]
    ]
    return Refused(f"{len(faults)} parameter{'s are' if len(faults) > 1 else ' is'} not valid.", faults)


_ALWAYS: Final = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin"))
_UNLESS_THERE: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'"),
)


class _Envelope:
    """Gives each request an id that its log lines, events and entries carry, and each answer its safety headers."""

    def __init__(self, app: ASGIApp, answers: dict[int, int]) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = request_id_given(headers.get("x-request-id", ""), headers.get("traceparent", ""))
        request_id = given or uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                self._answers[status] = self._answers.get(status, 0) + 1
                headers = message["headers"]
                there = {name for name, _ in headers}
                message["headers"] = [
                    *headers,
                    (b"x-request-id", request_id.encode()),
                    *_ALWAYS,
                    *(header for header in _UNLESS_THERE if header[0] not in there),
                ]
            await send(message)

        bound = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            structlog.contextvars.reset_contextvars(**bound)


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The body of a request, read no further than its limit. Every body is read here: no route takes one otherwise.

    Raises:
        TooLarge: naming the limit; a body that says it is larger is not read at all.
    """
    too_large = TooLarge(f"The body is larger than {limit_bytes:,} bytes.", "Send it in smaller parts.")
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit_bytes:
        raise too_large
    chunks: list[bytes] = []
    received_bytes = 0
    async for chunk in request.stream():
        received_bytes += len(chunk)
        if received_bytes > limit_bytes:
            raise too_large
        chunks.append(chunk)
    return b"".join(chunks)


def etag_of(*parts: object) -> str:
    """A strong entity tag over everything an answer depends on."""
    digest = hashlib.sha256()
    for part in parts:
        text = str(part).encode()
        digest.update(len(text).to_bytes(8) + text)
    return digest.hexdigest()[:32]


def not_modified(request: Request, etag: str) -> Response | None:
    """A 304, where the caller has this very version already."""
    presented = request.headers.get("if-none-match")
    if presented is None:
        return None
    quoted = quote_etag(etag)
    # Callers mostly send back the one tag they were given.
    modified = presented != quoted and is_resource_modified(
        http_range=None,
        http_if_range=None,
        http_if_modified_since=None,
        http_if_none_match=presented,
        etag=quoted,
    )
    return None if modified else Response(status_code=304, headers=conditional_headers(etag))


def conditional_headers(etag: str) -> dict[str, str]:
    """Kept by the caller alone, and asked about every time."""
    return {"ETag": quote_etag(etag), "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie, Accept"}


Check = Callable[[], Awaitable[tuple[bool, str]]]


def install_health(app: FastAPI, checks: Mapping[str, Check]) -> None:
    """``/healthz``: the process answers. ``/readyz``: what it needs answers too, each by name."""

    @app.get("/healthz", include_in_schema=False)
    @public
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", include_in_schema=False)
    @public
    async def readyz() -> JSONResponse:
        found: dict[str, dict[str, object]] = {}
        for name, check in checks.items():
            try:
                good, told = await check()
            except Exception:  # a check that fails for any reason says: not ready
                log.exception("readyz.check_failed", check=name)
                good, told = False, "does not answer"
            found[name] = {"ready": good, "detail": told}
        ready = all(result["ready"] for result in found.values())
        return JSONResponse({"ready": ready, "checks": found}, status_code=200 if ready else 503)


def no_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, refused where a name stands in it twice: which of the two was meant cannot be known.

    Raises:
        ValueError: naming it.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"'{next(name for name in names if names.count(name) > 1)}' stands twice in one object")
    return found
