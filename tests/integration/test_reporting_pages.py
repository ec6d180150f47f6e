"""The pages without a browser: the table as printed, signing in and out, and what a reader sees when it goes wrong."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from shared.sessions import SESSION_COOKIE
from tests.reporting_figures import EAST_SUSSEX, KENT, PRINTED
from tests.reporting_service import Service, Streams, line, served

OWN_PAGE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path) as running:
        yield running


async def sign_in(service: Service, **form: str) -> httpx.Response:
    return await service.http.post("/sign-in", data=form, headers=OWN_PAGE)


class Rows(HTMLParser):
    """The text of the cells of the first table, row by row; a cell that spans rows stands in each of them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._spanning: list[tuple[int, str]] = []
        self._span = 1
        self._in_cell = False
        self._tables = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self._tables += tag == "table"
        if self._tables != 1:
            return
        if tag == "tr":
            self.rows.append([text for left, text in self._spanning if left > 0])
            self._spanning = [(left - 1, text) for left, text in self._spanning]
        if tag in ("td", "th"):
            self._in_cell = True
            self._span = int(dict(attributes).get("rowspan") or 1)
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if self._tables == 1 and tag in ("td", "th"):
            self._in_cell = False
            if self._span > 1:
                self._spanning = [(self._span - 1, self.rows[-1][-1])]

    def handle_data(self, data: str) -> None:
        if self._tables == 1 and self._in_cell:
            self.rows[-1][-1] += data


# The table


async def test_the_page_shows_the_reference_table_cell_by_cell(service: Service) -> None:
    await service.send(*Streams().january_2012())
    answer = await service.get("/tracker", "author-ESX")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    reference = list(csv.reader(io.StringIO(PRINTED.decode())))
    rows = Rows(answer.text).rows
    assert rows[0][2:] == ["2011/12", "2012/13", "2013/14", "2014/15", "Total"]
    assert rows[1:] == reference[1:]


async def test_the_page_shows_what_stands_under_the_table(service: Service) -> None:
    await service.send(*Streams().january_2012())
    page = (await service.get("/tracker", "author-ESX")).text
    for told in (
        "Figures in brackets are cumulative",
        "The SE7 total of £83.85m includes £1.6m of avoided costs",
        "<strong>£310m</strong> by 2020",
        "£1.5bn",
        "led by Surrey County Council",
        "Partnership figures are stated for Highways",
        "No SE7 figure yet",
        "the rows add up to £83.85m; the total is £83.85m. They are equal.",
        "/v1/tracker.csv?council=E10000011&amp;layout=printed",
    ):
        assert told in page, told


async def test_a_page_runs_its_own_script_alone_and_fetches_nothing_from_elsewhere(service: Service) -> None:
    answer = await service.get("/tracker", "author-ESX")
    (script,) = re.findall(r"<script[^>]*>[^<]*", answer.text)
    assert re.fullmatch(r'<script src="/static/[0-9a-f]{16}/live\.js" defer>', script)
    assert not re.search(r"\son[a-z]+=", answer.text)
    assert " style=" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert not [part for part in answer.text.split('"') if part.startswith(("http:", "https:", "//"))]


async def test_text_that_others_wrote_is_shown_as_text(service: Service) -> None:
    hostile = "<script>alert('x')</script>"
    await service.send(Streams().posting("ict", line("2011/12", "£1m"), update=hostile, by=hostile))
    page = (await service.get("/tracker", "office")).text
    assert hostile not in page
    assert "&lt;script&gt;" in page


async def test_an_address_cannot_write_into_the_page(service: Service) -> None:
    page = (await service.get("/tracker", "office", as_at='"><script>alert(1)</script>')).text
    assert "<script" not in page


async def test_a_reader_is_offered_only_the_councils_they_may_see(service: Service) -> None:
    own = (await service.get("/tracker", "author-ESX")).text
    assert f'<option value="{EAST_SUSSEX}" selected>' in own
    assert KENT not in own
    assert f'<option value="{KENT}">' in (await service.get("/tracker", "office")).text


async def test_a_page_of_one_reader_is_not_given_to_another(service: Service) -> None:
    one = await service.get("/tracker", "author-ESX")
    other = await service.get("/tracker", "finance-ESX", [("If-None-Match", one.headers["etag"])])
    assert other.status_code == 200
    assert "Signed in as finance-ESX" in other.text


