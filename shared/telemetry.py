"""What a process tells of itself. Logs are one JSON object a line, with the request's id.

Tracebacks carry no local variables, which hold credentials.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from shared.metrics import Metrics


@dataclass
class Telemetry:
    """What the parts of a process tell of themselves by. ``seconds`` is a monotonic clock."""

    metrics: Metrics = field(default_factory=Metrics)
    seconds: Callable[[], float] = time.monotonic


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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
