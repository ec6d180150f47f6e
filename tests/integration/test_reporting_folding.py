"""Posted entries are folded once, in whatever order and however often they come."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.event import listen

import migrations
from services.reporting import store
from services.reporting.rows import Posted
from shared.bus.envelope import Event, to_json, to_message
from shared.database import Database
from shared.events import ENTRIES_TOPIC, TRACKER_SOURCE, EntriesPosted
from shared.figures import PARTNERSHIP, Account, Basis, Figure, Scope, Status
from tests.conftest import UrlOf
from tests.reporting_figures import EAST_SUSSEX
from tests.reporting_service import RECORDED_FROM, Service, Streams, line, message_of, served

DAYS = [date(2011, 12, 1) + timedelta(days=day) for day in range(6)]


async def version(service: Service) -> int:
    async with service.reporting.database.read() as connection:
        return (await store.ledger_version(connection)).number


async def parked(service: Service) -> list[str]:
    async with service.reporting.database.read() as connection:
        return list((await connection.execute(select(store.consumed.parked.c.reason))).scalars())


async def standing(
    service: Service, as_at: date | None = None, known_at: datetime | None = None
) -> dict[Account, Posted]:
    async with service.reporting.database.read() as connection:
        found = await store.standing(connection, as_at, known_at)
    assert len({each.account for each in found}) == len(found)
    return {each.account: each for each in found}


async def test_the_same_events_again_change_nothing(tmp_path: Path, database_url: UrlOf) -> None:
    async with served(tmp_path, database_url_reporting=database_url("reporting")) as service:
        january = Streams().january_2012()
        await service.send(*january)
        once, at = await standing(service), await version(service)
        await service.send(*january)
        await service.send(*january[:3], *january[:3])
        assert await standing(service) == once
        assert await version(service) == at == len(january)
        assert await parked(service) == []


async def test_an_event_twice_in_one_batch_counts_once(tmp_path: Path) -> None:
    async with served(tmp_path) as service:
        posted = Streams().posting("ict", line("2011/12", "£1m"))
        await service.send(posted, posted)
        assert await version(service) == 1


async def test_after_a_restart_it_carries_on_where_it_stood(tmp_path: Path) -> None:
    streams = Streams()
    async with served(tmp_path) as service:
        await service.send(streams.posting("ict", line("2011/12", "£1m")))
    async with served(tmp_path) as service:
        await service.send(streams.posting("ict", line("2011/12", "£2m")))
        assert await version(service) == 2


@pytest.mark.parametrize("arrival", ["in order", "reversed", "all at once, reversed"])
async def test_the_latest_as_at_date_stands_and_on_one_date_the_last_recorded(
    tmp_path: Path, database_url: UrlOf, arrival: str
) -> None:
    streams = Streams()
    stated = [
        streams.posting("ict", line("2011/12", "£1m"), as_at=DAYS[1]),
        streams.posting("ict", line("2011/12", "£2m"), as_at=DAYS[1]),
        streams.posting("ict", line("2011/12", "£3m"), as_at=DAYS[0]),
    ]
    async with served(tmp_path, database_url_reporting=database_url("reporting")) as service:
        arriving = stated if arrival == "in order" else stated[::-1]
        for batch in [arriving] if arrival.startswith("all") else [[each] for each in arriving]:
            await service.send(*batch)
        (stands,) = (await standing(service)).values()
        assert (stands.figure.amount_pence, stands.entry.submission_id) == (200_000_000, "return-2")


async def test_a_figure_says_by_whom_when_and_why_it_was_stated(tmp_path: Path, database_url: UrlOf) -> None:
    streams = Streams()
    async with served(tmp_path, database_url_reporting=database_url("reporting")) as service:
        await service.send(
            streams.posting(
                "ict",
                line("2011/12", "£1m"),
                line("2012/13", "£1m", reason="Two sites into one."),
                reason="Recounted.",
                by="lead-ict",
            )
        )
        first, second = sorted((await standing(service)).values(), key=lambda each: each.account)
        assert (first.entry.reason, second.entry.reason) == ("Recounted.", "Two sites into one.")
        assert first.entry.stated_by == "lead-ict"
        assert first.entry.recorded_at == RECORDED_FROM + timedelta(minutes=1)


async def test_the_last_update_is_the_narrative_by_both_clocks(tmp_path: Path, database_url: UrlOf) -> None:
    streams = Streams()
    async with served(tmp_path, database_url_reporting=database_url("reporting")) as service:
        await service.send(
            streams.posting("ict", as_at=DAYS[0], update="First."),
            streams.posting("ict", as_at=DAYS[2], update="Third."),
            streams.posting("ict", as_at=DAYS[1], update="Second, late."),
            streams.posting("ict", line("2011/12", "£1m"), as_at=DAYS[3]),
            streams.posting("ict", as_at=DAYS[0], update="Ours.", scope=EAST_SUSSEX),
        )

        async def told(**clocks: object) -> list[str]:
            async with service.reporting.database.read() as connection:
                return [each.text for each in await store.latest_updates(connection, [PARTNERSHIP], **clocks)]  # type: ignore[arg-type]

        assert await told() == ["Third."]
        assert await told(as_at=DAYS[1]) == ["Second, late."]
        assert await told(as_at=DAYS[1], known_at=RECORDED_FROM + timedelta(minutes=2)) == ["First."]
        assert await told(known_at=RECORDED_FROM) == []


async def test_the_same_event_with_other_content_is_set_aside_as_a_conflict(
    tmp_path: Path, database_url: UrlOf
) -> None:
    streams = Streams()
    async with served(tmp_path, database_url_reporting=database_url("reporting")) as service:
        first = streams.posting("ict", line("2011/12", "£1m"))
        await service.send(first)
        await service.send(first.model_copy(update={"reason": "Another."}))
        assert await version(service) == 1
        assert ["conflict" in reason for reason in await parked(service)] == [True]


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda event: Event(**{**event, "data": b"{}"}), "Field required"),
        (
            lambda event: Event(**{**event, "type": "uk.savings.other.v1"}),
            "uk.savings.other.v1 is no event of this topic",
        ),
        (
            lambda event: Event(**{**event, "data": event["data"].replace(b'"se7"', b'"other"')}),
            "posted for the partnership other",
        ),
    ],
    ids=["not the contract", "another type", "another partnership"],
)
async def test_what_can_never_be_folded_is_set_aside_and_what_came_with_it_is_folded(
    tmp_path: Path, spoil: object, reason: str
) -> None:
    streams = Streams()
    good = [streams.posting("ict", line("2011/12", "£1m")), streams.posting("ict", line("2012/13", "£2m"))]
    bad = streams.posting("ict", line("2013/14", "£4m"))
    event = {
        "id": bad.submission_id,
        "source": TRACKER_SOURCE,
        "type": "uk.savings.entries.posted.v1",
        "key": str(bad.stream),
        "time": bad.recorded_at,
        "data": to_json(bad),
    }
    async with served(tmp_path) as service:
        await service.send_messages(
            [message_of(good[0]), to_message(ENTRIES_TOPIC, spoil(event)), message_of(good[1])]  # type: ignore[operator]
        )
        assert await version(service) == 2
        assert sum(each.figure.counted_pence for each in (await standing(service)).values()) == 300_000_000
        assert [reason in told for told in await parked(service)] == [True]


# Anything may be stated, in any order, and arrive in any other.

stated = st.lists(
    st.tuples(
        st.sampled_from(["ict", "sen"]),
        st.sampled_from([PARTNERSHIP, EAST_SUSSEX]),
        st.sampled_from(DAYS),
        st.lists(
            st.tuples(
                st.sampled_from(["2011/12", "2012/13"]),
                st.sampled_from(list(Basis)),
                st.integers(-5, 5).map(lambda pounds: f"{pounds}.00") | st.just(Status.TO_BE_CONFIRMED),
            ),
            min_size=1,
            max_size=4,
            unique_by=lambda entry: entry[:2],
        ),
    ),
    min_size=1,
    max_size=14,
)


def returns_of(drawn: list[tuple[str, Scope, date, list[tuple[str, Basis, str | Status]]]]) -> list[EntriesPosted]:
    streams = Streams()
    return [
        streams.posting(
            workstream, *(line(year, amount, basis=basis) for year, basis, amount in lines), scope=scope, as_at=as_at
        )
        for workstream, scope, as_at, lines in drawn
    ]


def by_hand(
    returns: list[EntriesPosted], as_at: date | None, known_at: datetime | None
) -> dict[Account, tuple[Figure, str]]:
    """Of each account the figure of the return ranked highest, among those that both clocks admit."""
    found: dict[Account, tuple[Figure, str]] = {}
    for each in sorted(returns, key=lambda each: (each.as_at, each.version)):
        if (as_at is None or each.as_at <= as_at) and (known_at is None or each.recorded_at <= known_at):
            for entry in each.entries:
                found[entry.account_in(each.stream)] = (entry.figure, each.submission_id)
    return found


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with empty databases, to be copied: migrating them for every example would take most of the time."""
    folder = tmp_path_factory.mktemp("migrated")

    async def migrate() -> None:
        async with served(folder):
            pass

    asyncio.run(migrate())
    return folder


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stated, st.randoms(use_true_random=False), st.sampled_from([None, *DAYS]), st.none() | st.integers(0, 15))
def test_whatever_order_it_arrives_in_the_figures_that_stand_are_those_found_by_hand(
    migrated: Path,
    tmp_path: Path,
    drawn: list[tuple[str, Scope, date, list[tuple[str, Basis, str | Status]]]],
    chance: random.Random,
    as_at: date | None,
    known_after_minutes: int | None,
) -> None:
    returns = returns_of(drawn)
    known_at = None if known_after_minutes is None else RECORDED_FROM + timedelta(minutes=known_after_minutes)
    arriving = [*returns, *chance.sample(returns, len(returns) // 2)]
    chance.shuffle(arriving)
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    shutil.copytree(migrated, folder, dirs_exist_ok=True)

    async def scenario() -> None:
        async with served(folder) as service:
            while arriving:
                batch = [arriving.pop() for _ in range(min(len(arriving), chance.randint(1, 6)))]
                await service.send(*batch)
            for clocks in ((None, None), (as_at, None), (None, known_at), (as_at, known_at)):
                found = {
                    account: (each.figure, each.entry.submission_id)
                    for account, each in (await standing(service, *clocks)).items()
                }
                assert found == by_hand(returns, *clocks)
            assert await version(service) == len(returns)
            async with service.reporting.database.read() as connection:
                kept = (await connection.execute(select(func.count()).select_from(store.entries))).scalar_one()
            assert kept == sum(len(each.entries) for each in returns)
            assert await parked(service) == []

    asyncio.run(scenario())


async def test_a_database_made_anew_has_an_epoch_of_its_own(tmp_path: Path) -> None:
    epochs = set()
    for name in ("one", "two"):
        database = Database(f"sqlite+aiosqlite:///{tmp_path}/{name}.db")
        await migrations.upgrade("reporting", database)
        async with database.read() as connection:
            epochs.add((await store.ledger_version(connection)).epoch)
        await database.close()
    assert len(epochs) == 2


@pytest.mark.parametrize("clocks", [(None, None), (DAYS[2], None), (None, RECORDED_FROM), (DAYS[2], RECORDED_FROM)])
async def test_no_read_goes_through_the_history(tmp_path: Path, clocks: tuple[date | None, datetime | None]) -> None:
    """The plan of the database: entries and returns are only ever looked up, whatever it knows of their number."""
    statements: list[tuple[str, object]] = []
    async with served(tmp_path) as service:
        await service.send(*Streams().january_2012())
        async with service.reporting.database.read() as connection:

            def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
                statements.append((statement, parameters))

            listen(connection.sync_connection, "before_cursor_execute", note)
            await store.standing(connection, *clocks)
            await store.latest_updates(connection, [PARTNERSHIP], *clocks)
            plans = [
                str(row.detail)
                for statement, parameters in list(statements)
                for row in await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
            ]
    assert len(statements) >= 2
    assert sorted({plan for plan in plans if plan.startswith("SCAN")}) == ["SCAN accounts", "SCAN streams"]
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
