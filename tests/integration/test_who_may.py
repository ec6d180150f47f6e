"""Every route, by every kind of caller: closed unless it says whom it is open to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from shared.principal import Role
from tests.deployment import Deployment, deployed

#: What answers without a key, and why it may: health and metrics for the machines that watch (no proxy of ours passes
#: them on), what a browser needs to sign in.
PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/sign-in/council"),
    ("GET", "/sign-in/return"),
    ("POST", "/sign-out"),
}

CALLERS = {
    Role.LEAD: "lead-ict",
    Role.FINANCE: "finance-KEN",
    Role.AUTHOR: "author-KEN",
    Role.OFFICE: "office",
    Role.AUDITOR: "auditor",
}


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        yield deployment


def routes_of(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    """Method, path and endpoint of everything that the application answers to."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute):
            for method in sorted(context.methods or ()):
                yield method, str(context.path), context.endpoint


def filled(path: str) -> str:
    """A path with something in place of each parameter."""
    return "/".join("1" if part.startswith("{") else part for part in path.split("/"))


async def test_nothing_but_the_public_routes_answers_without_a_key(deployment: Deployment) -> None:
    found = list(routes_of(deployment.process.app))
    assert len(found) > 20
    open_to_all = set()
    for method, path, _ in found:
        answer = await deployment.http.request(method, filled(path))
        sent_to_sign_in = answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?next=")
        if answer.status_code != 401 and not sent_to_sign_in:
            open_to_all.add((method, path))
    static = {one for one in open_to_all if one[1].startswith("/static/")}
    assert open_to_all - static - {("GET", "/")} == PUBLIC


async def test_a_wrong_key_opens_nothing(deployment: Deployment) -> None:
    for method, path, endpoint in routes_of(deployment.process.app):
        if getattr(endpoint, "permitted_roles", frozenset()) is not None:
            answer = await deployment.http.request(method, filled(path), headers={"Authorization": "Bearer sav_wrong"})
            assert answer.status_code in (401, 303), (method, path)


async def test_each_role_is_refused_where_it_is_not_named(deployment: Deployment) -> None:
    refused = 0
    for method, path, endpoint in routes_of(deployment.process.app):
        roles = getattr(endpoint, "permitted_roles", frozenset())
        for role, name in CALLERS.items():
            if roles is not None and role not in roles:
                answer = await deployment.http.request(method, filled(path), headers=deployment.credential(name))
                assert answer.status_code == 403, (method, path, role, answer.text)
                refused += 1
    assert refused > 10


@pytest.mark.parametrize("name", ["lead-ict", "finance-KEN", "author-KEN"])
@pytest.mark.parametrize(
    "path",
    [
        "/v1/ledgers/councils/E10000011",
        "/v1/ledgers/councils/E10000011/entries",
        "/v1/tracker?council=E10000011",
        "/v1/tracker.csv?council=E10000011",
        "/v1/submissions?scope=E10000011",
        "/v1/checks",
    ],
)
async def test_nobody_sees_another_councils_share(deployment: Deployment, name: str, path: str) -> None:
    answer = await deployment.http.get(path, headers=deployment.credential(name))
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["fix"]
