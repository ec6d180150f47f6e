"""The ledgers are built again from the topic alone, beside the live ones: equal, or what differs is named."""

from __future__ import annotations

import json
import os
import random
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from savings.places import InUse
from savings.rebuilding import Rebuilder
from services.tracker import ledger, store
from shared import comparing, consuming
from shared.bus.port import Message
from shared.events import SUBMISSIONS_TOPIC, ReturnAccepted
from shared.figures import PARTNERSHIP, Basis, Status
from shared.replaying import LogIncomplete
from tests.builders import EAST_SUSSEX, KENT, OFFICE
from tests.conftest import UrlOf
from tests.rebuilding import Stopped, everything_in, everything_rebuilt, exchange, prove, stopping_after
from tests.settings import settings_in
from tests.tracker_deployment import DAY, TrackerDeployment, as_message, deployed_tracker, line

YEARS = ("2011/12", "2012/13", "2013/14")
#: In CI more.
SEEDS = int(os.environ.get("SAVINGS_REBUILD_HISTORIES", "1"))
STREAMS = [(workstream, scope) for workstream in ("ict", "sen") for scope in (PARTNERSHIP, EAST_SUSSEX, KENT)]


@pytest.fixture
def rebuilder(database_url: UrlOf, tmp_path: Path) -> Rebuilder:
    urls = {f"database_url_{name}": SecretStr(database_url(name)) for name in ("tracker", "access")}
    return Rebuilder(settings_in(tmp_path, **urls), "tracker")


def a_history(tracker: TrackerDeployment, seed: int, returns: int = 60) -> list[Message]:
    """Returns as they come in the worst of weeks: late, corrected, again, with other content, or not returns at all."""
    chance = random.Random(seed)
    messages: list[Message] = []
    accepted: list[ReturnAccepted] = []
    for _ in range(returns):
        workstream, scope = chance.choice(STREAMS)
        lines = [
            line(
                None if (nil := chance.random() < 0.1) else chance.randrange(1, 10**6),
                year,
                basis=chance.choice(list(Basis)),
                **({"status": Status.NIL} if nil else {}),
            )
            for year in chance.sample(YEARS, chance.randint(0, 3))
        ]
        day = DAY + timedelta(days=chance.randint(-20, 20))
        update = chance.choice([None, "On course."])
        accepted.append(tracker.sender.accepts(*lines, workstream=workstream, scope=scope, as_at=day, update=update))
        messages.append(as_message(accepted[-1]))
        if chance.random() < 0.2:
            messages.append(as_message(chance.choice(accepted)))
        if chance.random() < 0.1:
            one = chance.choice(accepted)
            messages.append(as_message(one.model_copy(update={"lines": (), "reason": "another"})))
        if chance.random() < 0.1:
            messages.append(Message(SUBMISSIONS_TOPIC, f"{workstream}/{scope}", b"\xff no event"))
    return messages


async def heads(tracker: TrackerDeployment) -> dict[str, bytes]:
    async with tracker.tracker.database.read() as connection:
        query = select(store.streams.c.name, store.streams.c.hash)
        return {name: bytes(digest) for name, digest in await connection.execute(query)}


