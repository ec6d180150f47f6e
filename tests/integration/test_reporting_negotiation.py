"""Which form of the table an address answers in, what there is where it answers none, and what the CSV means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from csvw import CSVW
from starlette.datastructures import MutableHeaders

from tests.listening import listening
from tests.reporting_figures import EAST_SUSSEX, KENT
from tests.reporting_service import Service, Streams, served

JSON = "application/json"
CSV = "text/csv; charset=utf-8; header=present"
SIDECAR = "/v1/tracker.csv-metadata.json"


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path) as running:
        await running.send(*Streams().january_2012())
        yield running


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("application/*", JSON),
        ("application/json; charset=utf-8", JSON),
        ("text/csv; header=absent", CSV),
        ("text/csv;q=0.9, application/json;q=0.1", CSV),
        ("image/png, */*;q=0.1", JSON),
    ],
)
async def test_the_table_comes_in_a_form_that_is_taken(service: Service, accept: str, media_type: str) -> None:
    answer = await service.get("/v1/tracker", "office", headers=[("Accept", accept)])
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)


@pytest.mark.parametrize("accept", ["image/png", "text/html", "application/json;q=0", "nonsense"])
async def test_who_takes_none_of_the_forms_is_told_which_there_are(service: Service, accept: str) -> None:
    answer = await service.get("/v1/tracker", "office", headers=[("Accept", accept)])
    assert (answer.status_code, answer.headers["content-type"]) == (406, "application/problem+json")
    (fault,) = answer.json()["errors"]
    assert fault["given"] == accept
    for media_type in fault["allowed"]:
        taken = await service.get("/v1/tracker", "office", headers=[("Accept", media_type)])
        assert taken.headers["content-type"].startswith(media_type)
    assert {JSON, "text/csv", "application/pdf"} <= set(fault["allowed"])


@pytest.mark.parametrize("suffix", ["xyz", "doc", "csv.gz", "JSON"])
async def test_an_address_that_ends_in_no_form_lists_those_there_are(service: Service, suffix: str) -> None:
    answer = await service.get(f"/v1/tracker.{suffix}", "office")
    assert (answer.status_code, answer.json()["type"]) == (404, "not-found")
    (fault,) = answer.json()["errors"]
    assert fault["given"] == f"/v1/tracker.{suffix}"
    assert len(fault["allowed"]) == 7
    for address in fault["allowed"]:
        there = await service.get(address, "office")
        assert there.status_code in (200, 503), address
        assert "xyz" not in there.headers["content-type"]


async def test_an_address_that_ends_in_no_form_tells_nobody_without_a_key(service: Service) -> None:
    assert (await service.get("/v1/tracker.xyz")).status_code == 401


@pytest.mark.parametrize("path", ["/v1/tracker", "/v1/tracker.csv", "/v1/tracker.docx", SIDECAR])
async def test_what_would_come_can_be_asked_without_having_it_sent(service: Service, path: str) -> None:
    async with listening(service.app) as url, httpx.AsyncClient(headers=service.credential("office")) as http:
        asked, whole = await http.head(url + path), await http.get(url + path)
    told = ("etag", "content-type", "content-length")
    assert [asked.headers[name] for name in told] == [whole.headers[name] for name in told]
    assert asked.content == b""


@pytest.mark.parametrize("query", ["", f"?council={EAST_SUSSEX}&basis=estimate", "?council=none&as_at=2011-12-07"])
async def test_another_reader_finds_what_the_csv_means_and_that_it_is_so(service: Service, query: str) -> None:
    """csvw is given the address of the CSV alone: it follows the link, as the W3C says, and checks every row."""
    async with listening(_signed_in(service, "author-ESX")) as url:
        described = await asyncio.to_thread(CSVW, f"{url}/v1/tracker.csv{query}", None, True)
        assert not described.no_metadata
        assert await asyncio.to_thread(lambda: described.is_valid), described.warnings
        rows = await asyncio.to_thread(lambda: list(described.tables[0]))
    (highways,) = [
        row for row in rows if (row["workstream"], row["year"], row["scope"]) == ("Highways", "2012/13", "partnership")
    ]
    assert (highways["in_year"], highways["cumulative"]) == (Decimal(6_000_000), Decimal(6_250_000))


async def test_the_sidecar_lies_where_it_is_looked_for_and_names_the_very_csv(service: Service) -> None:
    csv = await service.get("/v1/tracker.csv", "author-ESX", council=EAST_SUSSEX)
    link = f"tracker.csv-metadata.json?council={EAST_SUSSEX}"
    assert csv.headers["link"] == f'<{link}>; rel="describedby"; type="application/csvm+json"'
    sidecar = await service.get(f"/v1/{link}", "author-ESX")
    assert sidecar.headers["content-type"] == "application/csvm+json"
    assert sidecar.json()["url"] == f"tracker.csv?council={EAST_SUSSEX}"
    again = await service.get(f"/v1/{link}", "author-ESX", headers=[("If-None-Match", sidecar.headers["etag"])])
    assert again.status_code == 304


async def test_the_sidecar_of_one_address_is_not_given_for_another(service: Service) -> None:
    one = await service.get(SIDECAR, "author-ESX")
    other = await service.get(SIDECAR, "author-ESX", council=EAST_SUSSEX)
    assert one.json()["url"] == "tracker.csv"
    assert other.json()["url"] == f"tracker.csv?council={EAST_SUSSEX}"
    assert one.headers["etag"] != other.headers["etag"]


async def test_a_hostile_query_writes_into_no_header(service: Service) -> None:
    answer = await service.get("/v1/tracker.csv", "office", known_at="2012-01-26\r\nSet-Cookie: a=b")
    assert answer.status_code == 422
    answer = await service.get("/v1/tracker.csv", "office", as_at=" 2011-12-07 ", layout="tidy")
    assert answer.headers["link"].count(";") == 2


async def test_the_printed_layout_has_no_sidecar_and_says_so(service: Service) -> None:
    printed = await service.get("/v1/tracker.csv", "office", layout="printed")
    assert "link" not in printed.headers
    refused = await service.get(SIDECAR, "office", layout="printed")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "not-described")


async def test_a_sidecar_shows_no_more_than_the_csv(service: Service) -> None:
    assert (await service.get(SIDECAR, "author-ESX", council=KENT)).status_code == 403
    assert (await service.get(SIDECAR)).status_code == 401


def _signed_in(service: Service, name: str) -> Any:
    """The application with a key on each request: the reader of CSV cannot send one."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            MutableHeaders(scope=scope)["Authorization"] = service.credential(name)["Authorization"]
        await service.app(scope, receive, send)

    return app
