"""Signing in with a council's account: over real sockets, against a stand-in for its OpenID Connect provider."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr

from services.reporting.grants import InvalidSignIn
from shared.sessions import SESSION_COOKIE
from tests.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider, provider_running
from tests.reporting_figures import EAST_SUSSEX, KENT
from tests.reporting_service import Service, served

GRANTS = Path("deploy/partnerships/se7-sign-in.toml")
OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}
AUTHOR = {"sub": "1", "email": "jo@eastsussex.example", "roles": ["staff", "se7-savings-author-esx"]}


@dataclass
class Accounts:
    service: Service
    provider: Provider

    async def leave(self, then: str = "/tracker") -> httpx.Response:
        return await self.service.http.get("/sign-in/council", params={"next": then})

    async def back(self, then: str = "/tracker") -> str:
        """Go to the provider as a browser does; the address that it sends the browser back to."""
        sent = await self.leave(then)
        assert sent.status_code == 303, sent.text
        async with httpx.AsyncClient() as browser:
            return (await browser.get(sent.headers["location"])).headers["location"]

    async def sign_in(self, then: str = "/tracker") -> httpx.Response:
        return await self.service.http.get(await self.back(then))


@asynccontextmanager
async def accounts_in(folder: Path, **settings: Any) -> AsyncIterator[Accounts]:
    async with provider_running() as provider:
        known = {
            "oidc_issuer": provider.issuer,
            "oidc_client_id": CLIENT_ID,
            "oidc_client_secret": SecretStr(CLIENT_SECRET),
            "oidc_grants_file": GRANTS,
        }
        async with served(folder, **{**known, **settings}) as service:
            provider.claims = dict(AUTHOR)
            yield Accounts(service, provider)


@pytest.fixture
async def accounts(tmp_path: Path) -> AsyncIterator[Accounts]:
    async with accounts_in(tmp_path) as found:
        yield found


async def test_a_person_signs_in_and_is_what_is_granted_to_them(accounts: Accounts) -> None:
    answer = await accounts.sign_in("/tracker?basis=actual")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tracker?basis=actual")
    (cookie,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(SESSION_COOKIE)]
    for part in ("HttpOnly", "SameSite=lax", "Max-Age=28800", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie
    page = await accounts.service.get("/tracker")
    assert "Signed in as jo@eastsussex.example" in page.text
    # The same rules as for a key of the same role.
    assert (await accounts.service.get("/v1/tracker")).json()["home_council"]["gss"] == EAST_SUSSEX
    assert (await accounts.service.get("/v1/tracker", council=KENT)).status_code == 403


async def test_a_provider_that_lists_its_audience_is_believed(accounts: Accounts) -> None:
    accounts.provider.spoil = other(aud=[CLIENT_ID])
    assert (await accounts.sign_in()).headers["location"] == "/tracker"


async def test_the_browser_is_sent_with_pkce_state_and_nonce_that_are_new_each_time(accounts: Accounts) -> None:
    asked = [parse_qs(urlsplit((await accounts.leave()).headers["location"]).query) for _ in range(2)]
    for one in asked:
        assert one["code_challenge_method"] == ["S256"]
        assert one["redirect_uri"] == ["http://savings.test/sign-in/return"]
    for name in ("state", "nonce", "code_challenge"):
        first, second = (one[name][0] for one in asked)
        assert first != second
        assert len(first) >= 32


async def test_behind_https_the_cookies_are_secure_and_the_way_back_is_the_public_address(tmp_path: Path) -> None:
    async with accounts_in(tmp_path, public_url="https://savings.example.gov.uk/") as accounts:
        sent = await accounts.leave()
        assert "Secure" in sent.headers["set-cookie"]
        asked = parse_qs(urlsplit(sent.headers["location"]).query)
        assert asked["redirect_uri"] == ["https://savings.example.gov.uk/sign-in/return"]


async def test_no_other_site_is_gone_on_to_afterwards(accounts: Accounts) -> None:
    assert (await accounts.sign_in("//evil.example/")).headers["location"] == "/tracker"


# What comes back


async def refused(accounts: Accounts, address: str, *told: str) -> None:
    """A page that says why, and nobody is signed in."""
    answer = await accounts.service.http.get(address)
    assert answer.status_code == 403, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    for part in ("You are not signed in", "Sign in again", *told):
        assert part in answer.text, part
    assert SESSION_COOKIE not in accounts.service.http.cookies
    assert (await accounts.service.get("/tracker")).status_code == 303


async def test_a_state_that_was_not_given_is_refused(accounts: Accounts) -> None:
    back = await accounts.back()
    state = parse_qs(urlsplit(back).query)["state"][0]
    await refused(accounts, back.replace(state, "another"), "not the sign-in that was begun in this browser")
    await refused(accounts, "/sign-in/return?code=a&iss=b", "not the sign-in")
    assert accounts.provider.redeemed == 0


async def test_a_sign_in_that_this_browser_did_not_begin_is_refused(accounts: Accounts) -> None:
    """Somebody's own answer, handed to another to sign them in as somebody else."""
    back = await accounts.back()
    accounts.service.http.cookies.clear()
    await refused(accounts, back, "No sign-in was begun in this browser")
    accounts.service.http.cookies.set("savings_signing_in", "made-up.by.them")
    await refused(accounts, back, "No sign-in was begun in this browser")


