"""One id leads from a request through the events that came of it to what each service logged, and back."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import LogCapture

from shared.bus.port import Message
from shared.correlation import correlation_id_of, lines_of_ids, request_id_given
from shared.telemetry import configure_logging
from tests.builders import a_line, a_return
from tests.deployment import Deployment, deployed

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        yield deployment


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What relays and consumers log."""
    capture = LogCapture()
    # All that is told, whatever level a command has left behind in this process.
    logger = structlog.wrap_logger(None, processors=[capture], wrapper_class=structlog.BoundLogger)
    for name in ("shared.outbox", "shared.consuming", "services.tracker.handlers"):
        monkeypatch.setattr(f"{name}.log", logger)
    return capture.entries  # type: ignore[return-value]


def with_id(logged: list[dict[str, Any]], correlation_id: str) -> set[tuple[str, str]]:
    """The lines that carry an id: what happened, and to whom or on which topic."""
    return {
        (line["event"], line.get("group") or ",".join(line["topics"]))
        for line in logged
        if correlation_id in line.get("correlation_ids", [])
    }


EVERYWHERE = {
    ("relay.sent", "savings.submissions.v1"),
    ("consuming.kept", "savings.tracker"),
    ("relay.sent", "savings.entries.v1"),
    ("consuming.kept", "savings.reporting"),
}


async def test_the_id_of_a_request_is_in_what_each_service_logs_of_it(
    deployment: Deployment, logged: list[dict[str, Any]]
) -> None:
    answer = await deployment.post("/v1/submissions", "finance-ESX", a_return(), **{"X-Request-ID": "P08/ict-7"})
    other = await deployment.post("/v1/submissions", "finance-ESX", a_return(a_line(year="2012/13")))
    await deployment.settle()
    assert answer.headers["X-Request-ID"] == "P08/ict-7"
    assert with_id(logged, "P08/ict-7") == EVERYWHERE
    assert with_id(logged, other.headers["X-Request-ID"]) == EVERYWHERE
    assert with_id(logged, "of another request") == set()


async def test_a_return_tells_the_request_that_it_came_in_and_so_does_each_entry_by_its_return(
    deployment: Deployment,
) -> None:
    headers = {"X-Request-ID": "P08/ict-7"}
    stated = (await deployment.post("/v1/submissions", "finance-ESX", a_return(), **headers)).json()
    await deployment.settle()
    entries = await deployment.get("/v1/ledgers/councils/E10000011/entries", "finance-ESX")
    [entry] = entries.json()["entries"]
    assert entry["submission_id"] == stated["id"]
    found = await deployment.get(f"/v1/submissions/{entry['submission_id']}", "finance-ESX")
    assert found.json()["request_id"] == "P08/ict-7"


async def test_the_returns_of_one_batch_share_its_id(deployment: Deployment, logged: list[dict[str, Any]]) -> None:
    batch = [a_return(), a_return(a_line(year="2012/13")), a_return(a_line(year="2013/14"))]
    await deployment.post("/v1/submissions/batch", "finance-ESX", batch, **{"X-Request-ID": "whole"})
    await deployment.settle()
    assert with_id(logged, "whole") == EVERYWHERE
    assert [line["correlation_ids"] for line in logged if line["event"] == "relay.sent"] == [["whole"], ["whole"]]


async def test_a_trace_gives_its_id_to_a_request_that_has_none_of_its_own(deployment: Deployment) -> None:
    given = {"traceparent": TRACEPARENT}
    assert (await deployment.http.get("/healthz", headers=given)).headers["X-Request-ID"] == TRACE
    both = given | {"X-Request-ID": "mine"}
    assert (await deployment.http.get("/healthz", headers=both)).headers["X-Request-ID"] == "mine"


@pytest.mark.parametrize("given", ["", "x" * 65, "café", "a\tb"])
@pytest.mark.parametrize(
    "traceparent", ["", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", "00-4bf9-1-01", TRACEPARENT[:-1]]
)
def test_an_id_that_we_would_not_take_is_replaced(given: str, traceparent: str) -> None:
    assert request_id_given(given, traceparent) is None


def test_a_foreign_message_may_carry_anything_for_an_id() -> None:
    assert correlation_id_of((("ce_correlationid", b"\xff" * 500),)) == "\ufffd" * 64
    assert correlation_id_of((("ce_correlationid", None),)) is None  # type: ignore[arg-type]
    assert correlation_id_of(()) is None


def test_a_line_of_the_log_stays_short_and_no_batch_goes_unlogged() -> None:
    batch = [Message("t", "k", b"", (("ce_correlationid", str(number // 2).encode()),)) for number in range(500)]
    lines = list(lines_of_ids(batch))
    assert [len(line) for line in lines] == [100, 100, 50]
    assert [one for line in lines for one in line] == [str(number) for number in range(250)]
    assert list(lines_of_ids([Message("t", "k", b"")])) == [[]]


def test_a_line_is_written_to_where_standard_error_leads_by_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = structlog.get_config()
    try:
        with monkeypatch.context() as command:
            command.setattr("sys.stderr", io.StringIO())
            configure_logging()
            log = structlog.get_logger("a command's")
            log.info("said by the command")
            sys.stderr.close()
        log.info("said later", request_id="P08")
    finally:
        structlog.configure(**before)
    assert json.loads(capsys.readouterr().err)["request_id"] == "P08"
