"""The entries behind a ledger: back to the return that stated them, page by page, as at any day and moment."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import date, timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from services.tracker import reading
from services.tracker.reading import When
from shared.clock import moment_text
from shared.events import LineAccepted, ReturnAccepted
from shared.figures import Account, Basis, Benefit, Figure, Flow, Recurrence, Status
from tests.builders import AUTHOR_KEN, EAST_SUSSEX, FINANCE_ESX, KENT, OFFICE
from tests.tracker_deployment import DAY, TrackerDeployment, as_message, deployed_tracker, line


async def test_an_entry_leads_back_to_the_return_that_stated_it(tracker: TrackerDeployment) -> None:
    accepted = await tracker.posts(line(300, note="two sites into one", cell="D7", initiative="Data Centres"))
    [entry] = await tracker.entries(AUTHOR_KEN)
    assert entry.pop("hash") != entry.pop("previous_hash")
    assert entry == {
        "number": 1,
        "account": {
            "scope": "partnership",
            "workstream": "ict",
            "initiative": "Data Centres",
            "year": "2011/12",
            "basis": "estimate",
            "benefit": "cash_releasing",
            "recurrence": "recurring",
            "flow": "saving",
        },
        "status": "quantified",
        "amount": "300.00",
        "movement": "300.00",
        "balance": "300.00",
        "confidence": "indicative",
        "as_at": "2011-12-07",
        "recorded_at": "2012-01-26T12:01:00Z",
        "version": 1,
        "submission_id": accepted.submission_id,
        "submission": f"/v1/submissions/{accepted.submission_id}",
        "line": 0,
        "stated_by": {"name": "finance-ESX", "role": "finance", "council": EAST_SUSSEX},
        "source": {"system": "general ledger", "reference": "P08", "file": None, "cell": "D7"},
        "reason": "as found",
        "note": "two sites into one",
    }


async def test_a_line_s_own_reason_comes_before_the_return_s(tracker: TrackerDeployment) -> None:
    await tracker.posts(line(300, reason="the survey"), line(200, "2012/13"))
    assert [entry["reason"] for entry in await tracker.entries(OFFICE)] == ["the survey", "as found"]


async def test_entries_stand_account_by_account_and_a_late_one_moves_nothing(tracker: TrackerDeployment) -> None:
    await tracker.posts(line(300), line(100, "2012/13"))
    await tracker.posts(line(250), as_at=DAY - timedelta(days=1))
    await tracker.posts(line(200), as_at=DAY + timedelta(days=1))
    told = [
        (entry["account"]["year"], entry["number"], entry["movement"], entry["balance"])
        for entry in await tracker.entries(OFFICE)
    ]
    assert told == [
        ("2011/12", 1, "300.00", "300.00"),
        ("2011/12", 3, "0.00", "300.00"),
        ("2011/12", 4, "-100.00", "200.00"),
        ("2012/13", 2, "100.00", "100.00"),
    ]


async def test_a_ledger_s_entries_are_its_own(tracker: TrackerDeployment) -> None:
    await tracker.posts(line(1))
    await tracker.posts(line(2), scope=EAST_SUSSEX)
    await tracker.posts(line(3), scope=KENT)
    assert [entry["amount"] for entry in await tracker.entries(OFFICE)] == ["1.00"]
    assert [entry["amount"] for entry in await tracker.entries(FINANCE_ESX, EAST_SUSSEX)] == ["2.00"]


async def test_each_dimension_of_an_account_can_be_asked_for(tracker: TrackerDeployment) -> None:
    await tracker.posts(
        line(1),
        line(2, "2012/13"),
        line(3, initiative="Data Centres"),
        line(4, basis=Basis.FORECAST),
        line(5, benefit=Benefit.AVOIDED_COST),
        line(6, recurrence=Recurrence.ONE_OFF),
        line(7, flow=Flow.COST),
    )
    await tracker.posts(line(8), workstream="sen")
    for asked, amounts in (
        ({"year": "2012/13"}, ["2.00"]),
        ({"initiative": "Data Centres"}, ["3.00"]),
        ({"initiative": "", "workstream": "sen"}, ["8.00"]),
        ({"basis": "forecast"}, ["4.00"]),
        ({"benefit": "avoided_cost"}, ["5.00"]),
        ({"recurrence": "one_off"}, ["6.00"]),
        ({"flow": "cost"}, ["7.00"]),
        ({"workstream": "sen"}, ["8.00"]),
        ({"initiative": "", "flow": "saving", "workstream": "ict"}, ["1.00", "2.00", "4.00", "5.00", "6.00"]),
    ):
        assert [entry["amount"] for entry in await tracker.entries(OFFICE, **asked)] == amounts, asked


async def test_pages_neither_repeat_nor_skip_while_entries_are_added(tracker: TrackerDeployment) -> None:
    """One account has more entries than a page, others fewer; returns come in between two pages."""
    sender = tracker.sender
    await tracker.receives(*(as_message(sender.accepts(line(n))) for n in range(1, 8)))
    await tracker.receives(*(as_message(sender.accepts(line(n, "2012/13"), line(n, "2013/14"))) for n in (1, 2)))
    there_before = {entry["hash"] for entry in await tracker.entries(OFFICE)}
    assert len(there_before) == 11
    for limit in (1, 2, 3, 5, 500):
        seen: list[str] = []
        following: str | None = f"/v1/ledgers/cumulative/entries?limit={limit}"
        added = 0
        while following is not None:
            page = (await tracker.http.get(following, headers=tracker.credential(OFFICE))).json()
            assert len(page["entries"]) == limit or page["next"] is None
            seen.extend(entry["hash"] for entry in page["entries"])
            following = page["next"]
            if (added := added + 1) < 5:
                await tracker.posts(line(999), line(999, "2014/15"), as_at=DAY - timedelta(days=9))
        assert len(seen) == len(set(seen)), limit
        assert there_before <= set(seen), limit


async def test_the_next_page_keeps_to_what_was_asked(tracker: TrackerDeployment) -> None:
    for pounds in (1, 2, 3):
        await tracker.posts(line(pounds), line(pounds, "2012/13"))
    found = await tracker.entries(OFFICE, limit="2", year="2012/13", as_at=DAY.isoformat())
    assert [entry["amount"] for entry in found] == ["1.00", "2.00", "3.00"]


async def test_a_page_reads_no_more_entries_than_it_gives(tmp_path: Path) -> None:
    """SQLite's own plan: each look into the entries goes through an index, and none is sorted unless they are few."""
    async with deployed_tracker(lambda name: f"sqlite+aiosqlite:///{tmp_path}/{name}.db", tmp_path) as tracker:
        await tracker.posts(*(line(1, year) for year in ("2011/12", "2012/13")))
        async with tracker.tracker.database.read() as connection:
            for ids, may_be_sorted in (([1], False), ([1, 2], True)):
                query = reading._entries_on(ids, When(), reading.Place(0, 0)).limit(2)
                sql = str(query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
                plan = [row.detail for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
                assert any(step.startswith("SEARCH entries USING INDEX entries_by_account") for step in plan), plan
                assert not any(step.startswith("SCAN") for step in plan), plan
                assert any("TEMP B-TREE" in step for step in plan) <= may_be_sorted, plan


figures = st.one_of(
    st.integers(-1_000, 1_000).map(lambda pounds: line(pounds)),
    st.sampled_from([Status.NIL, Status.TO_BE_CONFIRMED]).map(lambda status: line(None, status=status)),
)
returns = st.lists(
    st.tuples(
        st.sampled_from(["ict", "sen"]),
        st.integers(-3, 3),
        st.dictionaries(st.sampled_from(["2011/12", "2012/13"]), figures, min_size=1, max_size=2),
    ),
    min_size=1,
    max_size=10,
)


def stood(posted: list[ReturnAccepted], when: When) -> dict[Account, Figure]:
    """What stood, by looking at every line of every return."""
    ranked: dict[Account, tuple[date, int, Figure]] = {}
    for accepted in posted:
        if when.as_at is not None and accepted.as_at > when.as_at:
            continue
        if when.known_at is not None and accepted.recorded_at > when.known_at:
            continue
        for one in accepted.lines:
            account = one.account_in(accepted.stream)
            if account not in ranked or ranked[account][:2] <= (accepted.as_at, accepted.version):
                ranked[account] = (accepted.as_at, accepted.version, one.figure)
    return {account: figure for account, (_, _, figure) in ranked.items()}


@given(returns)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
def test_at_any_day_and_any_moment_the_ledger_is_what_every_entry_says(
    history: list[tuple[str, int, dict[str, LineAccepted]]],
) -> None:
    async def compare(folder: Path) -> None:
        async with deployed_tracker(lambda name: f"sqlite+aiosqlite:///{folder}/{name}.db", folder) as tracker:
            posted = [
                tracker.sender.accepts(
                    *(one.model_copy(update={"year": year}) for year, one in lines.items()),
                    workstream=workstream,
                    as_at=DAY + timedelta(days=days),
                )
                for workstream, days, lines in history
            ]
            await tracker.receives(*map(as_message, posted))
            moments = [None, *(accepted.recorded_at for accepted in posted)]
            async with tracker.tracker.database.read() as connection:
                for as_at in [None, *(DAY + timedelta(days=days) for days in range(-4, 4))]:
                    for known_at in moments:
                        when = When(as_at, known_at)
                        assert await reading.figures(connection, when) == stood(posted, when), when
            by_hand = {entry["recorded_at"] for entry in await tracker.entries(OFFICE)}
            assert by_hand == {moment_text(one.recorded_at).replace(".000000", "") for one in posted}

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(compare(Path(folder)))
