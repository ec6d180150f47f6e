"""The two addresses of signing in with a council's account: on the way there, and on the way back."""

from __future__ import annotations

from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from services.reporting.openid import NotSignedIn, SigningIn
from services.reporting.pages.problems import Link, offer
from services.reporting.people import SIGNING_IN_SECONDS, NoPart, People, kept, under_way
from services.reporting.signing_in import Door, TheDoor, safe_next
from shared.errors import NotFound
from shared.sessions import words_of
from shared.web import Gate, page, public

router = APIRouter(include_in_schema=False)
log = structlog.get_logger(__name__)

_COOKIE: Final = "savings_signing_in"
_PATH: Final = "/sign-in"


@router.get("/sign-in/council")
@public
@page
async def to_the_provider(request: Request, door: TheDoor) -> Response:
    """Send the browser to the provider; what must come back it keeps itself, signed."""
    people = _people(door)
    signing_in = SigningIn.begin(safe_next(request.query_params.get("next")))
    address = await people.openid.address(signing_in, door.address_back(request))
    answer = RedirectResponse(address, status_code=303)
    answer.set_cookie(
        _COOKIE,
        kept(signing_in, door.require_signer()),
        max_age=SIGNING_IN_SECONDS,
        path=_PATH,
        httponly=True,
        # It must come along when the provider sends the browser back.
        samesite="lax",
        secure=door.is_https(request),
    )
    return answer


@router.get("/sign-in/return")
@public
@page
async def back_from_the_provider(request: Request, door: TheDoor) -> Response:
    """Open a session for whom the provider vouches, and go on to where they were."""
    people, gate = _people(door), request.app.state.gate
    assert isinstance(gate, Gate)  # noqa: S101 - it stands before every application
    gate.require_few_failures(request)
    offer(request, "What you can do", [Link("Sign in again", "/sign-in")])
    try:
        signing_in = under_way(request.cookies, _COOKIE, door.require_signer())
        person = await people.openid.person(signing_in, dict(request.query_params), door.address_back(request))
        principal = people.principal_of(person)
    except (NotSignedIn, NoPart) as error:
        gate.count_failure(request)
        log.info("signing_in.refused", reason=error.code)
        raise
    answer = RedirectResponse(signing_in.then, status_code=303)
    door.open_session(request, answer, words_of(principal), door.sessions.person_seconds)
    answer.delete_cookie(_COOKIE, path=_PATH, httponly=True, samesite="lax", secure=door.is_https(request))
    return answer


def _people(door: Door) -> People:
    if door.people is None:
        raise NotFound("No accounts can be signed in with here.", "Sign in with a key.")
    door.require_signer()
    return door.people
