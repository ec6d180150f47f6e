"""What a process tells of itself. Logs are one JSON object a line, with the request's id.

Tracebacks carry no local variables, which hold credentials.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TextIO, cast

import structlog

from shared.metrics import Metrics

if TYPE_CHECKING:
    from shared.tracing import Tracing

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@dataclass
class Telemetry:
    """What the parts of a process tell of themselves by. ``seconds`` is a monotonic clock."""

    metrics: Metrics = field(default_factory=Metrics)
    seconds: Callable[[], float] = time.monotonic
    #: None where no endpoint for traces is set; then nothing of it is even imported.
    tracing: Tracing | None = None


def tracing_if_asked_for(service: str) -> Tracing | None:
    """Traces, where OpenTelemetry's own variables say to which endpoint they go."""
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    from shared.tracing import Tracing

    return Tracing(service)


class _StandardError:
    """Wherever standard error leads when a line is written: a logger outlives what it led to at first."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logging(*, level: int = logging.INFO, human: bool = False) -> None:
    """Set up structlog for the process; ``human`` prints coloured lines instead of JSON."""
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if human:
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _StandardError())),
        cache_logger_on_first_use=True,
    )
