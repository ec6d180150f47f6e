"""Where an endpoint for traces is set, one trace leads through all three services; where none is, nothing is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from savings.demonstration import make_keys
from savings.process import SERVICES, Process
from shared.bus.port import Message
from tests.builders import a_return
from tests.deployment import deployed
from tests.settings import settings_in

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"


@dataclass(frozen=True)
class Told:
    """A span as it was told to the endpoint."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    attributes: dict[str, str]


@dataclass
class Endpoint:
    """An OTLP receiver over HTTP."""

    url: str
    spans: list[Told] = field(default_factory=list)

    def way_of(self, trace: str) -> list[tuple[str, str]]:
        """The spans of a trace from parent to child: who told it, and what it was."""
        ours = {one.parent: one for one in self.spans if one.trace == trace}
        way, at = [], CALLER
        while at in ours:
            way.append((ours[at].service, ours[at].name))
            at = ours[at].span
        assert len(way) == len(ours), ours
        return way


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                resource = {one.key: one.value.string_value for one in group.resource.attributes}
                for span in (span for scope in group.scope_spans for span in scope.spans):
                    found.spans.append(
                        Told(
                            resource["service.name"],
                            span.name,
                            span.trace_id.hex(),
                            span.span_id.hex(),
                            span.parent_span_id.hex(),
                            {one.key: one.value.string_value for one in span.attributes},
                        )
                    )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *arguments: object) -> None:
            """Nothing of it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    found = Endpoint(f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class ThreeProcesses:
    """Each service as it is in a process of its own, stepped by hand."""

    processes: dict[str, Process]
    http: httpx.AsyncClient
    keys: dict[str, str]

    async def carry(self) -> None:
        """Once from the councils' topics to the table."""
        intake, tracker, reporting = (self.processes[name] for name in SERVICES)
        assert intake.intake is not None
        assert tracker.tracker is not None
        assert reporting.reporting is not None
        for step in (
            intake.intake.consuming,
            intake.intake.relay,
            tracker.tracker.consuming,
            tracker.tracker.relay,
            reporting.reporting.consuming,
        ):
            if hasattr(step, "subscribed"):
                async with step.subscribed() as consumer:
                    await step.run_once(consumer, 0)
            else:
                await step.run_once()
                await step.release()


@asynccontextmanager
async def three_processes(folder: Path) -> AsyncIterator[ThreeProcesses]:
    """Closed when the block has been left: by then all spans have been told."""
    async with AsyncExitStack() as stack:
        processes = {}
        for name in SERVICES:
            processes[name] = Process(settings_in(folder), (name,))
            stack.push_async_callback(processes[name].close)
            async for _ in processes[name].migrate():
                pass
        intake = processes["intake"]
        http = httpx.AsyncClient(transport=httpx.ASGITransport(intake.app), base_url="http://intake.test")
        keys = await make_keys(intake.access, intake.partnership, folder / "keys.json")
        yield ThreeProcesses(processes, await stack.enter_async_context(http), dict(keys))


ONWARDS = [
    ("savings-intake", "send savings.submissions.v1"),
    ("savings-tracker", "process savings.submissions.v1"),
    ("savings-tracker", "send savings.entries.v1"),
    ("savings-reporting", "process savings.entries.v1"),
]


async def test_one_trace_goes_from_the_request_to_the_table(endpoint: Endpoint, tmp_path: Path) -> None:
    async with three_processes(tmp_path) as running:
        headers = {"Authorization": f"Bearer {running.keys['finance-ESX']}", "traceparent": TRACEPARENT}
        answer = await running.http.post("/v1/submissions", json=a_return(), headers=headers)
        assert answer.status_code == 201, answer.text
        await running.carry()
        assert (await running.http.get("/healthz", headers=headers)).status_code == 200
    assert endpoint.way_of(TRACE) == [("savings-intake", "POST /v1/submissions"), *ONWARDS]
    # The caller gave no other id, so that of the trace leads through the logs as well.
    correlated = [one for one in endpoint.spans if one.attributes.get("savings.correlation_id") == TRACE]
    assert len(correlated) == len(ONWARDS)
    assert not [one for one in endpoint.spans if running.keys["finance-ESX"] in str(one)]


