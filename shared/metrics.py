"""Prometheus metrics: what a process counts as it goes, and what it looks up only when it is asked.

Each process has a registry of its own. What is counted costs a microsecond; lag, parked events and what waits to be
sent are looked up at a scrape. No label has more values than we have codes, tables and consumer groups.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final

import structlog
from fastapi import FastAPI, Request, Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

from shared.behind import Lag
from shared.bus.port import BusUnavailable
from shared.errors import Refused, SavingsError, Unauthenticated
from shared.settings import Settings
from shared.web import public

#: From what a good day has (tens of milliseconds) to an outage that was waited out.
END_TO_END_BUCKETS: Final = (0.025, 0.05, 0.1, 0.175, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
#: We have some fifty codes; beyond this many, whatever they are, they are counted as "other".
CODES_LIMIT: Final = 100
#: Less than Prometheus waits for all of a scrape: what cannot be looked up is left out of it, and the rest is told.
_LOOK_TIMEOUT_SECONDS: Final = 3

log = structlog.get_logger(__name__)


class Metrics:
    """The metrics of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        #: Answers over HTTP by status; the application counts them here itself.
        self.answers: dict[int, int] = {}
        self._accepted = Counter("savings_returns_accepted", "Returns that intake accepted.", registry=self.registry)
        self._refused = Counter(
            "savings_returns_refused",
            "Returns that intake refused, each under the code of the first thing that was wrong with it.",
            ["code"],
            registry=self.registry,
        )
        self._posted = Counter(
            "savings_returns_posted", "Returns that the tracker posted to the ledgers.", registry=self.registry
        )
        self._end_to_end = Histogram(
            "savings_end_to_end_seconds",
            "From the moment intake recorded a return to the moment reporting's table shows it.",
            buckets=END_TO_END_BUCKETS,
            registry=self.registry,
        )
        self._lag_messages = Gauge(
            "savings_lag_messages", "Messages that have not had their effects yet.", ["group"], registry=self.registry
        )
        self._lag_seconds = Gauge(
            "savings_lag_seconds",
            "For how long the first of them has been seen waiting.",
            ["group"],
            registry=self.registry,
        )
        self._parked = Gauge(
            "savings_parked", "Events set aside because they cannot be handled.", ["table"], registry=self.registry
        )
        self._waiting = Gauge("savings_outbox_waiting", "Events not sent yet.", ["table"], registry=self.registry)
        self.registry.register(_Answers(self.answers))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._codes: set[str] = set()
        self._looks: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._one_scrape = asyncio.Lock()

    def accepted(self, returns: int) -> None:
        self._accepted.inc(returns)

    def refused(self, error: SavingsError) -> None:
        """A return was refused. An outage of ours is no refusal: the same return may come again."""
        if error.status >= 500:
            return
        code = error.faults[0].code if isinstance(error, Refused) and error.faults else error.code
        if code not in self._codes and len(self._codes) >= CODES_LIMIT:
            code = "other"
        self._codes.add(code)
        self._refused.labels(code).inc()

    def posted(self, returns: int) -> None:
        self._posted.inc(returns)

    def shown(self, recorded: Iterable[datetime], now: datetime) -> None:
        """The table shows returns that were recorded at these moments."""
        for moment in recorded:
            # Two machines' clocks: a return may seem to have been shown before it was recorded.
            self._end_to_end.observe(max((now - moment).total_seconds(), 0))

    def look_up_lag(self, group: str, lag: Callable[[], Awaitable[Lag | None]]) -> None:
        """At each scrape ask ``lag``; None where it cannot be told just now."""

        async def look() -> None:
            if (found := await lag()) is not None:
                self._lag_messages.labels(group).set(found.messages)
                self._lag_seconds.labels(group).set(found.seconds)

        self._looks.append((group, look))

    def look_up_parked(self, table: str, count: Callable[[], Awaitable[int]]) -> None:
        """At each scrape ask ``count`` how many events stand parked in a table."""
        self._look_up(self._parked, table, count)

    def look_up_waiting(self, table: str, count: Callable[[], Awaitable[int]]) -> None:
        """At each scrape ask ``count`` how many events wait in an outbox."""
        self._look_up(self._waiting, table, count)

    async def text(self) -> bytes:
        """Everything, in Prometheus' text format. What cannot be looked up just now is left out, never told wrong."""
        async with self._one_scrape:
            for gauge in (self._lag_messages, self._lag_seconds, self._parked, self._waiting):
                gauge.clear()
            for name, look in self._looks:
                try:
                    async with asyncio.timeout(_LOOK_TIMEOUT_SECONDS):
                        await look()
                except (SavingsError, BusUnavailable, TimeoutError) as error:
                    log.warning("metrics.not_known", about=name, error=repr(error))
            return generate_latest(self.registry)

    def _look_up(self, gauge: Gauge, table: str, count: Callable[[], Awaitable[int]]) -> None:
        async def look() -> None:
            # Asked first: a label that has been named is told, as 0.
            found = await count()
            gauge.labels(table).set(found)

        self._looks.append((table, look))


class _Answers(Collector):
    """The answers by status, from plain counts: they are on the way of every request."""

    def __init__(self, answers: dict[int, int]) -> None:
        self._answers = answers

    def collect(self) -> Sequence[CounterMetricFamily]:
        family = CounterMetricFamily("savings_http_answers", "Answers over HTTP.", labels=["status"])
        for status, count in sorted(self._answers.items()):
            family.add_metric([str(status)], count)
        return [family]


def install_metrics(app: FastAPI, metrics: Metrics, settings: Settings) -> None:
    """``/metrics``: for whoever has the token, or where none is set for whoever reaches the process itself.

    No proxy of ours passes it on.
    """
    token = settings.metrics_token.get_secret_value()

    @app.get("/metrics", include_in_schema=False)
    @public
    async def told(request: Request) -> Response:
        if token:
            request.app.state.gate.require_few_failures(request)
            presented = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not secrets.compare_digest(presented.encode(), token.encode()):
                request.app.state.gate.count_failure(request)
                raise Unauthenticated("The metrics are told to whoever has their token.", "Send it as a bearer token.")
        return Response(await metrics.text(), media_type=CONTENT_TYPE_PLAIN_0_0_4)
