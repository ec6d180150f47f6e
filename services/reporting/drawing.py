"""Drawing pages: the templates, GOV.UK Frontend's components, and the headers that every page carries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from fastapi import Request, Response
from jinja2 import ChainableUndefined, ChoiceLoader, Environment, PackageLoader, PrefixLoader

from services.reporting.changes import KINDS
from services.reporting.movement_words import moved_text, told
from services.reporting.notes import written_day
from services.reporting.static_files import address_of
from services.reporting.words import BASES, kind_of, short_id, signed_text, stated_text
from shared.clock import local_day, local_time, moment_text
from shared.money import short_text
from shared.partnership import Partnership
from shared.principal import Principal
from shared.web import READERS_OF_ALL

#: Nothing but our own files: no frame, no script of anybody else's, nothing in the markup itself.
PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
}
MEDIA_TYPE: Final = "text/html; charset=utf-8"


#: The parts of the service, as they are listed at the top of each page.
SECTIONS: Final[Mapping[str, str]] = {
    "/tracker": "Tracker",
    "/workstreams": "Workstreams",
    "/councils": "Councils",
    "/movements": "What changed",
    "/editions": "Editions",
    "/rounds": "Rounds",
    "/checks": "Checks",
}


def draw(
    template: str,
    *,
    partnership: Partnership,
    principal: Principal | None,
    section: str | None = None,
    **context: Any,
) -> bytes:
    """A page. ``principal`` is who is signed in, and stands at its top; ``section`` is where in the service it is."""
    shown = {path: text for path, text in SECTIONS.items() if principal and _is_open_to(principal, path)}
    made = _environment().get_template(template)
    drawn = made.render(partnership=partnership, principal=principal, section=section, sections=shown, **context)
    return drawn.encode()


def _is_open_to(principal: Principal, path: str) -> bool:
    return path != "/checks" or principal.role in READERS_OF_ALL


def page_of(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """An answer with a page, for whoever asks."""
    content = draw(
        template,
        partnership=request.app.state.reporting.partnership,
        principal=getattr(request.state, "principal", None),
        **context,
    )
    return Response(content, status_code=status, media_type=MEDIA_TYPE, headers=dict(PAGE_HEADERS))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("services.reporting"),
                PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
            ]
        ),
        autoescape=True,
        # The components look for options of options that were not given.
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["address_of"] = address_of
    environment.globals["bases"] = BASES
    environment.filters["kind_of"] = kind_of
    environment.filters["local_clock"] = lambda moment: f"{local_time(moment):%H:%M}"
    environment.filters["local_day"] = local_day
    environment.filters["short_id"] = short_id
    environment.filters["signed_text"] = signed_text
    environment.filters["stated_text"] = stated_text
    environment.filters["short_text"] = short_text
    environment.filters["written_day"] = written_day
    environment.filters["moment_text"] = moment_text
    environment.filters["moved_text"] = moved_text
    environment.filters["told"] = told
    environment.globals["kinds"] = KINDS
    return environment
