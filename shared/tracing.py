"""OpenTelemetry traces, where an endpoint for them is set; nobody imports this where none is.

One trace goes with a return: the request, its sending, the posting, the sending of what was posted, the folding.
Between them it travels as ``traceparent`` (W3C Trace Context) in the headers of the messages. The provider is the
process's own, not OpenTelemetry's global one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, TypeVar

import httpx
from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.bus.port import Headers, Message, Received
from shared.correlation import (
    TRACEPARENT_HEADER,
    correlation_id_of,
    traceparent_now,
    traceparent_of,
    with_traceparent,
)

#: Asked every few seconds by machines; a stream, open for minutes; an address with a code in it that signs somebody in.
_NOT_TRACED: Final = "/healthz$,/readyz$,/metrics$,/v1/tracker/events$,/sign-in/return$"

Carrier = TypeVar("Carrier", Message, Received)


class Tracing:
    """The traces of one process. Where they go and how many are kept the ``OTEL_*`` variables say."""

    def __init__(self, service: str) -> None:
        named = Resource.create({"service.name": service, "service.namespace": "savings"})
        # What the operator calls it in OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES goes before what we do.
        self._provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("savings")
        self._propagator = TraceContextTextMapPropagator()

    def install(self, app: FastAPI) -> None:
        """A span for every request, and for what is said over HTTP while it is answered."""

        def request_begins(span: Span, _scope: Mapping[str, Any]) -> None:
            traceparent_now.set(self._text_of(span))

        FastAPIInstrumentor.instrument_app(
            app,
            server_request_hook=request_begins,
            tracer_provider=self._provider,
            excluded_urls=_NOT_TRACED,
            exclude_spans=["receive", "send"],
        )
        # The spans are made on the framework's way to an endpoint: see shared.direct.
        app.state.is_traced = True

    def install_client(self, client: httpx.AsyncClient) -> None:
        HTTPXClientInstrumentor.instrument_client(client, tracer_provider=self._provider)

    @contextmanager
    def sending(self, messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
        """A span for each message while all of them are sent; gives the messages as they are to go."""
        with self._spans("send", SpanKind.PRODUCER, [(message.topic, message) for message in messages]) as carriers:
            yield carriers

    @contextmanager
    def handling(self, batch: Sequence[Received]) -> Iterator[Sequence[Received]]:
        """A span for each message while the batch has its effects; gives the messages that its handler is to see."""
        with self._spans(
            "process", SpanKind.CONSUMER, [(received.at.topic, received) for received in batch]
        ) as carriers:
            yield carriers

    def close(self) -> None:
        """Send what has not been sent yet. It may take seconds where the endpoint does not answer."""
        self._provider.shutdown()

    @contextmanager
    def _spans(self, verb: str, kind: SpanKind, carriers: Sequence[tuple[str, Carrier]]) -> Iterator[Sequence[Carrier]]:
        spans = [self._span(verb, kind, topic, carrier.headers) for topic, carrier in carriers]
        carried = [
            replace(carrier, headers=with_traceparent(carrier.headers, self._text_of(span)))
            for (_, carrier), span in zip(carriers, spans, strict=True)
        ]
        try:
            yield carried
        except Exception as error:
            for span in spans:
                span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
        finally:
            for span in spans:
                span.end()

    def _span(self, verb: str, kind: SpanKind, topic: str, headers: Headers) -> Span:
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.name": verb,
            "messaging.destination.name": topic,
        }
        if (correlation_id := correlation_id_of(headers)) is not None:
            attributes["savings.correlation_id"] = correlation_id
        return self._tracer.start_span(
            f"{verb} {topic}",
            context=self._propagator.extract({TRACEPARENT_HEADER: traceparent_of(headers) or ""}),
            kind=kind,
            attributes=attributes,
        )

    def _text_of(self, span: Span) -> str:
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, set_span_in_context(span))
        return carrier.get(TRACEPARENT_HEADER, "")