async def test_a_session_is_no_sign_in_and_a_sign_in_no_session(accounts: Accounts) -> None:
    await accounts.leave()
    http = accounts.service.http
    http.cookies.set(SESSION_COOKIE, http.cookies["savings_signing_in"])
    assert (await accounts.service.get("/tracker")).status_code == 303


async def test_an_answer_of_another_provider_is_refused(accounts: Accounts) -> None:
    back = await accounts.back()
    await refused(accounts, back.replace("iss=http", "iss=https"), "from another sign-in service")
    accounts.provider.says_who_it_is = False
    await refused(accounts, await accounts.back(), "from another sign-in service")


async def test_a_code_is_good_once(accounts: Accounts) -> None:
    back = await accounts.back()
    kept = accounts.service.http.cookies["savings_signing_in"]
    assert (await accounts.service.http.get(back)).status_code == 303
    accounts.service.http.cookies.clear()
    accounts.service.http.cookies.set("savings_signing_in", kept)
    await refused(accounts, back, "took too long, or was used already")


async def test_a_code_that_has_expired_is_refused(accounts: Accounts) -> None:
    accounts.provider.code_seconds = 0
    await refused(accounts, await accounts.back(), "took too long")


async def test_who_is_refused_there_is_told_so_here(accounts: Accounts) -> None:
    accounts.provider.error = "access_denied"
    await refused(accounts, await accounts.back(), "did not sign you in")


