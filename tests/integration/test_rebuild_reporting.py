"""The read model is folded again from the topic alone, beside the live one; what stands in no topic is carried over."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from savings.places import InUse
from savings.rebuilding import Rebuilder
from services.reporting import store
from services.reporting.rebuilding import STATED_HERE
from shared import comparing, consuming
from shared.bus.port import Message
from shared.events import ENTRIES_TOPIC, EntriesPosted
from shared.figures import Basis
from tests.conftest import UrlOf
from tests.rebuilding import Stopped, everything_in, everything_rebuilt, exchange, prove, stopping_after
from tests.reporting_service import Service, Streams, line, message_of, served
from tests.settings import settings_in

DAYS = [date(2011, 12, 1) + timedelta(days=day) for day in range(9)]
SCOPES = ("partnership", "E10000011", "E10000016")
#: In CI more.
SEEDS = int(os.environ.get("SAVINGS_REBUILD_HISTORIES", "1"))
PARTITIONS = 3
EDITION = {"title": "Cabinet, 26 January 2012", "meeting_date": "2012-01-26"}
ROUND = {"name": "December 2011", "opens": "2011-12-01", "due": "2011-12-20", "closes": "2012-01-10"}


def a_history(streams: Streams, seed: int, returns: int = 40) -> list[Message]:
    """Returns late, corrected and in any order, some twice, some with other content under their id, some no event."""
    chance = random.Random(seed)
    posted: list[EntriesPosted] = []
    for _ in range(returns):
        years = chance.sample(("2011/12", "2012/13", "2013/14"), chance.randint(0, 3))
        posted.append(
            streams.posting(
                chance.choice(("ict", "sen")),
                *(line(year, f"{chance.randrange(1, 10**6)}.00", basis=chance.choice(list(Basis))) for year in years),
                scope=chance.choice(SCOPES),
                as_at=chance.choice(DAYS),
                update=chance.choice([None, "On course."]),
            )
        )
    messages = [message_of(each) for each in posted]
    messages += [message_of(each) for each in chance.sample(posted, 5)]
    messages += [message_of(each.model_copy(update={"reason": "another"})) for each in chance.sample(posted, 3)]
    messages += [Message(ENTRIES_TOPIC, "ict/partnership", b"\xff no event")]
    chance.shuffle(messages)
    return messages


@pytest.fixture
def streams() -> Streams:
    return Streams()


@pytest.fixture
def urls(database_url: UrlOf) -> Mapping[str, SecretStr]:
    return {"database_url_reporting": SecretStr(database_url("reporting"))}


@pytest.fixture
def rebuilder(urls: Mapping[str, SecretStr], tmp_path: Path) -> Rebuilder:
    return Rebuilder(settings_in(tmp_path, embedded_partitions=PARTITIONS, **urls), "reporting")


@pytest.fixture
async def service(urls: Mapping[str, SecretStr], tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path, **urls) as running:
        yield running


@pytest.fixture
async def published(service: Service, streams: Streams) -> Service:
    """January 2012 folded, an edition published of it, a round made, and something stated since."""
    await service.send(*streams.january_2012())
    await state(service, "/v1/rounds", ROUND)
    await state(service, "/v1/editions", EDITION)
    await service.send_messages(a_history(streams, seed=2, returns=10))
    return service


async def state(service: Service, path: str, document: Any) -> None:
    answer = await service.post(path, "office", document)
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_any_history_is_folded_again_to_the_same_figures(
    service: Service, streams: Streams, rebuilder: Rebuilder, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Page by page, as it is where there are millions.
    monkeypatch.setattr(comparing, "ROWS_AT_ONCE", 7)
    await service.send_messages(a_history(streams, seed))
    before = await everything_in(service.reporting.database, store.metadata)
    assert len(before["parked"]) >= 2
    verdict = await prove(rebuilder)
    assert verdict.difference is None
    assert verdict.rows >= sum(len(before[name]) for name in ("entries", "accounts", "returns", "streams", "effects"))
    assert await everything_in(service.reporting.database, store.metadata) == before


async def test_editions_and_rounds_are_in_no_topic_and_are_carried_over(
    published: Service, rebuilder: Rebuilder
) -> None:
    assert (await prove(rebuilder)).difference is None
    await state(published, "/v1/editions", EDITION | {"title": "Full Council", "meeting_date": "2012-02-10"})
    assert (await prove(rebuilder)).difference is None
    kept = await everything_in(published.reporting.database, store.metadata)
    again = await everything_rebuilt(rebuilder, store.metadata)
    for table in STATED_HERE:
        assert kept[table.name]
        assert again[table.name] == kept[table.name]


#: What may be altered, and how it is named; in the reverse of the order in which it is looked at.
ALTERATIONS = [
    ("DELETE FROM effects WHERE event_id = 'return-1'", "the effect of /savings/tracker return-1"),
    ("DELETE FROM parked WHERE id = (SELECT min(id) FROM parked)", "the parked event savings.entries.v1"),
    ("UPDATE ledger SET version = version + 1", "the number of returns folded, its version"),
    ("UPDATE returns SET written_update = 'All is well.' WHERE submission_id = 'return-1'", "its written update"),
    ("UPDATE entries SET hash = 'none' WHERE {the_last_entry}", "its hash"),
    ("UPDATE entries SET amount_pence = 1 WHERE {the_last_entry}", "its amount pence"),
    (
        "UPDATE entries SET recorded_at = (SELECT min(recorded_at) FROM returns) WHERE {the_last_entry}",
        "its recorded at",
    ),
    ("UPDATE accounts SET version = 99 WHERE id = (SELECT max(id) FROM accounts)", "its version"),
]
THE_LAST_ENTRY = "account_id = (SELECT max(account_id) FROM entries) AND " + (
    "version = (SELECT max(version) FROM entries e WHERE e.account_id = (SELECT max(account_id) FROM entries))"
)


async def test_what_was_altered_in_the_live_read_model_is_named(published: Service, rebuilder: Rebuilder) -> None:
    for change, named in ALTERATIONS:
        async with published.reporting.database.write() as connection:
            done = await connection.execute(text(change.format(the_last_entry=THE_LAST_ENTRY)))
            assert done.rowcount == 1
        verdict = await prove(rebuilder)
        assert verdict.difference is not None
        assert named in str(verdict.difference)


async def test_stopped_half_way_it_goes_on_from_there(
    published: Service, rebuilder: Rebuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "BATCH", 7)
    with pytest.raises(Stopped):
        await prove(rebuilder, replaying=stopping_after(14))
    begun: list[int] = []
    verdict = await prove(rebuilder, replaying=lambda done, _: begun.append(done))
    assert begun[0] >= 14
    assert verdict.difference is None


async def test_put_in_place_the_table_and_its_editions_are_answered_from_it(
    urls: Mapping[str, SecretStr], tmp_path: Path, rebuilder: Rebuilder, streams: Streams
) -> None:
    async with served(tmp_path, **urls) as service:
        await service.send(*streams.january_2012())
        await state(service, "/v1/editions", EDITION)
        with pytest.raises(InUse):
            await exchange(rebuilder)
        before = await service.get("/v1/tracker", "auditor", council="none")
        async with service.reporting.database.write() as connection:
            await connection.execute(text("UPDATE entries SET amount_pence = 1"))
        assert (await service.get("/v1/editions/1/proof", "auditor")).json()["holds"] is False
    verdict, aside = await exchange(rebuilder)
    assert "its amount pence" in str(verdict.difference)
    assert aside is not None
    async with served(tmp_path, **urls) as service:
        after = await service.get("/v1/tracker", "auditor", council="none")
        assert after.content == before.content
        # A copy kept from before the change is never taken for the newest.
        assert after.headers["ETag"] != before.headers["ETag"]
        assert (await service.get("/v1/editions/1/proof", "auditor")).json()["holds"] is True
        await service.send(streams.posting("ict", line("2012/13", "£5m"), as_at=date(2012, 1, 10)))
        await state(service, "/v1/editions", EDITION | {"title": "Full Council"})
