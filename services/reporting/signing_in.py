"""Signing in to the pages: a key is presented once, and a signed cookie stands for it while the key works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from itsdangerous import URLSafeTimedSerializer

from services.reporting.drawing import page_of
from services.reporting.people import People
from services.reporting.sent_forms import read_values
from shared.access import Access, Key
from shared.clock import Clock
from shared.errors import Unavailable
from shared.partnership import Partnership
from shared.principal import Role
from shared.sessions import SESSION_COOKIE, SESSION_SECONDS, Sessions
from shared.settings import Settings
from shared.web import Gate, page, public, require_own_page

HOME: Final = "/tracker"
#: A stranger may send it: no more of it is read than a key needs.
_FORM_BYTES_LIMIT: Final = 8_192
_FIELDS_LIMIT: Final = 10

#: The roles of a demonstration, as they are listed.
_TITLES: Final[Mapping[Role, str]] = {
    Role.AUTHOR: "Cabinet report authors",
    Role.LEAD: "Workstream leads",
    Role.FINANCE: "Councils' finance systems",
    Role.OFFICE: "Programme office",
    Role.AUDITOR: "Auditors",
}

router = APIRouter(include_in_schema=False)


class Door:
    """Who may come in through the sign-in page."""

    def __init__(self, settings: Settings, partnership: Partnership, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._partnership = partnership
        self.sessions = Sessions(settings)
        self.people = People.of(settings, partnership)
        self._public_url = settings.public_url.rstrip("/")
        self._is_secure = settings.public_url.startswith("https:")
        # Where people have accounts to sign in with, nobody picks a role.
        self.is_open_to_all = settings.demonstration and self.people is None

    def require_signer(self) -> URLSafeTimedSerializer:
        """Raises: Unavailable, where no secret is set to sign sessions with."""
        if self.sessions.signer is None:
            raise Unavailable(
                "Nobody can sign in here: no session secret has been set.",
                "Set SAVINGS_SESSION_SECRET and start the service again. Keys work on the API meanwhile.",
            )
        return self.sessions.signer

    def open_session(self, request: Request, answer: Response, said: str | Mapping[str, Any], seconds: int) -> None:
        """Set the cookie that says whose session it is, for so long."""
        # Lax, so that it comes along when a link in a report or the sign-in service leads here; whatever changes
        # anything is posted, and from another site a post comes without.
        answer.set_cookie(
            SESSION_COOKIE,
            str(self.require_signer().dumps(said)),
            max_age=seconds,
            httponly=True,
            samesite="lax",
            secure=self.is_https(request),
        )

    def is_https(self, request: Request) -> bool:
        return self._is_secure or request.url.scheme == "https"

    def address_back(self, request: Request) -> str:
        """Where the provider sends the browser back to; it must be told of it beforehand."""
        return f"{self._public_url or str(request.base_url).rstrip('/')}/sign-in/return"

    async def key_of(self, form: Mapping[str, str]) -> Key | None:
        """The working key that a form presents or, in a demonstration, picks by its id."""
        if self.is_open_to_all and "as" in form:
            return next((key for key in await self.roles() if key.id == form["as"]), None)
        return await self._access.key_of(form.get("key", "").strip())

    async def roles(self) -> Sequence[Key]:
        """In a demonstration, the newest working key of each name: roles that anybody may pick."""
        if not self.is_open_to_all:
            return ()
        now = self._clock()
        newest = {key.principal.name: key for key in await self._access.all_keys() if key.works_at(now)}
        return list(newest.values())


async def _door(request: Request) -> Door:
    door = request.app.state.reporting.door
    assert isinstance(door, Door)  # noqa: S101 - set where the service is installed
    return door


TheDoor = Annotated[Door, Depends(_door)]


@router.get("/sign-in")
@public
@page
async def sign_in_page(request: Request, door: TheDoor) -> Response:
    door.require_signer()
    return await _drawn(request, door, safe_next(request.query_params.get("next")))


@router.post("/sign-in")
@public
@page
async def sign_in(request: Request, door: TheDoor) -> Response:
    """Set the cookie and go on to where the reader was; a key that does not work is answered with the page again."""
    door.require_signer()
    gate = request.app.state.gate
    assert isinstance(gate, Gate)  # noqa: S101 - it stands before every application
    gate.require_few_failures(request)
    sent = await read_values(request, _FORM_BYTES_LIMIT, _FIELDS_LIMIT)
    form = {name: values[-1] for name, values in sent.items()}
    then = safe_next(form.get("next"))
    key = await door.key_of(form)
    if key is None:
        gate.count_failure(request)
        return await _drawn(
            request, door, then, error="Enter a key that works: this one is unknown, expired or revoked"
        )
    answer = RedirectResponse(then, status_code=303)
    door.open_session(request, answer, key.id, SESSION_SECONDS)
    return answer


@router.post("/sign-out")
@public
@page
async def sign_out(request: Request, door: TheDoor) -> Response:
    require_own_page(request)
    answer = RedirectResponse("/sign-in", status_code=303)
    answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=door.is_https(request))
    return answer


def safe_next(given: str | None) -> str:
    """Where to go after signing in: a path of this site, and the tracker for whatever is not one.

    A browser takes ``//host`` and ``/\\host`` for another site, and leaves control characters out as it reads.
    """
    if not given or not given.startswith("/") or given[1:2] in ("/", "\\") or not given.isprintable():
        return HOME
    parts = urlsplit(given)
    return HOME if parts.scheme or parts.netloc else given


async def _drawn(request: Request, door: Door, then: str, error: str | None = None) -> Response:
    found = await door.roles()
    return page_of(
        request,
        "sign_in.jinja",
        status=200 if error is None else 401,
        then=then,
        error=error,
        roles=[
            {"title": title, "keys": keys}
            for role, title in _TITLES.items()
            if (keys := [key for key in found if key.principal.role is role])
        ],
        is_demonstration=door.is_open_to_all,
        has_accounts=door.people is not None,
    )
