"""Forms that change something: sent from a page of this site, by the reader it was made for, and counted once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request
from itsdangerous import BadSignature, URLSafeTimedSerializer

from shared.errors import Forbidden, Unreadable, WrongType
from shared.principal import Principal
from shared.sessions import SESSION_SECONDS
from shared.web import read_body, require_own_page

#: The field that a form carries its token in.
_FIELD: Final = "token"
_SALT: Final = "savings-form"
_BYTES_LIMIT: Final = 200_000
_FIELDS_LIMIT: Final = 1_200


@dataclass(frozen=True, slots=True)
class SentForm:
    """What was sent. ``key`` is the same for a form sent twice, and another for each form drawn."""

    values: Mapping[str, Sequence[str]]
    key: str

    def text(self, name: str) -> str:
        return next(iter(self.values.get(name, ())), "").strip()


def token_for(signer: URLSafeTimedSerializer, caller: Principal) -> str:
    """A token for a form about to be drawn: no other site can make one, and no other reader can use it."""
    return str(signer.dumps([caller.name, secrets.token_urlsafe(16)], salt=_SALT))


async def read_form(request: Request, signer: URLSafeTimedSerializer, caller: Principal) -> SentForm:
    """A form that a reader has sent.

    Raises:
        Forbidden: where it was not sent from a page of this site, or not from one drawn for this reader of late.
        TooLarge, WrongType, Unreadable: where it is no form.
    """
    values = await read_values(request, _BYTES_LIMIT, _FIELDS_LIMIT)
    token = next(iter(values.get(_FIELD, ())), "")
    try:
        name, nonce = signer.loads(token, max_age=SESSION_SECONDS, salt=_SALT)
    except (BadSignature, ValueError, TypeError) as error:
        raise _not_drawn_here() from error
    if name != caller.name:
        raise _not_drawn_here()
    return SentForm(values, str(nonce))


async def read_values(request: Request, bytes_limit: int, fields_limit: int) -> Mapping[str, Sequence[str]]:
    """What a form says, each field with all that was given for it.

    Raises:
        Forbidden: where it was not sent from a page of this site.
        TooLarge, WrongType, Unreadable: where it is no form.
    """
    require_own_page(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise WrongType("A form is sent as application/x-www-form-urlencoded.", "Use the page that has the form.")
    body = await read_body(request, bytes_limit)
    values: dict[str, list[str]] = {}
    try:
        for name, value in parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=fields_limit):
            values.setdefault(name, []).append(value)
    except ValueError as error:
        raise Unreadable("The form cannot be read.", "Use the page that has the form.") from error
    return values


def _not_drawn_here() -> Forbidden:
    return Forbidden(
        "This form is out of date, or was drawn for somebody else. Nothing was kept of it.",
        "Open its page again, fill it in and send it.",
    )
