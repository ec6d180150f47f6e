"""The addresses of all the pages."""

from __future__ import annotations

from typing import Final

from services.reporting.pages import checks, councils, editions, figures, movements, rounds, tracker, workstreams

PAGES: Final = tuple(
    each.router for each in (tracker, workstreams, councils, figures, movements, editions, rounds, checks)
)
