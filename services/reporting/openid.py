"""Signing in at the partnership's OpenID Connect provider: the authorization code flow, with PKCE, state and nonce.

What the provider says is believed only where it is signed by a key of its own, with an asymmetric algorithm, for this
client, for this very sign-in, and not too long ago (OpenID Connect Core 1.0, 3.1.3.7; RFC 9700).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
import structlog
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.errors import SavingsError, Unavailable
from shared.settings import Settings

#: Never "none", and nothing that is signed with a secret that both sides know.
_ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
#: By how much the clocks of the two sides may differ.
_LEEWAY_SECONDS: Final = 60
_TIMEOUT_SECONDS: Final = 10
#: After so long the provider is asked again where it answers and with which keys it signs.
_KEPT_SECONDS: Final = 3600
_NAME_LIMIT: Final = 100

log = structlog.get_logger(__name__)


class NotSignedIn(SavingsError):
    """What came back from the provider signs nobody in; ``detail`` says why, in words for the person."""

    status, code, title = 403, "not-signed-in", "You are not signed in"


@dataclass(frozen=True, slots=True)
class SigningIn:
    """One sign-in under way: what must come back, and where it leads. The browser keeps it, signed, meanwhile."""

    state: str
    nonce: str
    verifier: str
    then: str

    @classmethod
    def begin(cls, then: str) -> SigningIn:
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), then)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the provider vouches for: a name that no key has, and the values of their role claim."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Provider:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool
    names_itself: bool


class OpenId:
    """The provider that the settings name, and this product as a client of it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._issuer = settings.oidc_issuer
        self._tls = httpx.create_ssl_context()
        self._provider: tuple[float, _Provider] | None = None
        self._keys: tuple[float, KeySet] | None = None
        _require_https(self._issuer)

    async def address(self, signing_in: SigningIn, redirect_uri: str) -> str:
        """Where a browser is sent to sign in.

        Raises: Unavailable, where the provider cannot be reached or is not the one that the settings name.
        """
        provider = await self._find()
        return str(
            add_params_to_uri(
                provider.authorization_endpoint,
                [
                    ("response_type", "code"),
                    ("client_id", self._settings.oidc_client_id),
                    ("redirect_uri", redirect_uri),
                    ("scope", self._settings.oidc_scopes),
                    ("state", signing_in.state),
                    ("nonce", signing_in.nonce),
                    ("code_challenge", create_s256_code_challenge(signing_in.verifier)),
                    ("code_challenge_method", "S256"),
                ],
            )
        )

    async def person(self, signing_in: SigningIn, came_back: Mapping[str, str], redirect_uri: str) -> Person:
        """Who has signed in, by what the browser brought back.

        Raises:
            NotSignedIn: where that is not what was asked for, or not to be believed.
            Unavailable: where the provider cannot be reached.
        """
        provider = await self._find()
        if not secrets.compare_digest(came_back.get("state", "").encode(), signing_in.state.encode()):
            raise _refused("state", "This is not the sign-in that was begun in this browser.")
        named = came_back.get("iss")
        if named != self._issuer and (named is not None or provider.names_itself):
            raise _refused("iss", "The answer comes from another sign-in service.")
        if "error" in came_back or "code" not in came_back:
            raise _refused(came_back.get("error", "no code"), "The sign-in service did not sign you in.")
        tokens = await self._redeem(provider, came_back["code"], signing_in.verifier, redirect_uri)
        return self._person(await self._claims(provider, tokens, signing_in.nonce))

    async def _find(self) -> _Provider:
        if self._provider is None or time.monotonic() - self._provider[0] > _KEPT_SECONDS:
            document = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
            if document.get("issuer") != self._issuer:
                log.error("openid.other_issuer", configured=self._issuer, found=str(document.get("issuer"))[:200])
                raise _away()
            try:
                provider = _Provider(
                    document["authorization_endpoint"],
                    document["token_endpoint"],
                    document["jwks_uri"],
                    "client_secret_basic"
                    in document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]),
                    document.get("authorization_response_iss_parameter_supported") is True,
                )
                for address in (provider.authorization_endpoint, provider.token_endpoint, provider.jwks_uri):
                    _require_https(address)
            except (KeyError, TypeError, ValueError) as error:
                log.error("openid.unusable_configuration", issuer=self._issuer, error=repr(error))
                raise _away() from error
            self._provider = (time.monotonic(), provider)
        return self._provider[1]

    async def _redeem(self, provider: _Provider, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        """The tokens that a code stands for; it can be redeemed once."""
        client_id, secret = self._settings.oidc_client_id, self._settings.oidc_client_secret.get_secret_value()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        if secret and provider.takes_basic:
            # RFC 6749, 2.3.1: each is encoded as in a form before it becomes a user's name and password.
            auth: httpx.Auth = httpx.BasicAuth(quote(client_id, safe=""), quote(secret, safe=""))
        else:
            auth = httpx.Auth()
            form |= {"client_id": client_id} | ({"client_secret": secret} if secret else {})
        try:
            async with self._client() as client:
                answer = await client.post(provider.token_endpoint, data=form, auth=auth)
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            log.error("openid.no_tokens", issuer=self._issuer, error=repr(error))
            raise _away() from error
        if answer.status_code != httpx.codes.OK or not isinstance(found, dict) or "id_token" not in found:
            reason = found.get("error") if isinstance(found, dict) else "no object"
            raise _refused(f"{answer.status_code} {reason}", "Your sign-in took too long, or was used already.")
        return found

    async def _claims(self, provider: _Provider, tokens: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        try:
            try:
                token = jwt.decode(str(tokens["id_token"]), await self._key_set(provider), list(_ALGORITHMS))
            except (JoseError, ValueError):
                # It may have begun to sign with another key since it was asked.
                self._keys = None
                token = jwt.decode(str(tokens["id_token"]), await self._key_set(provider), list(_ALGORITHMS))
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self._issuer},
                    "aud": {"essential": True, "value": self._settings.oidc_client_id},
                    "exp": {"essential": True},
                },
                params={
                    "nonce": nonce,
                    "client_id": self._settings.oidc_client_id,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(leeway=_LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError) as error:
            raise _refused(repr(error), "What the sign-in service said of you cannot be believed.") from error
        return dict(claims)

    async def _key_set(self, provider: _Provider) -> KeySet:
        if self._keys is None or time.monotonic() - self._keys[0] > _KEPT_SECONDS:
            document = await self._get(provider.jwks_uri)
            self._keys = (time.monotonic(), KeySet.import_key_set({"keys": document.get("keys", [])}))
        return self._keys[1]

    def _client(self) -> httpx.AsyncClient:
        # One for each question: people sign in a few times a day, and nothing is left open in between.
        return httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, verify=self._tls)

    async def _get(self, address: str) -> Mapping[str, Any]:
        try:
            async with self._client() as client:
                answer = await client.get(address, headers={"Accept": "application/json"})
            answer.raise_for_status()
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            log.error("openid.does_not_answer", address=address, error=repr(error))
            raise _away() from error
        if not isinstance(found, dict):
            log.error("openid.no_document", address=address)
            raise _away()
        return found

    def _person(self, claims: Mapping[str, Any]) -> Person:
        name = _claim(claims, self._settings.oidc_name_claim)
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise _refused(
                f"no {self._settings.oidc_name_claim}", "The sign-in service does not say what your name is."
            )
        # Such a name no key has, so that nobody is taken for a finance system by what they call themselves.
        full = name.strip() if "@" in name else f"{name.strip()}@{urlsplit(self._issuer).hostname}"
        if len(full) > _NAME_LIMIT:
            raise _refused("a long name", f"Your name there is longer than {_NAME_LIMIT} letters.")
        values = _claim(claims, self._settings.oidc_role_claim)
        said = values if isinstance(values, list) else str(values).split() if isinstance(values, str) else []
        return Person(full, tuple(value for value in said if isinstance(value, str)))


def _claim(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name or, where there is none of that name, by its place in objects: ``realm_access.roles``."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _require_https(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError(f"{address} is not an https address")


def _refused(reason: str, detail: str) -> NotSignedIn:
    log.warning("openid.refused", reason=reason[:200])
    return NotSignedIn(detail, "Sign in again. If it goes on, tell the programme office.")


def _away() -> Unavailable:
    return Unavailable(
        "The sign-in service of your council does not answer as it should.",
        "Try again in a few minutes. Who has a key can sign in with it meanwhile.",
    )
