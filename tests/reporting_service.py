"""Reporting alone, on SQLite in a folder: events go in by the bus, answers come out by HTTP, stepped by hand."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

import migrations
from savings.demonstration import make_keys
from services.reporting.main import Reporting
from shared.access import Access
from shared.bus.embedded import EmbeddedBus
from shared.bus.envelope import Event, to_json, to_message
from shared.bus.port import Consumer, Message
from shared.clock import utc_now
from shared.database import Database
from shared.events import (
    ENTRIES_POSTED,
    ENTRIES_TOPIC,
    TRACKER_SOURCE,
    EntriesPosted,
    EntryPosted,
    Source,
    StatedBy,
)
from shared.figures import Account, Basis, Benefit, Confidence, Flow, Recurrence, Standing, Status, Stream
from shared.money import parse_pounds
from shared.principal import Role
from shared.settings import DatabaseName, Settings
from shared.web import create_app, install_health
from tests.reporting_figures import RETURNS, SE7

RECORDED_FROM = datetime(2011, 12, 8, 9, 30, tzinfo=UTC)


def line(
    year: str,
    amount: str | Status,
    *,
    basis: Basis = Basis.ESTIMATE,
    benefit: Benefit = Benefit.CASH_RELEASING,
    recurrence: Recurrence = Recurrence.RECURRING,
    flow: Flow = Flow.SAVING,
    initiative: str = "",
    reason: str | None = None,
) -> EntryPosted:
    """An entry as the tracker posts it, but for its place in the ledger, which :class:`Streams` gives it."""
    is_amount = not isinstance(amount, Status)
    return EntryPosted(
        number=1,
        line=0,
        initiative=initiative,
        year=year,
        basis=basis,
        benefit=benefit,
        recurrence=recurrence,
        flow=flow,
        confidence=Confidence.INDICATIVE,
        status=Status.QUANTIFIED if is_amount else Status(amount),
        amount_pence=parse_pounds(amount) if is_amount else None,
        movement_pence=0,
        balance_pence=0,
        reason=reason,
        hash="0" * 64,
    )


class Streams:
    """Gives each return its place in its stream and a recorded time after the one before, and its entries theirs."""

    def __init__(self) -> None:
        self._versions: dict[Stream, int] = defaultdict(int)
        self._returns = 0
        self._heads: dict[Stream, tuple[int, str]] = defaultdict(lambda: (0, "0" * 64))
        self._standing: dict[Account, tuple[Standing, int]] = {}

    def posting(
        self,
        workstream: str,
        *entries: EntryPosted,
        scope: str = "partnership",
        as_at: date = date(2011, 12, 7),
        recorded_at: datetime | None = None,
        update: str | None = None,
        reason: str | None = None,
        by: str = "lead-ict",
    ) -> EntriesPosted:
        stream = Stream(workstream, scope)  # type: ignore[arg-type]
        self._versions[stream] += 1
        self._returns += 1
        return EntriesPosted(
            submission_id=f"return-{self._returns}",
            partnership="se7",
            workstream=workstream,
            scope=scope,
            version=self._versions[stream],
            as_at=as_at,
            recorded_at=recorded_at or RECORDED_FROM + timedelta(minutes=self._returns),
            stated_by=StatedBy(name=by, role=Role.LEAD, council="E06000043"),
            source=Source(system="Workstream workbook", reference="P08"),
            reason=reason,
            update=update,
            entries=tuple(self._posted(stream, Standing(as_at, self._versions[stream]), entry) for entry in entries),
        )

    def _posted(self, stream: Stream, rank: Standing, entry: EntryPosted) -> EntryPosted:
        account = entry.account_in(stream)
        stood, balance = self._standing.get(account, (rank, 0))
        movement = entry.figure.counted_pence - balance if rank >= stood else 0
        self._standing[account] = (max(rank, stood), balance + movement)
        number, head = self._heads[stream]
        link = hashlib.sha256(f"{head} {entry.model_dump_json()}".encode()).hexdigest()
        self._heads[stream] = (number + 1, link)
        return entry.model_copy(
            update={
                "number": number + 1,
                "movement_pence": movement,
                "balance_pence": balance + movement,
                "hash": link,
            }
        )

    def january_2012(self) -> list[EntriesPosted]:
        """The returns of the demonstration, as posted."""
        return [
            self.posting(
                stated["workstream"],
                *(
                    line(
                        each["year"],
                        Status(each["status"]) if each.get("status", "quantified") != "quantified" else each["amount"],
                        basis=Basis(each["basis"]),
                        benefit=Benefit(each.get("benefit", "cash_releasing")),
                    )
                    for each in stated["lines"]
                ),
                scope=stated["scope"],
                as_at=date.fromisoformat(stated["as_at"]),
                update=stated.get("update"),
                by=item["sent_by"],
            )
            for item in json.loads(RETURNS.read_text(encoding="utf-8"))["returns"]
            for stated in [item["return"]]
        ]


def message_of(posted: EntriesPosted) -> Message:
    event = Event(
        id=posted.submission_id,
        source=TRACKER_SOURCE,
        type=ENTRIES_POSTED,
        key=str(posted.stream),
        time=posted.recorded_at,
        data=to_json(posted),
    )
    return to_message(ENTRIES_TOPIC, event)


@dataclass
class Service:
    reporting: Reporting
    app: FastAPI
    http: httpx.AsyncClient
    keys: dict[str, str]
    bus: EmbeddedBus
    consumer: Consumer

    async def send(self, *posted: EntriesPosted) -> None:
        """Put events on the bus, in this order, and fold them."""
        await self.send_messages([message_of(each) for each in posted])

    async def send_messages(self, messages: Sequence[Message]) -> None:
        await self.bus.publish(messages)
        while await self.reporting.consuming.run_once(self.consumer, 0):
            pass

    async def get(
        self, path: str, by: str | None = None, headers: Iterable[tuple[str, str]] = (), **query: Any
    ) -> httpx.Response:
        return await self.http.get(path, params=query or None, headers={**self.credential(by), **dict(headers)})

    async def post(self, path: str, by: str, document: Any, headers: Iterable[tuple[str, str]] = ()) -> httpx.Response:
        return await self.http.post(path, json=document, headers={**self.credential(by), **dict(headers)})

    def credential(self, name: str | None) -> dict[str, str]:
        return {} if name is None else {"Authorization": f"Bearer {self.keys[name]}"}


@asynccontextmanager
async def served(folder: Path, **settings: Any) -> AsyncIterator[Service]:
    """The service, migrated; a folder used before carries on with its data."""
    set_up = Settings(
        data_directory=folder,
        **{"session_secret": SecretStr("for tests alone"), "requests_per_minute": 10_000_000, **settings},
    )
    async with AsyncExitStack() as stack:
        databases: dict[DatabaseName, Database] = {}
        for name in ("reporting", "access", "bus"):
            databases[name] = Database(set_up.url_of(name), schema=name)
            stack.push_async_callback(databases[name].close)
            await migrations.upgrade(name, databases[name])
        access = Access(databases["access"], utc_now)
        bus = EmbeddedBus(databases["bus"], partitions=3)
        reporting = Reporting(
            settings=set_up, partnership=SE7, database=databases["reporting"], bus=bus, clock=utc_now, access=access
        )
        app = create_app(title="Reporting", access=access, settings=set_up)
        reporting.install(app)
        install_health(app, reporting.checks)
        http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://savings.test")
        yield Service(
            reporting=reporting,
            app=app,
            http=await stack.enter_async_context(http),
            keys=dict(await make_keys(access, SE7, folder / "keys.json")),
            bus=bus,
            consumer=await stack.enter_async_context(reporting.consuming.subscribed()),
        )
