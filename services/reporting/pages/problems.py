"""What a reader sees where a page cannot be had: what is wrong, how to mend it, and what there is instead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from services.reporting.drawing import page_of
from services.reporting.edition import Edition
from shared.errors import NotFound
from shared.partnership import Partnership, Workstream
from shared.principal import Principal


@dataclass(frozen=True, slots=True)
class Link:
    text: str
    address: str


def offer(request: Request, title: str, links: Iterable[Link]) -> None:
    """Name what there is, for the case that what follows fails."""
    request.state.instead = {"title": title, "links": list(links)}


def offer_editions(request: Request, editions: Iterable[Edition], path: str = "/tracker") -> None:
    links = [Link(edition.name, f"{path}?edition={edition.number}") for edition in editions]
    offer(request, "What there is", [*links, Link("The draft, as it stands now", path)])


def offer_councils(request: Request, partnership: Partnership, caller: Principal) -> None:
    """Those councils whose ledgers the reader may see, and the partnership's figures, which all may see."""
    seen = [council for council in partnership.councils if caller.may_see(council.scope)]
    links = [Link(council.name, f"/councils/{council.gss}") for council in seen]
    offer(request, "What you can see", [*links, Link(f"{partnership.name} as a whole", "/tracker?council=none")])


def workstream_of(request: Request, partnership: Partnership, code: str) -> Workstream:
    """Raises: NotFound, with the workstreams that there are offered instead."""
    found = partnership.workstream_by_code.get(code)
    if found is None:
        links = [Link(each.name, f"/workstreams/{each.code}") for each in partnership.workstreams]
        offer(request, "What there is", links)
        raise NotFound(f"{partnership.name} has no workstream {code}.", "Choose one of its workstreams.")
    return found


def draw_problem(request: Request, problem: Mapping[str, Any], answer: JSONResponse) -> Response:
    """A problem as a page. Without a session it leads to the sign-in page, and back here afterwards."""
    if problem["status"] == 401:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(here, safe='')}", status_code=303)
    drawn = page_of(
        request,
        "problem.jinja",
        status=answer.status_code,
        problem=problem,
        instead=getattr(request.state, "instead", None),
        request_id=getattr(request.state, "request_id", ""),
    )
    if "retry-after" in answer.headers:
        drawn.headers["Retry-After"] = answer.headers["retry-after"]
    return drawn