def other(**claims: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda said: {name: value for name, value in {**said, **claims}.items() if value is not None}


@pytest.mark.parametrize(
    "spoil",
    [
        other(nonce="another"),
        other(nonce=None),
        other(iss="https://another.example"),
        other(iss=None),
        other(aud="another client"),
        other(aud="another client", azp=CLIENT_ID),
        other(aud=[CLIENT_ID, "another"], azp="another"),
        other(aud=None),
        other(exp=int(time.time()) - 3600),
        other(exp=None),
        other(iat=None),
        other(sub=None),
        other(nbf=int(time.time()) + 3600),
    ],
    ids=[
        "wrong nonce",
        "no nonce",
        "wrong issuer",
        "no issuer",
        "wrong audience",
        "wrong audience, right party",
        "for another party",
        "no audience",
        "expired",
        "never expires",
        "never issued",
        "about nobody",
        "not yet",
    ],
)
async def test_a_token_that_is_not_for_this_sign_in_is_refused(
    accounts: Accounts, spoil: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    accounts.provider.spoil = spoil
    await refused(accounts, await accounts.back(), "cannot be believed")
    assert accounts.provider.redeemed == 1


def unsigned(_: Provider, claims: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


def signed_with_the_secret(_: Provider, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET * 4), ["HS256"])


def signed_with_the_public_key(provider: Provider, claims: dict[str, Any]) -> str:
    key = OctKey.import_key(provider.key.as_pem(private=False).hex())
    return jwt.encode({"alg": "HS256", "kid": provider.key.kid}, claims, key, ["HS256"])


def signed_by_another(provider: Provider, claims: dict[str, Any]) -> str:
    return provider.signed(claims, RSAKey.generate_key(2048, {"kid": "one"}))


def altered(provider: Provider, claims: dict[str, Any]) -> str:
    header, _, signature = provider.signed(claims).split(".")
    said = base64.urlsafe_b64encode(json.dumps({**claims, "roles": ["se7-savings-office"]}).encode()).decode()
    return ".".join((header, said.rstrip("="), signature))


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        signed_with_the_secret,
        signed_with_the_public_key,
        signed_by_another,
        altered,
        lambda *_: "no token",
        lambda *_: "",
    ],
)
async def test_a_token_that_the_provider_did_not_sign_is_refused(
    accounts: Accounts, sign: Callable[[Provider, dict[str, Any]], str]
) -> None:
    accounts.provider.sign = sign
    await refused(accounts, await accounts.back(), "cannot be believed")


async def test_a_provider_that_signs_with_a_new_key_is_believed(accounts: Accounts) -> None:
    assert (await accounts.sign_in()).status_code == 303
    accounts.provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert (await accounts.sign_in()).headers["location"] == "/tracker"


@pytest.mark.parametrize("email", [None, "", "  ", 7, "a\nb", "j" * 101])
async def test_a_person_without_a_name_that_can_be_written_is_refused(accounts: Accounts, email: Any) -> None:
    accounts.provider.claims["email"] = email
    await refused(accounts, await accounts.back(), "name")


async def test_nobody_is_taken_for_a_finance_system_by_what_they_call_themselves(accounts: Accounts) -> None:
    accounts.provider.claims["email"] = "finance-ESX"
    assert (await accounts.sign_in()).status_code == 303
    assert "Signed in as finance-ESX@127.0.0.1" in (await accounts.service.get("/tracker")).text


async def test_roles_are_found_where_the_settings_say(tmp_path: Path) -> None:
    claims = {"oidc_role_claim": "realm_access.roles", "oidc_name_claim": "preferred_username"}
    async with accounts_in(tmp_path, **claims) as accounts:
        accounts.provider.claims = {
            "sub": "1",
            "preferred_username": "jo",
            "realm_access": {"roles": ["se7-savings-office"]},
        }
        assert (await accounts.sign_in()).status_code == 303
        assert (await accounts.service.get("/v1/tracker", council=KENT)).status_code == 200


@pytest.mark.parametrize(
    "roles", [None, [], ["staff"], "se7-savings-office-not", [["se7-savings-office"]], {"a": 1}, 5]
)
async def test_who_has_no_part_is_told_whom_to_ask(tmp_path: Path, roles: Any) -> None:
    async with accounts_in(tmp_path, contact="Sam Reed, 01273 000000") as accounts:
        accounts.provider.claims["roles"] = roles
        answer = await accounts.sign_in()
        assert answer.status_code == 403
        for told in ("You have no part in this yet", "jo@eastsussex.example", "Ask Sam Reed, 01273 000000"):
            assert told in answer.text
        assert SESSION_COOKIE not in accounts.service.http.cookies


# When it does not answer