async def test_stylesheets_are_kept_for_a_year_under_an_address_of_their_content(service: Service) -> None:
    page = (await service.get("/sign-in")).text
    paths = [part for part in page.split('"') if part.startswith("/static/")]
    assert [path.rsplit("/", 1)[1] for path in paths] == ["icon.svg", "govuk-frontend.css", "tracker.css"]
    for path in paths:
        answer = await service.get(path)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (await service.get("/static/0123456789abcdef/tracker.css")).status_code == 404
    assert (await service.get("/static/0123456789abcdef/..%2Fmain.py")).status_code == 404


async def test_the_fonts_and_the_crest_of_gov_uk_are_not_used(service: Service) -> None:
    page = (await service.get("/sign-in")).text
    for path in [part for part in page.split('"') if part.startswith("/static/")]:
        text = (await service.get(path)).text
        assert "GDS Transport" not in text
        assert "crest" not in text
        assert "url(" not in text


# Signing in and out


async def test_without_a_session_a_page_leads_to_the_sign_in_page_and_back(service: Service) -> None:
    answer = await service.get("/tracker?council=E10000011&basis=best")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/sign-in?next=%2Ftracker%3Fcouncil%3DE10000011%26basis%3Dbest",
    )
    form = await service.get(answer.headers["location"])
    assert 'name="next" value="/tracker?council=E10000011&amp;basis=best"' in form.text


async def test_the_first_page_is_the_tracker(service: Service) -> None:
    answer = await service.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tracker")


async def test_a_key_that_works_signs_in_and_the_session_opens_pages_and_api(service: Service) -> None:
    answer = await sign_in(service, key=f" {service.keys['author-ESX']} ", next="/tracker?basis=actual")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tracker?basis=actual")
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=lax", "Max-Age=28800", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie
    assert service.keys["author-ESX"] not in cookie
    assert "Signed in as author-ESX" in (await service.get("/tracker")).text
    assert (await service.get("/v1/tracker")).json()["home_council"]["gss"] == EAST_SUSSEX


async def test_over_https_the_session_never_travels_in_the_clear(service: Service) -> None:
    answer = await service.http.post(
        "https://savings.test/sign-in", data={"key": service.keys["office"]}, headers=OWN_PAGE
    )
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_key_that_does_not_work_is_answered_with_the_page_and_what_is_wrong(service: Service) -> None:
    for form in ({"key": "sav_wrong"}, {"key": ""}, {}):
        answer = await sign_in(service, **form, next="/tracker?basis=actual")
        assert answer.status_code == 401
        assert "There is a problem" in answer.text
        assert 'value="/tracker?basis=actual"' in answer.text
        assert "sav_wrong" not in answer.text
        assert "set-cookie" not in answer.headers


