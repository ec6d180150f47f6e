"""Whatever is stated: table, movement, edition and every file agree to the penny, and an edition stays as it was.

Every file is read by a program that did not write it, and compared with the JSON.
"""

from __future__ import annotations

import asyncio
import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import docx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.reporting.changes import KINDS
from shared.events import EntryPosted
from shared.figures import PARTNERSHIP, Basis, Benefit, Flow, Status
from shared.money import parse_pounds, pounds, short_text
from tests.pdf_checking import as_printed, require_pango, tables_of
from tests.reporting_service import Service, Streams, line, served
from tests.workbooks import sheets

EXAMPLES = int(os.environ.get("SAVINGS_EXAMPLES", "25" if os.environ.get("CI") == "true" else "2"))
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
EAST_SUSSEX, KENT = "E10000011", "E10000016"
CABINET = {"title": "Cabinet, 26 January 2012", "meeting_date": "2012-01-26"}
#: Rows of the workbook above those of the table, and of the movements.
TRACKER_HEAD, MOVEMENTS_HEAD = 6, 4

amounts = st.one_of(
    st.sampled_from([Status.TO_BE_CONFIRMED, Status.SEE_NARRATIVE, Status.NIL]),
    st.integers(-(10**10), 10**12).map(pounds),
    st.integers(0, 900).map(lambda tenths: pounds(tenths * 10_000_000)),
)
lines = st.lists(
    st.builds(
        line,
        st.sampled_from(["2011/12", "2012/13", "2014/15"]),
        amounts,
        basis=st.sampled_from([Basis.ESTIMATE, Basis.FORECAST]),
        benefit=st.sampled_from(Benefit),
        flow=st.sampled_from([Flow.SAVING, Flow.SAVING, Flow.COST]),
        initiative=st.sampled_from(["", "Data Centres"]),
        reason=st.sampled_from([None, "As found.", "=1+1"]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda each: (each.year, each.basis, each.benefit, each.flow, each.initiative),
)


@dataclass(frozen=True)
class Stated:
    """A return: a workstream, a scope, a day, and its lines."""

    workstream: str
    scope: str
    as_at: date
    lines: Sequence[EntryPosted]


returns = st.builds(
    Stated,
    st.sampled_from(["ict", "sen", "procurement"]),
    st.sampled_from([PARTNERSHIP, EAST_SUSSEX, KENT]),
    st.integers(0, 200).map(lambda after: date(2011, 6, 1) + timedelta(days=after)),
    lines,
)


@pytest.mark.long
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(
    st.lists(returns, min_size=1, max_size=6),
    st.lists(returns, max_size=5),
    st.sampled_from(["saving", "net"]),
    st.sampled_from([True, False, False, False]),
)
def test_every_file_agrees_with_the_json_and_an_edition_stays_as_it_was(
    before: list[Stated], after: list[Stated], flow: str, with_pdf: bool
) -> None:
    # A figure that is always there: an empty table is not published.
    first = Stated("highways", PARTNERSHIP, date(2011, 6, 1), [line("2011/12", "£250k")])
    asyncio.run(_check([first, *before], after, flow, with_pdf))


async def _check(before: Sequence[Stated], after: Sequence[Stated], flow: str, with_pdf: bool) -> None:
    with _folder() as folder:
        async with served(folder) as service:
            streams = Streams()
            await _state(service, streams, before)
            published = await service.post("/v1/editions", "office", CABINET)
            assert published.status_code == 201, published.text
            frozen = await _files(service, edition=1, council=EAST_SUSSEX)
            await _require_agreement(service, folder, with_pdf, edition=1, council=EAST_SUSSEX)

            await _state(service, streams, after)
            assert await _files(service, edition=1, council=EAST_SUSSEX) == frozen
            assert (await service.get("/v1/editions/1/proof", "auditor")).json()["holds"] is True
            await _require_agreement(service, folder, False, council=EAST_SUSSEX, flow=flow)
            await _require_movement(service, council=EAST_SUSSEX, flow=flow)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="savings-", dir=IN_MEMORY))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


async def _state(service: Service, streams: Streams, stated: Sequence[Stated]) -> None:
    await service.send(
        *(streams.posting(each.workstream, *each.lines, scope=each.scope, as_at=each.as_at) for each in stated)
    )


async def _take(service: Service, suffix: str, **asked: Any) -> bytes:
    answer = await service.get(f"/v1/tracker.{suffix}", "office", **asked)
    assert answer.status_code == 200, answer.text
    return answer.content


async def _files(service: Service, **asked: Any) -> dict[str, bytes]:
    found = {suffix: await _take(service, suffix, **asked) for suffix in ("json", "csv", "html", "docx", "xlsx")}
    return found | {"printed": await _take(service, "csv", layout="printed", **asked)}


