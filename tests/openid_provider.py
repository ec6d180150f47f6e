"""A stand-in for a council's OpenID Connect provider: small, and real in what it does over its socket.

It has discovery, keys, the authorization code flow with PKCE and RS256, and redeems a code once. It asks nobody for a
password: whoever comes is :attr:`Provider.claims`. What a hostile or broken provider would do is switched on by hand.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlencode

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.listening import listening

CLIENT_ID = "savings tracker"
CLIENT_SECRET = "not: a/secret+"
CODE_SECONDS = 60


def _as_they_are(claims: dict[str, Any]) -> dict[str, Any]:
    return claims


@dataclass
class Provider:
    issuer: str = ""
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "1", "email": "jo@eastsussex.example"})
    #: What it says of a person, and of itself, with a fault in it.
    spoil: Callable[[dict[str, Any]], dict[str, Any]] = _as_they_are
    spoil_configuration: Callable[[dict[str, Any]], dict[str, Any]] = _as_they_are
    sign: Callable[[Provider, dict[str, Any]], str] = lambda provider, claims: provider.signed(claims)
    error: str = ""
    says_who_it_is: bool = True
    code_seconds: float = CODE_SECONDS
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    redeemed: int = 0
    _codes: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict)

    def signed(self, claims: dict[str, Any], key: RSAKey | None = None) -> str:
        key = key or self.key
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._configuration),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/keys", self._keys),
            ]
        )

    async def _configuration(self, _: Request) -> Response:
        return JSONResponse(
            self.spoil_configuration(
                {
                    "issuer": self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    "authorization_response_iss_parameter_supported": True,
                }
            )
        )

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        back = {"state": asked["state"]} | ({"iss": self.issuer} if self.says_who_it_is else {})
        if self.error:
            return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({**back, 'error': self.error})}", 302)
        code = secrets.token_urlsafe(16)
        self._codes[code] = (time.monotonic(), asked)
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({**back, 'code': code})}", 302)

    async def _token(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        given = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode().split(":")
        if [unquote(part) for part in given] != [CLIENT_ID, CLIENT_SECRET]:
            return JSONResponse({"error": "invalid_client"}, 401)
        issued_at, asked = self._codes.pop(form["code"], (0.0, {}))
        is_good = (
            time.monotonic() - issued_at < self.code_seconds
            and asked.get("redirect_uri") == form["redirect_uri"]
            and asked.get("code_challenge") == create_s256_code_challenge(form["code_verifier"])
        )
        if not is_good:
            return JSONResponse({"error": "invalid_grant"}, 400)
        self.redeemed += 1
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        token = self.sign(self, self.spoil({**claims, **self.claims}))
        return JSONResponse({"access_token": "any", "token_type": "Bearer", "id_token": token})

    async def _keys(self, _: Request) -> Response:
        return JSONResponse({"keys": [self.key.as_dict(private=False)]})


@asynccontextmanager
async def provider_running() -> AsyncIterator[Provider]:
    provider = Provider()
    async with listening(provider.app) as address:
        provider.issuer = address
        yield provider