async def test_signing_in_leads_to_no_other_site(service: Service) -> None:
    answer = await sign_in(service, key=service.keys["office"], next="//example.test/tracker")
    assert answer.headers["location"] == "/tracker"


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://example.test"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://example.test"},
        {"Origin": "null"},
        {},
    ],
)
async def test_a_form_of_another_site_is_refused(service: Service, path: str, headers: dict[str, str]) -> None:
    answer = await service.http.post(path, data={"key": service.keys["office"]}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_a_browser_that_only_names_its_origin_can_sign_in(service: Service) -> None:
    answer = await service.http.post(
        "/sign-in", data={"key": service.keys["office"]}, headers={"Origin": "http://savings.test"}
    )
    assert answer.status_code == 303


async def test_signing_out_ends_the_session(service: Service) -> None:
    await sign_in(service, key=service.keys["office"])
    answer = await service.http.post("/sign-out", headers=OWN_PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert (await service.get("/tracker")).status_code == 303


async def test_a_revoked_key_ends_its_sessions(service: Service) -> None:
    await sign_in(service, key=service.keys["office"])
    assert (await service.get("/tracker")).status_code == 200
    access = service.reporting.door._access
    (key,) = [each for each in await access.all_keys() if each.principal.name == "office"]
    await access.revoke(key.id)
    assert (await service.get("/tracker")).status_code == 303


async def test_a_cookie_that_was_not_signed_here_opens_nothing(service: Service) -> None:
    service.http.cookies.set(SESSION_COOKIE, "ImFiY2QiLm5vdCBvdXJz.aaaa")
    assert (await service.get("/tracker")).status_code == 303
    assert (await service.get("/v1/tracker")).status_code == 401


async def test_guessing_keys_is_stopped(tmp_path: Path) -> None:
    async with served(tmp_path, failures_per_minute=3) as service:
        for _ in range(3):
            assert (await sign_in(service, key="sav_wrong")).status_code == 401
        answer = await sign_in(service, key=service.keys["office"])
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "60"
        assert answer.headers["content-type"].startswith("text/html")


async def test_opening_pages_before_signing_in_is_not_guessing(tmp_path: Path) -> None:
    async with served(tmp_path, failures_per_minute=2) as service:
        for _ in range(5):
            assert (await service.get("/tracker")).status_code == 303
        assert (await sign_in(service, key=service.keys["office"])).status_code == 303


async def test_in_a_demonstration_anybody_may_pick_a_role(tmp_path: Path) -> None:
    async with served(tmp_path, demonstration=True) as service:
        page = (await service.get("/sign-in")).text
        assert all(f"<strong>{name}</strong>" in page for name in service.keys)
        (role,) = [part for part in page.split("<li>") if "<strong>author-ESX</strong>" in part]
        key_id = role.split('value="')[1].split('"')[0]
        assert (await sign_in(service, **{"as": key_id})).status_code == 303
        assert "Signed in as author-ESX" in (await service.get("/tracker")).text
        assert (await sign_in(service, **{"as": "0" * 16})).status_code == 401


async def test_outside_of_a_demonstration_nobody_picks_a_role(service: Service) -> None:
    access = service.reporting.door._access
    key = (await access.all_keys())[0]
    page = (await service.get("/sign-in")).text
    assert key.principal.name not in page
    assert (await sign_in(service, **{"as": key.id})).status_code == 401


async def test_without_a_session_secret_the_sign_in_page_says_so(tmp_path: Path) -> None:
    async with served(tmp_path, session_secret="") as service:
        answer = await service.get("/sign-in")
        assert answer.status_code == 503
        assert "no session secret has been set" in answer.text


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"key=a", "application/json", 415),
        (b"key=\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"a=1&" * 50, "application/x-www-form-urlencoded", 400),
        (b"key=" + b"a" * 9_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_a_form_that_is_none_is_refused(service: Service, content: bytes, media_type: str, status: int) -> None:
    answer = await service.http.post("/sign-in", content=content, headers={**OWN_PAGE, "Content-Type": media_type})
    assert answer.status_code == status


# When it goes wrong


async def test_a_slip_in_the_form_is_shown_beside_the_form(service: Service) -> None:
    answer = await service.get("/tracker", "author-ESX", as_at="7 December", basis="guess")
    assert answer.status_code == 422
    assert '<a href="#as_at">7 December is not a date.' in answer.text
    assert '<a href="#basis">There is no basis guess.' in answer.text
    assert 'value="7 December"' in answer.text
    assert "<table" not in answer.text


async def test_a_share_that_is_not_theirs_is_refused_on_a_page_in_words(service: Service) -> None:
    answer = await service.get("/tracker", "author-ESX", council=KENT)
    assert answer.status_code == 403
    assert answer.headers["content-type"].startswith("text/html")
    assert "The share of Kent County Council is seen by that council" in answer.text


async def test_a_mistyped_address_is_a_page_in_a_browser_and_a_problem_elsewhere(service: Service) -> None:
    page = await service.get("/trackr", headers=[("Accept", "text/html,*/*;q=0.8")])
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "There is no page at this address" in page.text
    problem = await service.get("/trackr", headers=[("Accept", "application/json")])
    assert (problem.status_code, problem.headers["content-type"]) == (404, "application/problem+json")


async def test_an_empty_read_model_is_a_table_of_dashes(service: Service) -> None:
    rows = Rows((await service.get("/tracker", "office")).text).rows
    assert {cell for row in rows[1:-1] for cell in row[2:]} == {"–"}
