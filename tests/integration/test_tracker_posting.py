"""Returns off the bus become entries, once each, whatever comes twice, broken or out of turn."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import Table, select, text
from sqlalchemy.exc import DBAPIError

from services.tracker import store
from services.tracker.handlers import entries_posted
from services.tracker.ledger import Head, post
from shared.bus.port import Message
from shared.events import (
    ENTRIES_POSTED,
    SUBMISSIONS_TOPIC,
    TRACKER_SOURCE,
    EntriesPosted,
    EntryPosted,
    Source,
)
from shared.figures import Basis, Confidence, Status
from tests.builders import EAST_SUSSEX, KENT, OFFICE
from tests.tracker_deployment import DAY, Sender, TrackerDeployment, as_message, line


async def test_a_return_is_posted_and_told(tracker: TrackerDeployment) -> None:
    accepted = await tracker.posts(
        line(300_000, note="two sites into one", cell="D7"), line(None, "2012/13", status=Status.TO_BE_CONFIRMED)
    )
    [(event, told)] = await tracker.told()
    assert (event.id, event.source, event.type) == (accepted.submission_id, TRACKER_SOURCE, ENTRIES_POSTED)
    assert (event.key, event.correlation_id) == ("ict/partnership", "request-1")
    of_the_return = {"kind": "entries.posted", "entries": told.entries}
    assert told == EntriesPosted(**accepted.model_dump(exclude={"kind", "lines"}) | of_the_return)
    assert [(entry.number, entry.line, entry.movement_pence, entry.balance_pence) for entry in told.entries] == [
        (1, 0, 30_000_000, 30_000_000),
        (2, 1, 0, 0),
    ]
    [first, _] = await tracker.entries(OFFICE)
    assert told.entries[0].hash == first["hash"]


def test_what_is_told_is_the_contract_to_the_byte() -> None:
    """The handler writes it without making the contract's models; here they are made."""
    accepted = Sender().accepts(
        line(300_000, note='two "sites"\ninto one – £', cell="D7", reason="survey", initiative="Data Centres"),
        line(None, "2012/13", status=Status.NIL, basis=Basis.FORECAST, confidence=Confidence.FIRM),
        update="Auf Kurs.",
        source=Source(file="ict.xlsx"),
    )
    outcome = post(accepted, {}, Head.of_nothing(accepted.stream))
    contract = EntriesPosted(
        **accepted.model_dump(exclude={"kind", "lines"}),
        entries=tuple(
            EntryPosted(
                **one.model_dump(),
                number=entry.number,
                movement_pence=entry.movement_pence,
                balance_pence=entry.balance_pence,
                hash=entry.hash.hex(),
            )
            for one, entry in zip(accepted.lines, outcome.entries, strict=True)
        ),
    )
    assert entries_posted(accepted, outcome) == contract.model_dump_json().encode()


async def test_a_batch_is_posted_in_order_and_its_streams_apart(tracker: TrackerDeployment) -> None:
    sender = tracker.sender
    batch = [
        sender.accepts(line(300)),
        sender.accepts(line(100), scope=EAST_SUSSEX),
        sender.accepts(line(200), as_at=DAY + timedelta(days=1)),
        sender.accepts(line(50), workstream="sen"),
    ]
    await tracker.receives(*map(as_message, batch))
    told = {told.submission_id: told for _, told in await tracker.told()}
    [third] = told[batch[2].submission_id].entries
    assert (third.number, third.movement_pence, third.balance_pence) == (2, -10_000, 20_000)
    assert [told[one.submission_id].entries[0].number for one in batch] == [1, 1, 2, 1]


async def test_the_next_batch_goes_on_where_the_last_one_stopped(tracker: TrackerDeployment) -> None:
    for pounds in (300, 200, 250):
        await tracker.posts(line(pounds))
    numbers = [(entry["number"], entry["movement"], entry["balance"]) for entry in await tracker.entries(OFFICE)]
    assert numbers == [(1, "300.00", "300.00"), (2, "-100.00", "200.00"), (3, "50.00", "250.00")]


