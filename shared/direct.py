"""Addresses that are asked for all day, answered without the framework's way of finding and filling an endpoint.

An endpoint marked :func:`direct` takes the request alone. It is a route like every other, in the description of the API
and behind the same gate; only, its exact address is looked up in a table instead of being matched against one pattern
after another, and no dependencies are worked out (docs/decisions/0019).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.errors import SavingsError

#: An endpoint that takes the request alone.
Endpoint = Callable[[Request], Awaitable[Response]]


def direct(endpoint: Endpoint) -> Endpoint:
    """Answer an endpoint's exact address without detours; the endpoint takes the request alone."""
    endpoint.is_direct = True  # type: ignore[attr-defined]
    return endpoint


class Direct:
    """Takes a request to its endpoint where that is marked :func:`direct`, and to the framework elsewhere."""

    def __init__(
        self,
        app: FastAPI,
        otherwise: ASGIApp,
        gate: Callable[[Request], Awaitable[None]],
        answer_to: Callable[[Request, Exception], Response],
    ) -> None:
        """
        Args:
            app: Whose routes they are.
            otherwise: What answers everything else.
            gate: Asked before every endpoint.
            answer_to: What is answered to an error.
        """
        self._app = app
        self._otherwise = otherwise
        self._gate = gate
        self._answer_to = answer_to
        self._found: dict[tuple[str, str], dict[str, Any]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._found is None:
            self._found = self._find()
        found = self._found.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        # Mounted under a prefix, the path is another one.
        if found is None or scope.get("root_path"):
            await self._otherwise(scope, receive, send)
            return
        scope.update(found)
        request = Request(scope, receive, send)
        try:
            await self._gate(request)
            response = await scope["endpoint"](request)
        except SavingsError as error:
            response = self._answer_to(request, error)
        except Exception as error:
            # The server logs what nobody foresaw, as it does for the framework.
            await self._answer_to(request, error)(scope, receive, send)
            raise
        await response(scope, receive, send)

    def _find(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Looked for when the first request comes: by then every service has put its routes on the application.

        There are none where requests are traced: spans are made on the framework's way.
        """
        if getattr(self._app.state, "is_traced", False):
            return {}
        return {
            (method, str(context.path)): {
                "app": self._app,
                "endpoint": context.endpoint,
                "route": context.original_route,
            }
            for context in iter_route_contexts(self._app.routes)
            if isinstance(context.original_route, APIRoute) and getattr(context.endpoint, "is_direct", False)
            for method in context.methods or ()
        }
