"""The errors a caller can meet: one small tree, mapped to an HTTP answer in one place, ``shared.web``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with what was sent, in words its sender understands.

    ``pointer`` is a JSON pointer into what was sent (RFC 6901), ``given`` what stood there, ``allowed`` what may
    stand there, ``fix`` what to do.
    """

    pointer: str
    code: str
    detail: str
    fix: str
    given: Any = None
    allowed: Any = None


class SavingsError(Exception):
    """The root: ``detail`` says what is wrong, ``fix`` what to do about it."""

    status = 500
    code = "internal"
    title = "Something went wrong"

    def __init__(self, detail: str, fix: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fix = fix


class Unreadable(SavingsError):
    status, code, title = 400, "unreadable", "The request cannot be read"


class Unauthenticated(SavingsError):
    status, code, title = 401, "unauthenticated", "No valid credential"


class Forbidden(SavingsError):
    status, code, title = 403, "forbidden", "That is not yours to state or see"


class NotFound(SavingsError):
    status, code, title = 404, "not-found", "There is no such thing"


class NoSuchAddress(SavingsError):
    status, code, title = 404, "no-such-address", "There is nothing at this address"


class WrongMethod(SavingsError):
    status, code, title = 405, "wrong-method", "That cannot be sent to this address"

    def __init__(self, detail: str, fix: str, allowed: Sequence[str]) -> None:
        super().__init__(detail, fix)
        self.allowed = tuple(allowed)


class Conflict(SavingsError):
    status, code, title = 409, "conflict", "It conflicts with what is there"


class TooLarge(SavingsError):
    status, code, title = 413, "too-large", "It is too large"


class WrongType(SavingsError):
    status, code, title = 415, "wrong-media-type", "That form of content is not taken here"


class Refused(SavingsError):
    """A statement or query that may not stand; ``faults`` names everything wrong with it."""

    status, code, title = 422, "refused", "It may not stand as it is"

    def __init__(self, detail: str, faults: Sequence[Fault], fix: str | None = None) -> None:
        super().__init__(detail, fix)
        self.faults = tuple(faults)


class NoSuchForm(Refused):
    """An address that ends in no form there is; its one fault lists those there are."""

    status, code, title = 404, "not-found", "There is no such thing"


class NotAcceptable(Refused):
    """Nothing of what the caller takes (``Accept``) is what there is; its one fault lists what there is."""

    status, code, title = 406, "not-acceptable", "None of the forms you take is there"


class TooMany(SavingsError):
    status, code, title = 429, "too-many-requests", "Too many requests"

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        super().__init__(detail, f"Wait {retry_after_seconds} seconds, then send it again.")
        self.retry_after_seconds = retry_after_seconds


class Unavailable(SavingsError):
    status, code, title = 503, "unavailable", "Not available just now"
