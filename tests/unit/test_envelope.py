"""An event's envelope: CloudEvents 1.0 in Kafka's binary mode, as the CloudEvents library writes and reads it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import to_binary
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from shared.bus.envelope import DATA_AS_IT_IS, Event, PoisonMessage, from_message, to_message
from shared.bus.port import Received, TopicPartition

TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=("C", "Z")), min_size=1)
EVENTS = st.builds(
    Event,
    id=TEXT,
    source=st.just("/savings/intake"),
    type=st.sampled_from(["uk.savings.return.accepted.v1", "uk.savings.entries.posted.v1"]),
    key=TEXT,
    time=st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is beside it
    data=st.binary(min_size=1),
    correlation_id=st.none() | TEXT,
)


def received(event: Event) -> Received:
    sent = to_message("a-topic", event)
    return Received(TopicPartition(sent.topic, 0), 0, sent.key, sent.value, sent.headers)


def as_the_library_writes(event: Event) -> tuple[tuple[str, bytes], ...]:
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.key,
        "time": event.time,
        "datacontenttype": "application/json",
        "partitionkey": event.key,
    }
    if event.correlation_id:
        attributes["correlationid"] = event.correlation_id
    return tuple(to_binary(CloudEvent(attributes, event.data), DATA_AS_IT_IS).headers.items())


@given(EVENTS)
def test_our_headers_are_those_that_the_library_writes_to_the_byte(event: Event) -> None:
    assert to_message("a-topic", event).headers == as_the_library_writes(event)


@given(EVENTS)
def test_what_we_write_the_library_reads_as_it_was(event: Event) -> None:
    assert from_message(received(event)) == event


@pytest.mark.parametrize("missing", ["ce_id", "ce_source", "ce_type", "ce_specversion"])
def test_a_message_without_an_attribute_that_every_event_has_is_poison(missing: str) -> None:
    event = Event("1", "/savings/intake", "a.type", "ict|partnership", datetime(2011, 12, 7, tzinfo=UTC), b"{}")
    whole = received(event)
    headers = tuple((name, value) for name, value in whole.headers if name != missing)
    with pytest.raises(PoisonMessage, match="CloudEvents"):
        from_message(Received(whole.at, whole.offset, whole.key, whole.value, headers))
