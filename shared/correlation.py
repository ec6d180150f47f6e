"""The id by which one request is found again: in its answer, in the events that come of it, in every service's log."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Final

from shared.bus.port import Headers, Message, Received

#: As CloudEvents' Kafka binding names the attribute ``correlationid``.
CORRELATION_HEADER: Final = "ce_correlationid"
#: As W3C Trace Context names it, and OpenTelemetry in messages.
TRACEPARENT_HEADER: Final = "traceparent"
#: Where the request that is being answered stands in its trace; set where requests are traced (shared.tracing).
traceparent_now: ContextVar[str | None] = ContextVar("traceparent_now", default=None)
_CHARACTERS: Final = 64
#: A line of the log stays short enough for what collects it.
_IDS_A_LINE: Final = 100
#: W3C Trace Context, 3.2: version, trace id, parent id, flags. A trace id of zeros is none.
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


def request_id_given(request_id: str, traceparent: str) -> str | None:
    """The id that a caller gave its request, in ``X-Request-ID`` or else in ``traceparent``; none that we would take.

    It goes into logs, headers and a column, so it is short and plain.
    """
    if 0 < len(request_id) <= _CHARACTERS and request_id.isascii() and request_id.isprintable():
        return request_id
    found = _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    return found[1] if found is not None else None


def correlation_id_of(headers: Headers) -> str | None:
    """That of a message, as far as it tells one in a header."""
    for name, value in headers:
        if name == CORRELATION_HEADER:
            return (value or b"").decode("utf-8", "replace")[:_CHARACTERS] or None
    return None


def traceparent_of(headers: Headers) -> str | None:
    """Where a message stands in its trace; none where nobody traces, or what it carries is none."""
    for name, value in headers:
        if name == TRACEPARENT_HEADER:
            text = (value or b"").decode("ascii", "replace")
            return text if _TRACEPARENT.fullmatch(text) else None
    return None


def with_traceparent(headers: Headers, traceparent: str) -> Headers:
    """The headers, standing elsewhere in their trace."""
    others = tuple((name, value) for name, value in headers if name != TRACEPARENT_HEADER)
    return (*others, (TRACEPARENT_HEADER, traceparent.encode())) if traceparent else others


def lines_of_ids(batch: Sequence[Message | Received]) -> Iterator[list[str]]:
    """The ids of a batch, each once, in so many lines of a log; one line at least."""
    ids = [found for found in dict.fromkeys(correlation_id_of(message.headers) for message in batch) if found]
    for start in range(0, max(len(ids), 1), _IDS_A_LINE):
        yield ids[start : start + _IDS_A_LINE]