@pytest.fixture
async def busy(tracker: TrackerDeployment) -> TrackerDeployment:
    """A tracker with a history, all of which it has told."""
    history = a_history(tracker, seed=3)
    await tracker.receives(*history[:30])
    await tracker.receives(*history[30:])
    await tracker.told()
    return tracker


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_any_history_is_built_again_to_the_same_ledgers(
    tracker: TrackerDeployment, rebuilder: Rebuilder, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Page by page, as it is where there are millions.
    monkeypatch.setattr(comparing, "ROWS_AT_ONCE", 7)
    await tracker.receives(*a_history(tracker, seed))
    told = await tracker.told()
    before = await everything_in(tracker.tracker.database, store.metadata)
    assert before["parked"]
    verdict = await prove(rebuilder)
    assert verdict.difference is None
    assert verdict.rows > len(before["entries"]) + len(before["postings"]) + len(before["accounts"])
    assert await everything_in(tracker.tracker.database, store.metadata) == before
    assert await tracker.told() == told
    again = await everything_rebuilt(rebuilder, store.metadata)
    assert len(again["entries"]) == len(before["entries"])
    assert again["outbox"] == []


#: What may be altered, and how it is named; in the reverse of the order in which it is looked at.
ALTERATIONS = [
    ("DELETE FROM effects WHERE event_id = :a_return", "the effect of /savings/intake"),
    ("DELETE FROM parked WHERE id = :another_parked", "the parked event savings.submissions.v1"),
    ("UPDATE parked SET value = :rubbish WHERE id = :a_parked", "its value"),
    ("UPDATE streams SET hash = :rubbish WHERE id = :stream", "the head of ict/partnership, its hash"),
    ("UPDATE accounts SET balance_pence = balance_pence + 1 WHERE id = :an_account", "its balance pence"),
    ("UPDATE postings SET reason = 'softened' WHERE submission_id = :a_return", "its reason"),
    ("UPDATE entries SET note = 'softened' WHERE stream_id = :stream AND number = 2", "entry 2, its note"),
    ("UPDATE entries SET movement_pence = 5 WHERE stream_id = :stream AND number = 1", "entry 1, its movement pence"),
    (
        "UPDATE entries SET amount_pence = amount_pence + 1 WHERE stream_id = :stream AND number = 1",
        "entry 1, its amount pence",
    ),
    ("UPDATE streams SET name = 'ict/nobody' WHERE id = :stream", "the stream ict/nobody: there"),
]


async def test_what_was_altered_in_the_live_ledgers_is_named(busy: TrackerDeployment, rebuilder: Rebuilder) -> None:
    streams, postings, accounts, parked = store.streams, store.postings, store.accounts, store.consumed.parked
    place = (parked.c.topic, parked.c.partition, parked.c.offset)
    async with busy.tracker.database.read() as connection:

        async def one(query: Any) -> Any:
            return (await connection.execute(query.limit(1))).scalar_one()

        stream = await one(select(streams.c.id).where(streams.c.name == "ict/partnership"))
        a_return = select(postings.c.submission_id).where(postings.c.stream_id == stream).order_by(postings.c.number)
        words = {
            "stream": stream,
            "a_return": await one(a_return),
            "an_account": await one(select(accounts.c.id).where(accounts.c.stream_id == stream)),
            "a_parked": await one(select(parked.c.id).order_by(*place)),
            "another_parked": await one(select(parked.c.id).order_by(*(column.desc() for column in place))),
            "rubbish": bytes(32),
        }
    for change, named in ALTERATIONS:
        await busy.alter(change, **{name: words[name] for name in re.findall(":([a-z_]+)", change)})
        verdict = await prove(rebuilder)
        assert verdict.difference is not None
        assert named in str(verdict.difference)


async def test_stopped_half_way_it_goes_on_from_there(
    busy: TrackerDeployment, rebuilder: Rebuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "BATCH", 7)
    with pytest.raises(Stopped):
        await prove(rebuilder, replaying=stopping_after(30))
    begun: list[int] = []
    verdict = await prove(rebuilder, replaying=lambda done, _: begun.append(done))
    assert begun[0] >= 28
    assert verdict.difference is None
    begun.clear()
    await prove(rebuilder, fresh=True, replaying=lambda done, _: begun.append(done))
    assert begun[0] == 0


async def test_what_was_rebuilt_goes_on_with_what_has_been_posted_since(
    busy: TrackerDeployment, rebuilder: Rebuilder
) -> None:
    earlier = await prove(rebuilder)
    await busy.receives(*a_history(busy, seed=5, returns=20))
    later = await prove(rebuilder)
    assert later.difference is None
    assert later.events > earlier.events


async def test_what_the_live_tracker_has_not_read_yet_is_no_difference(
    busy: TrackerDeployment, rebuilder: Rebuilder
) -> None:
    await busy.bus.publish([as_message(busy.sender.accepts(line(1)))])
    assert (await prove(rebuilder)).difference is None


async def parked_and_mended(tracker: TrackerDeployment, monkeypatch: pytest.MonkeyPatch) -> ReturnAccepted:
    """The second of three returns of a stream could not be posted, until the fault was mended."""
    first, second, third = (tracker.sender.accepts(line(pounds)) for pounds in (100, 200, 300))
    sound = ledger.why_not_postable
    with monkeypatch.context() as faulty:
        faulty.setattr(
            ledger,
            "why_not_postable",
            lambda accepted, code: "a fault" if accepted == second else sound(accepted, code),
        )
        await tracker.receives(*map(as_message, (first, second, third)))
    assert await tracker.parked() == ["a fault"]
    return second


async def read_again(tracker: TrackerDeployment) -> None:
    """As the operator's guide has it: set the position back, forget the parked event, start the tracker."""
    async with tracker.tracker.database.write() as connection:
        await connection.execute(text('UPDATE positions SET next_offset = (SELECT "offset" FROM parked)'))
        await connection.execute(text("DELETE FROM parked"))
    await tracker.consumer.rewind()
    tracker.tracker.consuming._standing.clear()
    await tracker.consumer.rewind()
    await tracker.receives()


async def test_a_return_that_was_parked_and_read_again_later_has_its_place_in_the_chain(
    tracker: TrackerDeployment, rebuilder: Rebuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = await parked_and_mended(tracker, monkeypatch)
    await read_again(tracker)
    again = as_message(second)
    await tracker.receives(again, as_message(tracker.sender.accepts(line(400))), again)
    async with tracker.tracker.database.read() as connection:
        versions = select(store.postings.c.version).order_by(store.postings.c.number)
        assert list((await connection.execute(versions)).scalars()) == [1, 3, 2, 4]
    monkeypatch.setattr(consuming, "BATCH", 1)
    assert (await prove(rebuilder)).difference is None
    assert (await prove(rebuilder)).difference is None
    with pytest.raises(Stopped):
        await prove(rebuilder, fresh=True, replaying=stopping_after(2))
    with pytest.raises(LogIncomplete, match="begin anew"):
        await prove(rebuilder)


async def test_what_is_parked_in_the_live_tracker_and_could_be_posted_is_named_and_would_be_told(
    tracker: TrackerDeployment, rebuilder: Rebuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = await parked_and_mended(tracker, monkeypatch)
    verdict = await prove(rebuilder)
    assert verdict.difference is not None
    assert "ict/partnership" in str(verdict.difference)
    again = await everything_rebuilt(rebuilder, store.metadata)
    [unsent] = again["outbox"]
    assert ["ce_id", second.submission_id] in json.loads(unsent[3])


async def test_a_log_that_ends_before_the_database_is_older_than_it(
    busy: TrackerDeployment, rebuilder: Rebuilder
) -> None:
    async with busy.bus._database.write() as connection:
        await connection.execute(text('DELETE FROM log WHERE "offset" >= 5'))
    with pytest.raises(LogIncomplete, match="the log is older than the database"):
        await prove(rebuilder)


async def test_a_log_whose_beginning_is_gone_builds_nothing(busy: TrackerDeployment, rebuilder: Rebuilder) -> None:
    async with busy.bus._database.write() as connection:
        await connection.execute(text('DELETE FROM log WHERE "offset" < 2'))
    with pytest.raises(LogIncomplete, match="begins at offset 2"):
        await prove(rebuilder)


@pytest.fixture
async def stopped(database_url: UrlOf, tmp_path: Path, rebuilder: Rebuilder) -> tuple[dict[str, bytes], ReturnAccepted]:
    """A tracker that was altered, with an event that it has still to send; what its heads were before."""
    async with deployed_tracker(database_url, tmp_path) as tracker:
        await tracker.receives(*a_history(tracker, seed=4))
        await tracker.told()
        unsent = await tracker.posts(line(77), workstream="waste")
        with pytest.raises(InUse):
            await exchange(rebuilder)
        was = await heads(tracker)
        await tracker.alter("UPDATE streams SET hash = :no_hash WHERE name = 'ict/partnership'", no_hash=bytes(32))
        await tracker.tracker.relay.release()
    return was, unsent


async def test_put_in_place_it_is_what_the_tracker_goes_on_with(
    stopped: tuple[dict[str, bytes], ReturnAccepted], rebuilder: Rebuilder, database_url: UrlOf, tmp_path: Path
) -> None:
    was, unsent = stopped
    verdict, aside = await exchange(rebuilder)
    assert "the head of ict/partnership" in str(verdict.difference)
    assert aside is not None
    async with deployed_tracker(database_url, tmp_path) as tracker:
        assert await heads(tracker) == was
        assert (await tracker.told())[-1][1].submission_id == unsent.submission_id
        count = await tracker.count(store.postings)
        await tracker.receives(as_message(unsent.model_copy(update={"submission_id": "f" * 32, "version": 2})))
        assert await tracker.count(store.postings) == count + 1
        assert (await tracker.tracker.verify(lambda _done, _total: None)).fault is None
        with pytest.raises(DBAPIError):
            async with tracker.tracker.database.write() as connection:
                await connection.execute(text("UPDATE entries SET amount_pence = 1"))
    with pytest.raises(InUse, match="earlier"):
        await exchange(rebuilder)


async def test_not_agreed_to_nothing_changes_place(
    stopped: tuple[dict[str, bytes], ReturnAccepted], rebuilder: Rebuilder, database_url: UrlOf, tmp_path: Path
) -> None:
    was, _ = stopped
    verdict, aside = await exchange(rebuilder, agreed=False)
    assert verdict.difference is not None
    assert aside is None
    async with deployed_tracker(database_url, tmp_path) as tracker:
        assert await heads(tracker) != was
        assert len(await tracker.entries(OFFICE)) > 0