async def test_a_return_delivered_again_is_posted_once(tracker: TrackerDeployment) -> None:
    accepted = await tracker.posts(line(300))
    await tracker.receives(as_message(accepted), as_message(accepted))
    assert await tracker.count(store.entries) == 1
    assert len(await tracker.told()) == 1
    assert await tracker.parked() == []


async def test_a_return_that_comes_twice_in_one_batch_is_posted_once(tracker: TrackerDeployment) -> None:
    message = as_message(tracker.sender.accepts(line(300)))
    await tracker.receives(message, message)
    assert await tracker.count(store.entries) == 1


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_the_same_id_with_other_content_is_a_conflict_and_set_aside(
    tracker: TrackerDeployment, in_one_batch: bool
) -> None:
    accepted = tracker.sender.accepts(line(300))
    other = as_message(accepted.model_copy(update={"lines": (line(999_999),)}))
    if in_one_batch:
        await tracker.receives(as_message(accepted), other)
    else:
        await tracker.receives(as_message(accepted))
        await tracker.receives(other)
    [reason] = await tracker.parked()
    assert reason.startswith("conflict: /savings/intake 00000000-0000-4000-8000-000000000001 came before")
    [entry] = await tracker.entries(OFFICE)
    assert entry["amount"] == "300.00"


class TestWhatCannotBePosted:
    """It is set aside whole, with the reason, and what stands behind it goes on."""

    async def receives_between_two_good_ones(self, tracker: TrackerDeployment, bad: Message) -> str:
        before, after = tracker.sender.accepts(line(300)), tracker.sender.accepts(line(200))
        await tracker.receives(as_message(before), bad, as_message(after))
        assert [entry["amount"] for entry in await tracker.entries(OFFICE)] == ["300.00", "200.00"]
        [reason] = await tracker.parked()
        return reason

    async def test_no_event_at_all(self, tracker: TrackerDeployment) -> None:
        reason = await self.receives_between_two_good_ones(tracker, Message(SUBMISSIONS_TOPIC, "ict", b"\x00\xff"))
        assert reason.startswith("not a CloudEvents 1.0 message in binary mode")

    async def test_an_event_of_another_type(self, tracker: TrackerDeployment) -> None:
        odd = as_message(Sender().accepts(line(1)), type="uk.savings.round.opened.v1")
        reason = await self.receives_between_two_good_ones(tracker, odd)
        assert reason == (
            "the tracker posts uk.savings.return.accepted.v1 from /savings/intake, "
            "not uk.savings.round.opened.v1 from /savings/intake"
        )

    async def test_a_return_from_another_source(self, tracker: TrackerDeployment) -> None:
        odd = as_message(Sender().accepts(line(1)), source="/elsewhere")
        assert "from /elsewhere" in await self.receives_between_two_good_ones(tracker, odd)

    async def test_content_that_is_no_return(self, tracker: TrackerDeployment) -> None:
        odd = as_message(Sender().accepts(line(1)), data=b'{"lines": []}')
        reason = await self.receives_between_two_good_ones(tracker, odd)
        assert reason.startswith("not a uk.savings.return.accepted.v1: submission_id: Field required; ")

    async def test_an_event_whose_id_is_another_return_s(self, tracker: TrackerDeployment) -> None:
        odd = as_message(Sender().accepts(line(1), submission_id="one"), id="two")
        assert await self.receives_between_two_good_ones(tracker, odd) == "the event two carries another return, one"

    async def test_a_return_of_another_partnership(self, tracker: TrackerDeployment) -> None:
        odd = as_message(Sender().accepts(line(1), submission_id="one", partnership="east-midlands"))
        assert "east-midlands" in await self.receives_between_two_good_ones(tracker, odd)

    async def test_a_year_that_is_none(self, tracker: TrackerDeployment) -> None:
        odd = as_message(Sender().accepts(line(1, "2011/13"), submission_id="one"))
        reason = await self.receives_between_two_good_ones(tracker, odd)
        assert reason == "line 0: '2011/13' is not a financial year"

    async def test_what_the_database_will_not_take(self, tracker: TrackerDeployment) -> None:
        """Its version does not fit: the batch fails, and is had one by one."""
        odd = as_message(Sender().accepts(line(1), submission_id="one", workstream="sen", version=10**20))
        reason = await self.receives_between_two_good_ones(tracker, odd)
        assert "Error" in reason


