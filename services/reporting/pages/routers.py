"""The addresses of all the pages."""

from __future__ import annotations

from typing import Final

from services.reporting.pages import checks, councils, editions, figures, movements, rounds, tracker, workstreams

PAGES: Final = (
    tracker.router,
    workstreams.router,
    councils.router,
    figures.router,
    movements.router,
    editions.router,
    rounds.router,
    checks.router,
)
