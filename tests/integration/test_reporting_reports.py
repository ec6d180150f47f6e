"""What a file is drawn from besides the table, and that drawing one keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import docx
import httpx
import pytest
from docx.document import Document
from docx.oxml.ns import qn

from services.reporting.answers import DRAWN_AT_ONCE
from services.reporting.exports import excel
from shared.events import EntriesPosted
from tests.reporting_service import Service, Streams, line, served

CABINET = {"title": "Cabinet, 26 January 2012", "meeting_date": "2012-01-26"}
DEADLINE_SECONDS = 30


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with served(tmp_path) as service:
        await service.send(first_return(Streams()))
        yield service


def first_return(streams: Streams) -> EntriesPosted:
    return streams.posting("ict", line("2011/12", "£1m"))


def second_return() -> EntriesPosted:
    streams = Streams()
    first_return(streams)
    return streams.posting("sen", line("2011/12", "£2m"), by="lead-sen")


class Gate:
    """Holds every workbook in the making until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._opened = threading.Event()
        self._arrived = threading.Semaphore(0)
        self.drawn = 0
        monkeypatch.setattr(excel, "write_excel", self._write)

    def open(self) -> None:
        self._opened.set()

    async def arrived(self) -> None:
        """Returns when one more is in the making."""
        assert await asyncio.to_thread(self._arrived.acquire, timeout=DEADLINE_SECONDS)

    def has_another(self) -> bool:
        return self._arrived.acquire(blocking=False)

    def _write(self, *_: object, **__: object) -> bytes:
        self._arrived.release()
        assert self._opened.wait(DEADLINE_SECONDS), "nobody opened the gate"
        self.drawn += 1
        return b"drawn"


async def test_a_file_in_the_making_keeps_no_reader_waiting(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is timed: were the file drawn on the loop, nothing could answer before the gate is opened."""
    gate = Gate(monkeypatch)
    drawing = asyncio.create_task(service.get("/v1/tracker.xlsx", "office"))
    await gate.arrived()
    for path in ("/v1/tracker", "/tracker", "/v1/tracker.csv", "/v1/editions", "/readyz"):
        assert (await service.get(path, "office")).status_code == 200, path
    await service.send(second_return())
    assert (await service.post("/v1/editions", "office", CABINET)).status_code == 201
    assert not drawing.done()
    gate.open()
    assert (await drawing).content == b"drawn"


async def test_however_many_files_are_asked_for_no_more_than_some_are_drawn_at_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    asked = [
        asyncio.create_task(service.get("/v1/tracker.xlsx", "office", as_at=f"2011-12-{day:02d}"))
        for day in range(10, 10 + DRAWN_AT_ONCE + 6)
    ]
    for _ in range(DRAWN_AT_ONCE):
        await gate.arrived()
    assert (await service.get("/v1/tracker", "office")).status_code == 200, "those who wait hold nothing either"
    assert not gate.has_another()
    gate.open()
    answers = await asyncio.gather(*asked)
    assert {answer.status_code for answer in answers} == {200}
    assert gate.drawn == len(asked)


async def test_a_document_tells_what_moved_since_the_edition_before_and_each_of_its_links_opens(
    service: Service,
) -> None:
    first = await service.get("/v1/tracker.docx", "author-ESX")
    assert not any("has changed" in each.text for each in opened(first).paragraphs)
    assert (await service.post("/v1/editions", "office", CABINET)).status_code == 201
    unchanged = await service.get("/v1/tracker.docx", "author-ESX", [("If-None-Match", first.headers["etag"])])
    assert "Nothing has changed." in [each.text for each in opened(unchanged).paragraphs]
    await service.send(second_return())
    for asked in ({}, {"edition": "1"}):
        document = opened(await service.get("/v1/tracker.docx", "author-ESX", **asked))
        links = [
            document.part.rels[link.get(qn("r:id"))].target_ref for link in document.element.iter(qn("w:hyperlink"))
        ]
        assert links
        for address in links:
            assert address.startswith("http://savings.test/")
            page = await service.get(address, "author-ESX")
            assert page.status_code == 200, (address, page.text)
            if "#" in address:
                assert f'id="{address.partition("#")[2]}"' in page.text
    assert any(
        [cell.text for cell in row.cells][:3] == ["Special Educational Needs (SEN)", "SE7", "£0"]
        for table in opened(await service.get("/v1/tracker.docx", "author-ESX")).tables
        for row in table.rows
    )
    assert opened(await service.get("/v1/tracker.docx", "author-ESX", edition="1")).tables


def opened(answer: httpx.Response) -> Document:
    assert answer.status_code == 200, answer.text
    return docx.Document(io.BytesIO(answer.content))
