"""What a session's cookie says: which key it was opened with, or whom the partnership's sign-in service vouched for.

It is signed, and kept by the browser alone: every service reads it and none keeps anything. A session opened with a key
ends with the key; one of a person ends when its time is up, for what they may do is asked at each sign-in.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeTimedSerializer

from shared.principal import Principal, Role
from shared.settings import Settings

SESSION_COOKIE: Final = "savings_session"
SESSION_SECONDS: Final = 8 * 3600


class Sessions:
    """Writes and reads the cookie's text, with one secret and one lifetime for all services."""

    def __init__(self, settings: Settings) -> None:
        secret = settings.session_secret.get_secret_value()
        #: None where no secret is set, and then nobody can sign in.
        self.signer: Final = URLSafeTimedSerializer(secret, salt="savings-session") if secret else None
        self.person_seconds: Final = 60 * settings.oidc_session_minutes

    def read(self, cookie: str) -> str | Principal | None:
        """The id of the key that a session was opened with, or the person; ``None`` where it is over or not ours."""
        if self.signer is None:
            return None
        try:
            said, signed_at = self.signer.loads(cookie, max_age=SESSION_SECONDS, return_timestamp=True)
        except BadSignature:
            return None
        if isinstance(said, str):
            return said
        is_over = datetime.now(UTC) - signed_at > timedelta(seconds=self.person_seconds)
        return None if is_over else _person(said)


def words_of(person: Principal) -> dict[str, Any]:
    """A person as the cookie has them, to be signed."""
    return {
        "name": person.name,
        "role": person.role,
        "council": person.council,
        "workstreams": sorted(person.workstreams),
    }


def _person(said: Any) -> Principal | None:
    try:
        return Principal(said["name"], Role(said["role"]), said["council"], frozenset(said["workstreams"]))
    except (TypeError, KeyError, ValueError):
        # Signed by us, so by another version: its person signs in again.
        return None
