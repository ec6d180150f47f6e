"""The stream of the draft's versions over HTTP: server-sent events, for the page's script and for machines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import structlog
from fastapi import APIRouter, Depends, Request, Response
from fastapi.sse import EventSourceResponse
from starlette.types import Message, Receive, Scope, Send

from services.reporting.live import Live
from services.reporting.query import Asked
from shared.errors import Forbidden, Refused, TooMany, Unauthenticated, Unavailable
from shared.web import EVERYONE, Caller, Gate, permits, problem_responses

router = APIRouter(prefix="/v1", tags=["tracker"])
log = structlog.get_logger(__name__)

_PARAMETERS: Final[dict[str, Any]] = {
    "parameters": [
        {
            "name": "Last-Event-ID",
            "in": "header",
            "description": "The id of the last event that was read: nothing comes until there is a newer one.",
            "schema": {"type": "string"},
        }
    ]
}


async def _live_of(request: Request) -> Live:
    live = request.app.state.reporting.live
    assert isinstance(live, Live)  # noqa: S101 - set where the service is installed
    return live


class Stream(EventSourceResponse):
    """A stream that gives its place back however it ends, also where it was never begun.

    It ends too where its reader takes nothing for so long that all buffers on the way are full.
    """

    def __init__(self, content: AsyncIterator[bytes], live: Live, caller: str) -> None:
        # Told not to keep it back: nginx needs to be told, Caddy knows the media type.
        super().__init__(content, headers={"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"})
        self._live = live
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(2 * self._live.pace.heartbeat):
                await send(message)

        try:
            await super().__call__(scope, receive, send_in_time)
        except TimeoutError:
            log.info("live.reader_too_slow", caller=self._caller)
        finally:
            self._live.leave(self._caller)


@router.get(
    "/tracker/events",
    response_class=Response,
    responses={
        **problem_responses(Unauthenticated, Forbidden, Refused, TooMany, Unavailable),
        200: {
            "description": "Server-sent events, open for as long as the server keeps them.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
    },
    openapi_extra=_PARAMETERS,
    summary="The draft's versions, as they come",
)
@permits(*EVERYONE)
async def tracker_events(request: Request, caller: Caller, live: Annotated[Live, Depends(_live_of)]) -> Response:
    """An event ``moved`` whenever the draft is no longer what it was: ask for the table again.

    Its id is the version; its data has the number of returns folded (``{"version": 128}``). The first one comes at
    once and tells the version of the moment. A stream ends after some minutes; open it again with ``Last-Event-ID``,
    as browsers do by themselves.
    """
    Asked(request.query_params.multi_items(), ()).require_no_fault()
    gate = request.app.state.gate
    assert isinstance(gate, Gate)  # noqa: S101 - it stands before every application

    async def may_still_read() -> bool:
        return await gate.principal_of(request) == caller

    await live.enter(caller.name)
    return Stream(live.stream(request.headers.get("last-event-id"), may_still_read), live, caller.name)