async def _require_agreement(service: Service, folder: Path, with_pdf: bool, **asked: Any) -> None:
    """Each file's own reading of the table is the JSON's."""
    table = (await service.get("/v1/tracker", "office", **asked)).json()
    files = await _files(service, **asked)
    rows = [
        [row["workstream_name"], row["label"], *(cell["printed"] for cell in row["cells"]), row["total"]["printed"]]
        for row in table["rows"]
    ]
    totals = [
        [total["title"], total["label"], *("" for _ in table["years"]), total["total"]["printed"]]
        for total in table["totals"]
    ]
    assert list(csv.reader(io.StringIO(files["printed"].decode())))[1:] == rows + totals
    assert _html_rows(files["html"].decode()) == rows + totals
    document = docx.Document(io.BytesIO(files["docx"]))
    assert [[cell.text for cell in row.cells] for row in document.tables[0].rows][1:] == rows + totals
    _require_tidy(table, list(csv.DictReader(io.StringIO(files["csv"].decode()))))
    _require_workbook(table, sheets(files["xlsx"]))
    if with_pdf:
        require_pango()
        path = folder / "table.pdf"
        path.write_bytes(await _take(service, "pdf", **asked))
        assert as_printed(tables_of(path)[0]) == rows + totals


def _require_tidy(table: Any, tidy: Sequence[dict[str, str]]) -> None:
    found = [
        (each["workstream_code"], each["scope"], each["year"], each["in_year"], each["cumulative"], each["printed"])
        for each in tidy
    ]
    assert found == [
        (row["workstream"], row["scope"], c["year"], c["in_year"] or "", c["cumulative"] or "", c["printed"])
        for row in table["rows"]
        for c in row["cells"]
    ]


def _require_workbook(table: Any, found: dict[str, list[list[Any]]]) -> None:
    printed = found["Tracker"][TRACKER_HEAD:]
    for line_of, row in zip([*table["rows"], *table["totals"]], printed, strict=False):
        assert row[1] == line_of["label"]
        if line_of["total"]["printed"] == "–":
            assert row[2 * len(table["years"]) + 1] == "–"
        else:
            assert round(row[2 * len(table["years"]) + 1] * 100) == parse_pounds(line_of["total"]["amount"])
    data = found["Data"][1:]
    cells = [cell for row in table["rows"] for cell in row["cells"]]
    assert len(data) == len(cells)
    for ours, theirs in zip(cells, data, strict=True):
        for amount, kept in ((ours["in_year"], theirs[6]), (ours["cumulative"], theirs[7])):
            assert kept == "" if amount is None else round(kept * 100) == parse_pounds(amount)


async def _require_movement(service: Service, **asked: Any) -> None:
    """The movement is what the totals of the two tables differ by, its parts add up to it, and the files tell it so."""
    moved = (await service.get("/v1/movements", "office", **{"from": 1}, **asked)).json()
    assert moved["holds"] is True
    old = (await service.get("/v1/tracker", "office", edition=1, **asked)).json()
    new = (await service.get("/v1/tracker", "office", **asked)).json()
    ends = {
        (row.get("workstream"), row["scope"]): (
            parse_pounds(was["total"]["amount"] or "0"),
            parse_pounds(row["total"]["amount"] or "0"),
        )
        for was, row in zip([*old["rows"], *old["totals"]], [*new["rows"], *new["totals"]], strict=True)
    }
    everything = [*moved["rows"], *moved["totals"]]
    for each in everything:
        before, after = ends[each.get("workstream"), each["scope"]]
        assert (parse_pounds(each["old"]), parse_pounds(each["new"])) == (before, after)
        assert parse_pounds(each["movement"]) == after - before == sum(map(parse_pounds, each["parts"].values()))
    written = sheets(await _take(service, "xlsx", **asked))["Movements"][MOVEMENTS_HEAD:]
    document = docx.Document(io.BytesIO(await _take(service, "docx", **asked)))
    for each, row in zip(everything, written, strict=False):
        assert row[1] == each["label"]
        expected = [each["old"], *each["parts"].values(), each["movement"], each["new"]]
        assert [round(cell * 100) for cell in row[2:9]] == [parse_pounds(amount) for amount in expected]
        assert row[9] == "Adds up"
    shown = [[cell.text for cell in row.cells] for row in document.tables[1].rows]
    changed = [row for row in moved["rows"] if row["changes"]]
    if not changed:
        assert "Nothing has changed." in [paragraph.text for paragraph in document.paragraphs]
        return
    assert shown[0] == ["Workstream", "Whose", "Before", *KINDS.values(), "Movement", "After"]
    assert shown[1:] == [
        [
            each.get("workstream_name", "All workstreams"),
            each["label"],
            short_text(parse_pounds(each["old"])),
            *(short_text(parse_pounds(part)) if parse_pounds(part) else "–" for part in each["parts"].values()),
            short_text(parse_pounds(each["movement"])) if parse_pounds(each["movement"]) else "–",
            short_text(parse_pounds(each["new"])),
        ]
        for each in [*changed, *moved["totals"]]
    ]


class _Cells(HTMLParser):
    """The rows of the first table of a piece of HTML; a header that reaches over rows stands in each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._reaching: tuple[str, int] = ("", 0)
        self._cell: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            name, left = self._reaching
            self._reaching = (name, left - 1)
            self.rows.append([name] if left > 0 else [])
        elif tag in ("td", "th"):
            self._cell = dict(attrs)
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None:
            if (reach := self._cell.get("rowspan")) is not None:
                self._reaching = (self.rows[-1][-1], int(reach) - 1)
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self.rows[-1][-1] += data


def _html_rows(html: str) -> list[list[str]]:
    cells = _Cells()
    cells.feed(html)
    return cells.rows[1:]
