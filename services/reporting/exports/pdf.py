"""The page as a tagged PDF (PDF/UA-1), through WeasyPrint: from the same templates and stylesheets as the page itself.

WeasyPrint draws with Pango, a library of the operating system, and is loaded at the first PDF asked for: a machine
without Pango does everything else. Uses the processor for some hundreds of milliseconds and no network, file or clock;
to be called in a worker thread or process. The same page, pictures and imprint give the same bytes on the same machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from services.reporting.drawing import draw
from services.reporting.exports.imprint import Imprint
from services.reporting.exports.pdf_tags import organise_tables
from services.reporting.exports.pictures import ChartPicture
from services.reporting.movement import Movements
from services.reporting.narrative import Reference, Sentence
from services.reporting.static_files import content_of
from services.reporting.table import Table
from shared.errors import Unavailable

MEDIA_TYPE: Final = "application/pdf"
#: The stylesheets of the page, and that of paper over them; read once, and so not named in the page.
_STYLESHEETS: Final = ("tracker.css", "print.css")
#: Where the page's own addresses start; nothing is ever asked for there.
_BASE: Final = "https://page.invalid/"
_PICTURE: Final = "chart:"


def pdf_of(
    table: Table,
    imprint: Imprint,
    *,
    version: int,
    pictures: Sequence[ChartPicture] = (),
    narrative: Sequence[Sentence] = (),
    movements: Movements | None = None,
    link: Callable[[Reference], str] | None = None,
) -> bytes:
    """The table with its charts, narrative, notes and proof as a PDF. ``version``: how many returns it is built from.

    Raises:
        Unavailable: where this machine has no Pango.
    """
    html = draw(
        "print.jinja",
        partnership=table.partnership,
        principal=None,
        table=table,
        imprint=imprint,
        version=version,
        pictures=pictures,
        narrative=narrative,
        movements=movements,
        link_to=link,
        address_of_picture=lambda picture: f"{_PICTURE}{picture.name}",
    )
    return write_pdf(html.decode(), imprint, {picture.name: picture.svg for picture in pictures})


def write_pdf(html: str, imprint: Imprint, pictures: Mapping[str, bytes]) -> bytes:
    """A page as PDF. ``pictures`` are SVG, by the names under which the page shows them (``chart:NAME``).

    Raises:
        Unavailable: where this machine has no Pango.
        MissingPart: where the page shows something that is not among the pictures.
    """
    weasyprint = load()
    parts = _Parts(pictures)
    page = weasyprint.HTML(string=html, base_url=_BASE, url_fetcher=_fetcher(weasyprint, parts))
    written: bytes = page.write_pdf(
        stylesheets=_stylesheets(),
        pdf_variant="pdf/ua-1",
        pdf_identifier=hashlib.sha256(f"{html}{imprint!r}".encode()).digest()[:16],
        finisher=lambda _, pdf: organise_tables(pdf),
    )
    if parts.missing:
        raise MissingPart(f"The page shows what there is not: {', '.join(parts.missing)}.")
    return written


@lru_cache(maxsize=1)
def load() -> Any:
    """WeasyPrint; the first time takes a second or so, which a worker may spend before it is asked for a PDF.

    Raises:
        Unavailable: where this machine has no Pango.
    """
    try:
        import weasyprint
    except OSError as error:
        raise Unavailable(
            "This machine cannot make PDFs: the Pango library is not installed.",
            "Install it (on Debian: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 "
            "fonts-liberation), or take the table as Word.",
        ) from error
    return weasyprint


class MissingPart(Exception):
    """A page shows a picture that it was not given: an error of ours."""


@dataclass
class _Parts:
    """What a page shows, from memory alone; what it asks for in vain is remembered, for WeasyPrint only logs it."""

    pictures: Mapping[str, bytes]
    missing: list[str] = field(default_factory=list)

    def svg_at(self, address: str) -> bytes:
        if address.startswith(_PICTURE) and (svg := self.pictures.get(address.removeprefix(_PICTURE))):
            return svg
        self.missing.append(address)
        raise ValueError(f"there is no {address} here")


def _fetcher(weasyprint: Any, parts: _Parts) -> Any:
    class Fetcher(weasyprint.urls.URLFetcher):  # type: ignore[misc]
        def fetch(self, url: str, headers: Any = None) -> Any:
            return weasyprint.urls.URLFetcherResponse(url, parts.svg_at(url), {"Content-Type": "image/svg+xml"})

    return Fetcher()


@lru_cache(maxsize=1)
def _stylesheets() -> Sequence[Any]:
    return [load().CSS(string=content_of(name).decode(), base_url=_BASE) for name in _STYLESHEETS]