async def test_the_table_asked_for_is_in_the_trace_of_who_asks(endpoint: Endpoint, tmp_path: Path) -> None:
    async with three_processes(tmp_path) as running:
        headers = {"Authorization": f"Bearer {running.keys['auditor']}", "traceparent": TRACEPARENT}
        transport = httpx.ASGITransport(running.processes["reporting"].app)
        async with httpx.AsyncClient(transport=transport, base_url="http://reporting.test") as http:
            assert (await http.get("/v1/tracker", headers=headers)).status_code == 200
            # A stream is open for minutes, and the address that somebody comes back to signed in has a code in it.
            assert (await http.get("/v1/tracker/events", headers=headers)).status_code == 200
            assert (await http.get("/sign-in/return?code=secret", headers=headers)).status_code == 404
    assert endpoint.way_of(TRACE) == [("savings-reporting", "GET /v1/tracker")]


async def test_two_returns_in_one_batch_of_the_reader_keep_their_own_traces(endpoint: Endpoint, tmp_path: Path) -> None:
    other = TRACE[::-1]
    async with three_processes(tmp_path) as running:
        headers = {"Authorization": f"Bearer {running.keys['finance-ESX']}"}
        for trace, workstream in ((TRACE, "ict"), (other, "waste")):
            document = a_return(workstream=workstream)
            traced = headers | {"traceparent": f"00-{trace}-{CALLER}-01"}
            assert (await running.http.post("/v1/submissions", json=document, headers=traced)).status_code == 201
        await running.carry()
    for trace in (TRACE, other):
        assert endpoint.way_of(trace) == [("savings-intake", "POST /v1/submissions"), *ONWARDS]


async def test_a_councils_event_may_bring_its_trace(endpoint: Endpoint, tmp_path: Path) -> None:
    async with three_processes(tmp_path) as running:
        attributes = {"specversion": "1.0", "id": "1", "source": "/finance", "type": "uk.savings.return.v1"}
        headers = tuple((f"ce_{name}", value.encode()) for name, value in attributes.items())
        headers = (*headers, ("content-type", b"application/json"), ("traceparent", TRACEPARENT.encode()))
        body = json.dumps(a_return()).encode()
        await running.processes["intake"].bus.publish([Message("savings.inbox.ESX", "", body, headers)])
        await running.carry()
    assert endpoint.way_of(TRACE) == [("savings-intake", "process savings.inbox.ESX"), *ONWARDS]


async def test_the_question_of_a_dry_run_is_in_its_trace(endpoint: Endpoint, tmp_path: Path) -> None:
    async with deployed(tmp_path) as deployment:
        answer = await deployment.post(
            "/v1/submissions?dry_run=true", "finance-ESX", a_return(), traceparent=TRACEPARENT
        )
        assert answer.json()["effect"] is not None, answer.text
    names = [name for _, name in endpoint.way_of(TRACE)]
    assert names[0] == "POST /v1/submissions"
    assert len(names) == 3, "the request, the question, its answer"


@pytest.mark.long
async def test_an_endpoint_that_does_not_answer_holds_nothing_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, unused_tcp_port: int
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{unused_tcp_port}")
    started = time.monotonic()
    async with three_processes(tmp_path) as running:
        headers = {"Authorization": f"Bearer {running.keys['finance-ESX']}"}
        assert (await running.http.post("/v1/submissions", json=a_return(), headers=headers)).status_code == 201
        await running.carry()
        carried = time.monotonic()
    # Three processes, one after the other, each with a last attempt of its own.
    assert carried - started < 15
    assert time.monotonic() - carried < 30


def test_where_no_endpoint_is_set_nothing_of_it_is_imported(tmp_path: Path) -> None:
    program = """if True:
        import sys
        import savings.commands
        from savings.process import Process
        from shared.settings import Settings

        assert Process(Settings()).telemetry.tracing is None
        heavy = ("opentelemetry.sdk", "opentelemetry.exporter", "opentelemetry.instrumentation", "google.protobuf")
        print([name for name in sys.modules if name.startswith(heavy)], "shared.tracing" in sys.modules)
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environment["SAVINGS_DATA_DIRECTORY"] = str(tmp_path)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[] False", done.stdout + done.stderr
