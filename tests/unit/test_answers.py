"""What stands around the answers: the shelf, file names, the places a sign-in may lead to, what an address asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting import store
from services.reporting.answers import Newest, Shelf
from services.reporting.pages.tracker import when_of
from services.reporting.places import values_of
from services.reporting.query import Asked, read_question
from services.reporting.rows import Selection
from services.reporting.signing_in import safe_next
from services.reporting.store import LedgerVersion
from services.reporting.table import Question
from shared.best import BasisChoice, FlowChoice
from shared.clock import end_of_local_day
from shared.figures import Benefit, Recurrence
from shared.principal import Principal, Role
from tests.reporting_figures import EAST_SUSSEX, KENT, SE7


def test_the_shelf_lets_go_of_what_was_used_least_recently() -> None:
    shelf = Shelf(limit_bytes=10)
    shelf.put("a", b"aaaa")
    shelf.put("b", b"bbbb")
    assert shelf.get("a") == b"aaaa"
    shelf.put("c", b"cccc")
    assert (shelf.get("a"), shelf.get("b"), shelf.get("c")) == (b"aaaa", None, b"cccc")


def test_the_shelf_takes_nothing_larger_than_itself_and_counts_nothing_twice() -> None:
    shelf = Shelf(limit_bytes=10)
    shelf.put("a", b"a" * 11)
    assert shelf.get("a") is None
    shelf.put("b", b"bbbb")
    shelf.put("b", b"bbbb")
    assert shelf.held_bytes == 4


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(max_size=12)), max_size=60))
def test_the_shelf_never_holds_more_than_its_limit(puts: list[tuple[str, bytes]]) -> None:
    shelf = Shelf(limit_bytes=20)
    for tag, content in puts:
        shelf.put(tag, content)
        assert 0 <= shelf.held_bytes <= 20


@pytest.mark.parametrize("path", ["/tracker", "/tracker?council=E10000011&as_at=2011-12-07", "/v1/tracker.csv"])
def test_signing_in_leads_on_to_a_path_of_this_site(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "elsewhere",
    [
        None,
        "",
        "tracker",
        "//example.test",
        "/\\example.test",
        "https://example.test/",
        "javascript:alert(1)",
        "/\t/example.test",
        "/tracker\r\nSet-Cookie: a=b",
        "\\\\example.test",
    ],
)
def test_signing_in_leads_nowhere_else(elsewhere: str | None) -> None:
    assert safe_next(elsewhere) == "/tracker"


questions = st.builds(
    Question,
    home=st.sampled_from([None, EAST_SUSSEX, KENT]),
    as_at=st.none() | st.dates(date(1900, 1, 1), date(2199, 12, 31)),
    known_at=st.none()
    | st.dates(date(1900, 1, 2), date(2199, 12, 30)).map(end_of_local_day)
    | st.datetimes(datetime(1900, 1, 2), datetime(2199, 12, 30), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds
    selection=st.builds(
        Selection,
        st.sampled_from(BasisChoice),
        st.none() | st.sampled_from(Benefit),
        st.none() | st.sampled_from(Recurrence),
        st.sampled_from(FlowChoice),
    ),
)


@given(questions)
def test_a_question_written_as_an_address_is_read_back_as_it_was(question: Question) -> None:
    values = values_of(question)
    office = Principal("office", Role.OFFICE)
    assert read_question(Asked(values.items(), values), office, SE7) == question


def test_the_page_says_by_which_clocks_it_stands() -> None:
    assert when_of(Question()) == ""
    assert when_of(Question(as_at=date(2011, 12, 7))) == "as at 7 December 2011"
    assert when_of(Question(known_at=end_of_local_day(date(2012, 6, 26)))) == "as known at the end of 26 June 2012"
    moment = datetime(2012, 6, 26, 16, 30, tzinfo=UTC)
    assert when_of(Question(known_at=moment)) == "as known at 17:30:00 on 26 June 2012"


def a_version(number: int) -> LedgerVersion:
    return LedgerVersion(**dict.fromkeys(LedgerVersion.__dataclass_fields__, 0) | {"epoch": "", "number": number})  # type: ignore[arg-type]


class Counted:
    """Stands in for a database whose queries take until they are let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.committed = 0
        self.queries = 0
        self.begun = asyncio.Event()
        self.let_go = asyncio.Event()
        monkeypatch.setattr(store, "ledger_version", self._ledger_version)

    def commits(self) -> int:
        return self.committed

    @asynccontextmanager
    async def read(self) -> AsyncIterator[None]:
        yield

    async def _ledger_version(self, _connection: object) -> LedgerVersion:
        self.queries += 1
        self.begun.set()
        seen = self.committed
        await self.let_go.wait()
        return a_version(seen)


async def test_the_version_told_is_never_older_than_the_moment_of_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Counted(monkeypatch)
    newest = Newest(database)  # type: ignore[arg-type]
    early = asyncio.create_task(newest.version())
    await database.begun.wait()
    database.committed = 1
    late = [asyncio.create_task(newest.version()) for _ in range(20)]
    await asyncio.sleep(0)
    database.let_go.set()
    assert (await early).number == 0
    assert {(await each).number for each in late} == {1}
    assert database.queries == 2, "those who ask meanwhile share one query"


async def test_the_version_is_read_again_only_where_something_was_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Counted(monkeypatch)
    database.let_go.set()
    newest = Newest(database)  # type: ignore[arg-type]
    assert [(await newest.version()).number for _ in range(3)] == [0, 0, 0]
    assert database.queries == 1
    database.committed = 1
    assert [(await newest.version()).number for _ in range(3)] == [1, 1, 1]
    assert database.queries == 2


async def test_what_is_committed_while_the_version_is_read_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Counted(monkeypatch)
    newest = Newest(database)  # type: ignore[arg-type]
    early = asyncio.create_task(newest.version())
    await database.begun.wait()
    database.committed = 1
    database.let_go.set()
    assert (await early).number == 0
    assert (await newest.version()).number == 1


async def test_where_the_database_cannot_tell_the_version_is_read_every_time(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Counted(monkeypatch)
    monkeypatch.setattr(database, "commits", lambda: None)
    database.let_go.set()
    newest = Newest(database)  # type: ignore[arg-type]
    for _ in range(3):
        await newest.version()
    assert database.queries == 3


async def test_a_reader_who_goes_away_does_not_take_the_answer_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = Counted(monkeypatch)
    newest = Newest(database)  # type: ignore[arg-type]
    leaving, staying = (asyncio.create_task(newest.version()) for _ in range(2))
    await database.begun.wait()
    leaving.cancel()
    database.let_go.set()
    assert (await staying).number == 0
