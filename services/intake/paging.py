"""The parameters of every list that is told in pages, the newest first."""

from __future__ import annotations

import re
from typing import Final

from services.intake.listing import ID_PATTERN, LIMIT
from shared.asked import Asked, Parameters

_LIMIT_UNLESS_ASKED: Final = 50

PAGING: Final[Parameters] = {
    "limit": {
        "description": "So many at a time.",
        "schema": {"type": "integer", "minimum": 1, "maximum": LIMIT, "default": _LIMIT_UNLESS_ASKED},
    },
    "before": {
        "description": "As in the 'next' of the page before.",
        "schema": {"type": "string", "pattern": ID_PATTERN},
    },
}


def read_limit(asked: Asked) -> int:
    return asked.whole_number("limit", 1, LIMIT) or _LIMIT_UNLESS_ASKED


def read_before(asked: Asked) -> str | None:
    given = asked.text("before") or None
    if given is not None and not re.fullmatch(ID_PATTERN, given):
        allowed = "the id that stands in the 'next' of a page"
        asked.fault("before", "not-an-id", f"{given[:100]} is not an id.", given, allowed, "Follow that 'next'.")
        return None
    return given
