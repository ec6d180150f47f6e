"""People who sign in with an account of their council's: there and back, and what they are here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from itsdangerous import BadSignature, URLSafeTimedSerializer

from services.reporting.grants import Grants, InvalidSignIn
from services.reporting.openid import NotSignedIn, OpenId, Person, SigningIn
from shared.errors import SavingsError
from shared.partnership import Partnership
from shared.principal import Principal
from shared.settings import Settings

#: Whoever takes longer to sign in begins again.
SIGNING_IN_SECONDS = 600
_SALT = "savings-signing-in"


class NoPart(SavingsError):
    """Somebody has an account, and nothing is granted to it."""

    status, code, title = 403, "no-part", "You have no part in this yet"


class People:
    """The accounts of the provider that the settings name, and what is granted to them."""

    def __init__(self, openid: OpenId, grants: Grants, settings: Settings, partnership: Partnership) -> None:
        self.openid = openid
        self._grants = grants
        self._contact = settings.contact or f"the programme office of {partnership.name}"

    @classmethod
    def of(cls, settings: Settings, partnership: Partnership) -> People | None:
        """None, where no provider is set.

        Raises:
            InvalidSignIn: where the settings or the file of grants do not fit together.
            OSError: where the file cannot be read.
        """
        if not settings.oidc_issuer:
            return None
        if not settings.oidc_client_id or settings.oidc_grants_file is None:
            raise InvalidSignIn("With SAVINGS_OIDC_ISSUER set SAVINGS_OIDC_CLIENT_ID and SAVINGS_OIDC_GRANTS_FILE too.")
        try:
            openid = OpenId(settings)
        except ValueError as error:
            raise InvalidSignIn(f"SAVINGS_OIDC_ISSUER: {error}.") from error
        path = settings.oidc_grants_file
        try:
            grants = Grants.parse(path.read_text(encoding="utf-8"), partnership)
        except InvalidSignIn as error:
            raise InvalidSignIn(f"{path}: {error}") from error
        return cls(openid, grants, settings, partnership)

    def principal_of(self, person: Person) -> Principal:
        """What a person is here.

        Raises: NoPart, saying whom to ask.
        """
        found = self._grants.principal_of(person.name, person.values)
        if found is None:
            raise NoPart(
                f"You are signed in at your council as {person.name}, and nothing here is open to that account.",
                f"Ask {self._contact} for a part in it, and name the account. Then sign in again.",
            )
        return found


def kept(signing_in: SigningIn, signer: URLSafeTimedSerializer) -> str:
    """A sign-in under way, as the browser keeps it until it comes back."""
    return str(signer.dumps(asdict(signing_in), salt=_SALT))


def under_way(cookies: Mapping[str, str], name: str, signer: URLSafeTimedSerializer) -> SigningIn:
    """The sign-in that this browser has under way.

    Raises: NotSignedIn, where it has none, or it has taken too long.
    """
    try:
        return SigningIn(**signer.loads(cookies.get(name, ""), max_age=SIGNING_IN_SECONDS, salt=_SALT))
    except (BadSignature, TypeError) as error:
        raise NotSignedIn(
            "No sign-in was begun in this browser, or it was too long ago.", "Begin again from the sign-in page."
        ) from error