async def test_a_return_that_comes_before_its_forerunner_counts_by_rank_and_the_gap_shows(
    tracker: TrackerDeployment,
) -> None:
    first, second = tracker.sender.accepts(line(300)), tracker.sender.accepts(line(200))
    await tracker.receives(as_message(second))
    checks = (await tracker.get("/v1/checks", OFFICE)).json()
    [failed] = [check for check in checks["checks"] if not check["holds"]]
    assert failed["check"] == "every version of a stream has come, and come once"
    assert failed["failures"] == [{"subject": "ict/partnership", "one_side": "1", "other_side": "2"}]
    await tracker.receives(as_message(first))
    ledger = await tracker.ledger(OFFICE)
    assert ledger["totals"]["total"] == "200.00"
    assert (await tracker.get("/v1/checks", OFFICE)).json()["holds"] is True


async def test_a_return_without_lines_is_kept_in_the_chain(tracker: TrackerDeployment) -> None:
    """Intake takes none; the tracker rejects none."""
    await tracker.posts(line(300))
    await tracker.posts(update="Nothing new.")
    assert (await tracker.get("/v1/checks", OFFICE, full="true")).json()["holds"] is True
    await tracker.posts(line(200))
    assert (await tracker.get("/v1/checks", OFFICE, full="true")).json()["holds"] is True


async def test_a_thousand_lines_at_once_make_their_accounts(tracker: TrackerDeployment) -> None:
    lines = [line(1, initiative=f"Project {number}") for number in range(500)]
    await tracker.receives(
        as_message(tracker.sender.accepts(*lines)), as_message(tracker.sender.accepts(*lines, scope=KENT))
    )
    assert await tracker.count(store.accounts) == 1000
    assert (await tracker.get("/v1/checks", OFFICE, full="true")).json()["holds"] is True


async def test_entries_are_kept_with_the_whole_of_their_return(tracker: TrackerDeployment) -> None:
    accepted = await tracker.posts(line(300, reason="the survey"), update="On course.")
    async with tracker.tracker.database.read() as connection:
        kept = (await connection.execute(select(store.postings))).one()
    assert (kept.submission_id, kept.version, kept.as_at, kept.recorded_at) == (
        accepted.submission_id,
        1,
        accepted.as_at,
        accepted.recorded_at,
    )
    assert (kept.stated_by_name, kept.stated_by_role, kept.stated_by_council) == ("finance-ESX", "finance", EAST_SUSSEX)
    assert (kept.source_system, kept.source_reference, kept.source_file) == ("general ledger", "P08", None)
    assert (kept.reason, kept.update) == ("as found", "On course.")
    assert kept.previous_hash == hashlib.sha256(b"ict/partnership").digest()


@pytest.mark.parametrize("table", [store.entries, store.postings], ids=["entries", "postings"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET version = version + 1", "DELETE FROM {}"])
async def test_the_database_itself_refuses_to_change_what_was_posted(
    tracker: TrackerDeployment, table: Table, statement: str
) -> None:
    await tracker.posts(line(300))
    with pytest.raises(DBAPIError, match="are appended and never changed"):
        async with tracker.tracker.database.write() as connection:
            await connection.execute(text(statement.format(table.name)))
    assert await tracker.count(table) == 1