@pytest.mark.parametrize(
    "spoil",
    [
        other(issuer="https://another.example"),
        other(token_endpoint=None),
        other(token_endpoint="http://elsewhere.example/token"),
    ],
)
async def test_a_provider_that_is_not_the_one_set_is_not_used(
    accounts: Accounts, spoil: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    accounts.provider.spoil_configuration = spoil
    answer = await accounts.leave()
    assert (answer.status_code, "does not answer as it should" in answer.text) == (503, True)


async def test_where_the_provider_is_away_keys_still_sign_in(tmp_path: Path) -> None:
    async with accounts_in(tmp_path, oidc_issuer="http://127.0.0.1:9") as accounts:
        assert (await accounts.leave()).status_code == 503
        form = {"key": accounts.service.keys["office"]}
        assert (await accounts.service.http.post("/sign-in", data=form, headers=OWN_PAGE)).status_code == 303


async def test_guessing_is_stopped(tmp_path: Path) -> None:
    async with accounts_in(tmp_path, failures_per_minute=3) as accounts:
        for _ in range(3):
            assert (await accounts.service.http.get("/sign-in/return?code=a&state=b")).status_code == 403
        assert (await accounts.service.http.get("/sign-in/return?code=a&state=b")).status_code == 429


# The session


async def test_signing_out_ends_the_session(accounts: Accounts) -> None:
    await accounts.sign_in()
    answer = await accounts.service.http.post("/sign-out", headers=OWN_PAGE)
    assert answer.headers["location"] == "/sign-in"
    assert (await accounts.service.get("/tracker")).status_code == 303


async def test_a_session_ends_when_its_time_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with accounts_in(tmp_path, oidc_session_minutes=30) as accounts:
        answer = await accounts.sign_in()
        assert any("Max-Age=1800" in one for one in answer.headers.get_list("set-cookie"))
        cookie = accounts.service.http.cookies[SESSION_COOKIE]
        sessions = accounts.service.reporting.door.sessions
        assert sessions.read(cookie) is not None
        # Signed that long ago, as its signer would have.
        assert sessions.signer is not None
        said = sessions.signer.loads(cookie)
        then = time.time() - 1801
        monkeypatch.setattr("itsdangerous.timed.time.time", lambda: then)
        old = str(sessions.signer.dumps(said))
        monkeypatch.undo()
        assert sessions.read(old) is None
        accounts.service.http.cookies.set(SESSION_COOKIE, old)
        assert (
            await accounts.service.http.get("/v1/tracker", headers={"Cookie": f"{SESSION_COOKIE}={old}"})
        ).status_code == 401


async def test_what_another_version_signed_opens_nothing(accounts: Accounts) -> None:
    signer = accounts.service.reporting.door.require_signer()
    for said in ({}, {"name": "a"}, {"name": "a", "role": "king", "council": None, "workstreams": []}, 7, None, []):
        cookie = {"Cookie": f"{SESSION_COOKIE}={signer.dumps(said)}"}
        assert (await accounts.service.http.get("/v1/tracker", headers=cookie)).status_code == 401


# The sign-in page


async def test_with_accounts_nobody_picks_a_role_not_even_in_a_demonstration(tmp_path: Path) -> None:
    async with accounts_in(tmp_path, demonstration=True) as accounts:
        page = (await accounts.service.get("/sign-in", next="/tracker?basis=actual")).text
        assert 'href="/sign-in/council?next=/tracker%3Fbasis%3Dactual"' in page
        assert "author-ESX" not in page
        key = (await accounts.service.reporting.door._access.all_keys())[0]
        answer = await accounts.service.http.post("/sign-in", data={"as": key.id}, headers=OWN_PAGE)
        assert answer.status_code == 401


async def test_without_accounts_the_page_offers_none(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        assert "council account" not in (await service.get("/sign-in")).text
        for path in ("/sign-in/council", "/sign-in/return?code=a&state=b"):
            assert (await service.get(path)).status_code == 404


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_client_id": ""},
        {"oidc_grants_file": None},
        {"oidc_issuer": "http://login.example.gov.uk"},
        {"oidc_grants_file": Path("deploy/partnerships/se7.toml")},
    ],
)
async def test_settings_that_do_not_fit_together_stop_the_start(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidSignIn):
        async with accounts_in(tmp_path, **settings):
            pass
