"""What ``/metrics`` tells: counted to the one, and named as the dashboard and the alerts expect it."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from savings.process import Process
from services.reporting import store as reporting_store
from shared.bus.envelope import Event, to_message
from shared.bus.port import Message
from shared.clock import utc_now
from shared.errors import Fault, Refused, Unavailable
from shared.events import SUBMISSIONS_TOPIC
from shared.metrics import CODES_LIMIT, Metrics
from tests.builders import KENT, a_line, a_return
from tests.deployment import Deployment, deployed
from tests.settings import settings_in

DASHBOARD = json.loads(Path("deploy/dashboards/savings.json").read_text(encoding="utf-8"))
ALERTS = yaml.safe_load(Path("deploy/monitoring/alerts.yml").read_text(encoding="utf-8"))
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
EXPRESSIONS += [rule["expr"] for group in ALERTS["groups"] for rule in group["rules"]]

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
async def deployment(tmp_path: Path) -> AsyncIterator[Deployment]:
    async with deployed(tmp_path) as deployment:
        yield deployment


def parsed(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def scraped(deployment: Deployment) -> Samples:
    answer = await deployment.http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return parsed(answer.text)


def of(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, tuple(sorted(labels.items()))]


def refused_by_code(samples: Samples) -> dict[str, float]:
    return {labels[0][1]: value for (name, labels), value in samples.items() if name == "savings_returns_refused_total"}


async def test_returns_are_counted_once_as_accepted_refused_and_posted(deployment: Deployment) -> None:
    good, other = a_return(), a_return(a_line(year="2012/13"))
    bad_amount = a_return(a_line(amount="lots"), a_line(year="1999/00"))
    keyed = {"Idempotency-Key": "once"}

    assert (await deployment.post("/v1/submissions", "finance-ESX", good, **keyed)).status_code == 201
    # Said again it is answered again, and is no second return.
    assert (await deployment.post("/v1/submissions", "finance-ESX", good, **keyed)).status_code == 201
    assert (await deployment.post("/v1/submissions", "finance-ESX", bad_amount)).status_code == 422
    assert (await deployment.post("/v1/submissions", "finance-ESX", a_return(scope=KENT))).status_code == 403
    batch = await deployment.post("/v1/submissions/batch", "finance-ESX", [other, bad_amount])
    assert [result["status"] for result in batch.json()["results"]] == [201, 422]
    none = await deployment.post(
        "/v1/submissions/batch?atomic=true", "finance-ESX", [a_return(as_at="x"), a_return(a_line(year="2013/14"))]
    )
    assert none.status_code == 422
    for path in ("/v1/submissions", "/v1/submissions?dry_run=true"):
        headers = {**deployment.credential("finance-ESX"), "Content-Type": "application/json"}
        assert (await deployment.http.post(path, content=b"{", headers=headers)).status_code == 400
    # A dry run states nothing, and nothing is refused in one.
    for document in (a_return(a_line(year="2013/14")), bad_amount, "none"):
        await deployment.post("/v1/submissions?dry_run=true", "finance-ESX", document)
    await deployment.settle()

    samples = await scraped(deployment)
    assert of(samples, "savings_returns_accepted_total") == 2
    assert refused_by_code(samples) == {"not-an-amount": 2, "forbidden": 1, "not-a-date": 1, "unreadable": 1}
    assert of(samples, "savings_returns_posted_total") == 2
    assert of(samples, "savings_end_to_end_seconds_count") == 2
    assert of(samples, "savings_http_answers_total", status="201") == 2
    assert 0 < of(samples, "savings_end_to_end_seconds_sum") < 60
    assert of(samples, "process_resident_memory_bytes") > 1_000_000


async def test_what_comes_on_a_councils_topic_is_counted_as_over_http(deployment: Deployment) -> None:
    intake = deployment.process.intake
    assert intake is not None

    def event(name: str, document: Any) -> Message:
        headers = {"ce_specversion": "1.0", "ce_id": name, "ce_source": "/finance", "ce_type": "uk.savings.return.v1"}
        pairs = tuple((header, text.encode()) for header, text in headers.items())
        body = json.dumps(document).encode()
        return Message("savings.inbox.ESX", "", body, (*pairs, ("content-type", b"application/json")))

    async with intake.consuming.subscribed() as consumer:
        await deployment.process.bus.publish(
            [event("1", a_return()), event("2", a_return(scope=KENT)), event("1", a_return())]
        )
        before = await scraped(deployment)
        assert of(before, "savings_lag_messages", group="savings.intake") == 3
        while await intake.consuming.run_once(consumer, 0):
            pass
        after = await scraped(deployment)
    assert of(before, "savings_returns_accepted_total") == 0
    assert of(after, "savings_returns_accepted_total") == 1
    assert refused_by_code(after) == {"forbidden": 1}
    assert of(after, "savings_lag_messages", group="savings.intake") == 0


async def test_lag_is_what_waits_and_since_when(deployment: Deployment) -> None:
    assert deployment.process.intake is not None
    assert deployment.process.tracker is not None
    assert deployment.process.reporting is not None
    now = [1_000.0]
    for reader in (deployment.process.tracker.consuming, deployment.process.reporting.consuming):
        reader._seconds = lambda: now[0]
    for year in ("2011/12", "2012/13", "2013/14"):
        await deployment.post("/v1/submissions", "finance-ESX", a_return(a_line(year=year)))
    samples = await scraped(deployment)
    assert of(samples, "savings_outbox_waiting", table="intake.outbox") == 3
    assert of(samples, "savings_lag_messages", group="savings.tracker") == 0

    await deployment.process.intake.relay.run_once()
    samples = await scraped(deployment)
    assert of(samples, "savings_outbox_waiting", table="intake.outbox") == 0
    assert of(samples, "savings_lag_messages", group="savings.tracker") == 3
    assert of(samples, "savings_lag_seconds", group="savings.tracker") == 0
    now[0] += 90
    samples = await scraped(deployment)
    assert of(samples, "savings_lag_seconds", group="savings.tracker") == 90
    assert of(samples, "savings_lag_seconds", group="savings.reporting") == 0

    await deployment.settle()
    samples = await scraped(deployment)
    for group in ("savings.tracker", "savings.reporting"):
        assert of(samples, "savings_lag_messages", group=group) == 0
        assert of(samples, "savings_lag_seconds", group=group) == 0


async def test_parked_is_what_stands_in_each_table(deployment: Deployment) -> None:
    assert deployment.process.tracker is not None
    nonsense = Event("1", "/elsewhere", "of.another.type", "ict/partnership", utc_now(), b"{}")
    await deployment.process.bus.publish([to_message(SUBMISSIONS_TOPIC, nonsense)])
    await deployment.settle()
    samples = await scraped(deployment)
    assert of(samples, "savings_parked", table="tracker.parked") == 1
    assert {labels[0][1] for name, labels in samples if name == "savings_parked"} == {
        *("intake.outbox", "intake.parked", "tracker.outbox", "tracker.parked", "reporting.parked")
    }
    assert sum(value for (name, _), value in samples.items() if name == "savings_parked") == 1
    assert of(samples, "savings_returns_posted_total") == 0


async def test_what_cannot_be_looked_up_is_left_out_and_the_rest_is_told(deployment: Deployment) -> None:
    assert deployment.process.reporting is not None
    async with deployment.process.reporting.database.write() as connection:
        await connection.execute(reporting_store.consumed.parked.insert().values(**_A_PARKED_ROW))
    assert of(await scraped(deployment), "savings_parked", table="reporting.parked") == 1

    async def away() -> int:
        raise Unavailable("away")

    metrics = deployment.process.telemetry.metrics
    metrics._looks.clear()
    metrics.look_up_parked("reporting.parked", away)
    samples = await scraped(deployment)
    assert not [labels for name, labels in samples if name == "savings_parked"]
    assert of(samples, "savings_returns_accepted_total") == 0


_A_PARKED_ROW = {
    "topic": "savings.entries.v1",
    "partition": 0,
    "offset": 7,
    "key": "ict/partnership",
    "reason": "a test",
    "value": b"{}",
    "parked_at": utc_now(),
}


async def test_with_a_token_only_its_bearer_reads_them(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, metrics_token=SecretStr("for-prometheus"))
    async with deployed(tmp_path, settings=settings) as deployment:
        assert (await deployment.http.get("/metrics")).status_code == 401
        for presented in ("wrong", deployment.keys["office"], ""):
            headers = {"Authorization": f"Bearer {presented}"}
            assert (await deployment.http.get("/metrics", headers=headers)).status_code == 401
        headers = {"Authorization": "Bearer for-prometheus"}
        assert (await deployment.http.get("/metrics", headers=headers)).status_code == 200


def test_no_label_grows_without_end_and_an_outage_is_no_refusal() -> None:
    metrics = Metrics()
    for number in range(CODES_LIMIT + 50):
        metrics.refused(Refused("refused", [Fault("", f"code-{number}", "", "")]))
    metrics.refused(Unavailable("away"))
    values = [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "savings_returns_refused_total"
    ]
    assert len(values) == CODES_LIMIT + 1
    assert sum(sample.value for sample in values) == CODES_LIMIT + 50
    assert next(sample.value for sample in values if sample.labels["code"] == "other") == 50


async def test_two_processes_in_one_count_each_for_itself(tmp_path: Path) -> None:
    one, other = Process(settings_in(tmp_path)), Process(settings_in(tmp_path))
    one.telemetry.metrics.accepted(3)
    assert of(parsed((await one.telemetry.metrics.text()).decode()), "savings_returns_accepted_total") == 3
    assert of(parsed((await other.telemetry.metrics.text()).decode()), "savings_returns_accepted_total") == 0
    await one.close()
    await other.close()


async def test_dashboard_and_alerts_ask_only_for_what_there_is(deployment: Deployment) -> None:
    await deployment.post("/v1/submissions", "finance-ESX", a_return(a_line(amount="lots")))
    intake = deployment.process.intake
    assert intake is not None
    async with intake.consuming.subscribed():
        told = {name for name, _ in await scraped(deployment)} | {"up"}
    asked = {name for one in EXPRESSIONS for name in re.findall(r"\b(?:up|(?:savings|process|python)_\w+)\b", one)}
    assert len(asked) > 7
    assert asked <= told
    # What a query groups by is a label of that metric, or one that Prometheus gives its targets.
    assert {label for one in EXPRESSIONS for label in re.findall(r"by \((\w+)\)", one)} <= {"service", "le", "code"}
