"""Every message of every version that was ever on a topic becomes today what it became then.

``golden`` has them to the byte, and nothing in it is ever changed; what is new gets a file more. The
files of one name belong together: what a council posted, what intake made of it, and what the tracker made of that.
``sparse`` has nothing but the required fields, as an event from before the others were added; ``later-fields`` has some
that are not known yet.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from sqlalchemy import select

from savings.contracts import EVENTS, event_schema
from services.intake import tables
from services.reporting import store
from shared.bus.envelope import from_message
from shared.bus.port import Bus, Message, Received, TopicPartition
from shared.events import (
    ENTRIES_POSTED,
    ENTRIES_TOPIC,
    INTAKE_SOURCE,
    REJECTIONS_TOPIC,
    RETURN_ACCEPTED,
    RETURN_POSTED,
    RETURN_REJECTED,
    SUBMISSIONS_TOPIC,
    ReturnRejected,
)
from shared.figures import PARTNERSHIP
from shared.outbox import Relay
from tests.builders import EAST_SUSSEX
from tests.contracts.golden import GOLDEN, covers, data_of, golden, names
from tests.intake_deployment import IntakeDeployment, deployed_intake
from tests.reporting_service import served
from tests.settings import settings_in
from tests.tracker_deployment import TrackerDeployment, deployed_tracker

KEPT = [*GOLDEN.rglob("*.message"), *Path("tests/contracts/published").iterdir()]
#: What is made anew each time, and so are the words of a refusal.
MADE_ANEW = frozenset({"submission_id", "rejection_id", "recorded_at", "received_at", "offset", "partition"})
WORDS = frozenset({"title", "detail", "fix", "allowed"})
ACCEPTED = ["full", "least", "structured", "base64"]
REFUSED = ["foreign", "faulty", "no-text"]
#: What the tracker makes of a return is kept under the same name, but for these.
OF_ANOTHER_NAME = {"sparse": "of-sparse", "later-fields": "full"}


def test_nothing_that_is_kept_was_changed() -> None:
    sums = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in KEPT}
    lines = Path("tests/contracts/SHA256SUMS").read_text(encoding="utf-8").splitlines()
    kept = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert kept == sums, "a file may be added, with its sum; none is changed or removed"


def test_every_kind_of_message_is_kept_and_replayed_here() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(EVENTS)
    assert names(RETURN_POSTED) == {*ACCEPTED, *REFUSED}
    assert names(RETURN_ACCEPTED) == {*ACCEPTED, "sparse", "later-fields"}
    assert names(ENTRIES_POSTED) == set(STANDS)
    assert names(RETURN_REJECTED) == {*REFUSED, "sparse"}


@pytest.mark.parametrize("event_type", EVENTS)
def test_each_is_what_its_schema_says(event_type: str) -> None:
    schema = Draft202012Validator(event_schema(event_type))
    told = {name: schema.is_valid(data_of(golden(event_type, name))) for name in names(event_type)}
    assert {name for name, fits in told.items() if not fits} == (
        {"faulty", "no-text"} if event_type == RETURN_POSTED else set()
    )


# What councils posted


@pytest.fixture
async def intake(tmp_path: Path) -> AsyncIterator[IntakeDeployment]:
    async with deployed_intake(settings_in(tmp_path).url_of, tmp_path) as deployment:
        yield deployment


async def published(bus: Bus, relay: Relay, topic: str) -> list[Received]:
    """All that stands on the topic, once the outbox has been relayed."""

    async def from_the_start(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    while await relay.run_once():
        pass
    async with bus.subscribe([topic], "test", from_the_start) as consumer:
        return list(await consumer.poll(100, 0))


async def decide(intake: IntakeDeployment, message: Message) -> None:
    async with intake.intake.consuming.subscribed() as consumer:
        await intake.bus.publish([message])
        assert await intake.intake.consuming.run_once(consumer, 0) == 1
    async with intake.intake.database.read() as connection:
        assert (await connection.execute(select(tables.consumed.parked.c.reason))).all() == []


def assert_as_kept(found: Received, event_type: str, name: str, besides: frozenset[str]) -> None:
    """The event is what was kept under that name: its envelope, its key, and all that it says."""
    kept = golden(event_type, name)
    event, then = from_message(found), from_message(Received(found.at, 0, kept.key, kept.value, kept.headers))
    assert (event.source, event.type, event.key) == (then.source, then.type, then.key)
    if not (then.correlation_id or "").startswith("inbox-"):  # one that was given; else it tells the place on the topic
        assert event.correlation_id == then.correlation_id
    said, expected = json.loads(found.value), json.loads(kept.value)
    assert covers(said, expected, besides), f"{said}\nis not\n{expected}"
    assert dict(found.headers).keys() >= dict(kept.headers).keys()
    Draft202012Validator(event_schema(event_type)).validate(said)


@pytest.mark.parametrize("name", ACCEPTED)
async def test_a_return_that_was_posted_is_accepted_as_it_was_then(intake: IntakeDeployment, name: str) -> None:
    await decide(intake, golden(RETURN_POSTED, name))
    [accepted] = await published(intake.bus, intake.intake.relay, SUBMISSIONS_TOPIC)
    assert_as_kept(accepted, RETURN_ACCEPTED, name, MADE_ANEW)
    assert await published(intake.bus, intake.intake.relay, REJECTIONS_TOPIC) == []


@pytest.mark.parametrize("name", REFUSED)
async def test_what_was_refused_is_refused_for_the_same_reasons(intake: IntakeDeployment, name: str) -> None:
    await decide(intake, golden(RETURN_POSTED, name))
    [rejected] = await published(intake.bus, intake.intake.relay, REJECTIONS_TOPIC)
    assert_as_kept(rejected, RETURN_REJECTED, name, MADE_ANEW | WORDS)
    assert await published(intake.bus, intake.intake.relay, SUBMISSIONS_TOPIC) == []


# What intake accepted


@pytest.fixture
async def tracker(tmp_path: Path) -> AsyncIterator[TrackerDeployment]:
    async with deployed_tracker(settings_in(tmp_path).url_of, tmp_path) as deployment:
        yield deployment


@pytest.mark.parametrize("name", [*ACCEPTED, "sparse", "later-fields"])
async def test_an_accepted_return_is_posted_as_it_was_then_to_the_hash(tracker: TrackerDeployment, name: str) -> None:
    message = golden(RETURN_ACCEPTED, name)
    await tracker.receives(message)
    assert await tracker.parked() == []
    [posted] = await published(tracker.bus, tracker.tracker.relay, ENTRIES_TOPIC)
    assert_as_kept(posted, ENTRIES_POSTED, OF_ANOTHER_NAME.get(name, name), frozenset())
    await tracker.receives(message)
    assert (len(await tracker.told()), await tracker.parked()) == (1, [])


# What the tracker posted

FULL = {
    "ict|E10000011|2011/12|estimate|cash_releasing|recurring|saving|": ("quantified", 20_000_000, "Recounted."),
    "ict|E10000011|2012/13|estimate|cash_releasing|recurring|saving|": (
        "quantified",
        43_400_000,
        "Data centre contract signed.",
    ),
    "ict|E10000011|2012/13|estimate|cash_releasing|one_off|cost|": (
        "quantified",
        125_000_000,
        "Data centre contract signed.",
    ),
    "ict|E10000011|2013/14|forecast|avoided_cost|one_off|saving|": (
        "to_be_confirmed",
        None,
        "Data centre contract signed.",
    ),
}
NIL = {
    "property|E10000011|2011/12|estimate|cash_releasing|recurring|saving|": ("nil", None, None),
    "property|E10000011|2012/13|estimate|cash_releasing|recurring|saving|": ("quantified", 4_000_000, None),
}
UPDATE = "The shared data centre opens in May.\nTwo sites close after it."
#: What stands in the table afterwards, account by account; and the update that is printed with it.
STANDS: dict[str, tuple[dict[str, tuple[str, int | None, str | None]], list[str]]] = {
    "full": (FULL, [UPDATE]),
    "later-fields": (FULL, [UPDATE]),
    "least": ({"highways|E10000011|2011/12|estimate|cash_releasing|recurring|saving|": ("quantified", 1, None)}, []),
    "structured": (
        {
            "waste|E10000011|2012/13|forecast|non_cash_releasing|recurring|saving|": (
                "quantified",
                -500_000,
                "Fuel costs more.",
            )
        },
        [],
    ),
    "base64": (
        {
            "sen|partnership|2011/12|estimate|avoided_cost|recurring|saving|": ("see_narrative", None, None),
            "sen|partnership|2012/13|estimate|avoided_cost|recurring|saving|": ("quantified", 10_000_000_000, None),
        },
        ["Avoided costs of placements."],
    ),
    "sparse": (NIL, []),
    "of-sparse": (NIL, []),
}


@pytest.mark.parametrize("name", STANDS)
async def test_posted_entries_stand_in_the_table_as_they_did_then(tmp_path: Path, name: str) -> None:
    message = golden(ENTRIES_POSTED, name)
    stands, updates = STANDS[name]
    async with served(tmp_path) as service:
        await service.send_messages([message, message])
        async with service.reporting.database.read() as connection:
            found = await store.standing(connection)
            told = await store.latest_updates(connection, [PARTNERSHIP, EAST_SUSSEX])
            assert (await connection.execute(select(store.consumed.parked.c.reason))).all() == []
    assert {str(one.account): (one.figure.status, one.figure.amount_pence, one.entry.reason) for one in found} == stands
    assert [each.text for each in told] == updates
    said = json.loads(message.value)
    assert {(one.entry.submission_id, one.entry.stated_by) for one in found} == {
        (said["submission_id"], said["stated_by"]["name"])
    }


# What intake refused; councils read it


@pytest.mark.parametrize("name", [*REFUSED, "sparse"])
def test_a_rejection_gives_back_what_was_posted(name: str) -> None:
    kept = golden(RETURN_REJECTED, name)
    event = from_message(Received(TopicPartition(kept.topic, 0), 0, kept.key, kept.value, kept.headers))
    assert (event.type, event.source) == (RETURN_REJECTED, INTAKE_SOURCE)
    rejected = ReturnRejected.model_validate_json(event.data)
    assert (rejected.rejection_id, rejected.council, rejected.errors_left_out) == (event.id, EAST_SUSSEX, 0)
    original = rejected.original.encode()
    if rejected.original_encoding == "base64":
        original = base64.b64decode(original)
    posted = golden(RETURN_POSTED, "foreign" if name == "sparse" else name)
    assert (original, rejected.original_bytes) == (posted.value, len(posted.value))
    assert [(one.pointer, one.code) for one in rejected.errors] == (
        [
            ("/lines/0/year", "year-outside-table"),
            ("/lines/0/amount", "amount-not-text"),
            ("/lines/0/basis", "unknown-value"),
        ]
        if name == "faulty"
        else []
    )
