"""Stylesheets, scripts and the icon, served from memory under addresses that change with their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response

from shared.errors import NotFound
from shared.web import page, public

router = APIRouter(include_in_schema=False)

_FOLDER: Final = Path(__file__).parent / "static"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    content: bytes
    media_type: str
    digest: str


def address_of(name: str) -> str:
    """The address of a file of this name, as it is now. Raises: KeyError, where there is none."""
    return f"/static/{_files()[name].digest}/{name}"


def content_of(name: str) -> bytes:
    """What is in a file of this name. Raises: KeyError, where there is none."""
    return _files()[name].content


@router.get("/static/{digest}/{name}")
@public
@page
async def static_file(digest: str, name: str) -> Response:
    """One file. Its address holds a digest of its content, so what is kept is never out of date."""
    found = _files().get(name)
    if found is None or found.digest != digest:
        raise NotFound(f"There is no file {name} of that version here.", "Load the page again.")
    return Response(
        found.content,
        media_type=found.media_type,
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )


@cache
def _files() -> Mapping[str, StaticFile]:
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _MEDIA_TYPES:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:16]
            found[path.name] = StaticFile(content, _MEDIA_TYPES[path.suffix], digest)
    return found
