"""The description of what travels on Kafka, against AsyncAPI's own schema, the broker's files, code and messages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from deploy.kafka.desired import Operation, Pattern, Resource, council_inbox, council_user, read_desired
from savings.contracts import EVENTS
from shared.bus.kafka import Cluster
from shared.bus.port import Message
from shared.events import (
    ENTRIES_POSTED,
    ENTRIES_TOPIC,
    INTAKE_SOURCE,
    REJECTIONS_TOPIC,
    RETURN_ACCEPTED,
    RETURN_POSTED,
    RETURN_REJECTED,
    SUBMISSIONS_TOPIC,
    TRACKER_SOURCE,
)
from tests.contracts.golden import golden, names

FILE = Path("docs/asyncapi.yaml")
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
REGISTER = "ESX"
INBOX = "savings.inbox.{register}"
#: The source of each event that we write.
SOURCES = {RETURN_ACCEPTED: INTAKE_SOURCE, ENTRIES_POSTED: TRACKER_SOURCE, RETURN_REJECTED: INTAKE_SOURCE}
TOLD_OF_A_TOPIC = {"cleanup.policy", "retention.ms", "max.message.bytes"}


def referred(reference: str) -> Any:
    """What a reference of the document leads to, in it or in a file beside it."""
    file, _, pointer = reference.partition("#")
    found: Any = json.loads((FILE.parent / file).read_text(encoding="utf-8")) if file else DOCUMENT
    for part in pointer.split("/")[1:]:
        found = found[part]
    return found


def whole(part: Any) -> Any:
    """The part with what it refers to in its place; the definitions of a schema stay its own."""
    match part:
        case {"$ref": str(reference), **others} if not reference.startswith("#/$defs/"):
            return {**whole(referred(reference)), **others}
        case dict():
            return {name: whole(value) for name, value in part.items()}
        case list():
            return [whole(value) for value in part]
        case _:
            return part


def references(part: Any) -> Iterator[str]:
    match part:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for value in part.values():
                yield from references(value)
        case list():
            for value in part:
                yield from references(value)


def channel_of(operation: dict[str, Any]) -> dict[str, Any]:
    channel: dict[str, Any] = referred(operation["channel"]["$ref"])
    return channel


def of_service(service: str, action: str) -> set[str]:
    """The topics on which the service does that, as the document has it; ESX stands for every council."""
    return {
        channel_of(one)["address"].format(register=REGISTER)
        for one in DOCUMENT["operations"].values()
        if one["action"] == action and one["tags"] == [{"name": service}]
    }


def test_it_is_asyncapi_3() -> None:
    schema = json.loads(Path("tests/contracts/asyncapi/3.0.0.json").read_text(encoding="utf-8"))
    Draft7Validator(schema).validate(DOCUMENT)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(DOCUMENT))
    assert len(found) > 10
    for reference in found:
        assert referred(reference), reference


def test_it_has_the_version_of_the_api() -> None:
    api = json.loads(Path("docs/openapi.json").read_text(encoding="utf-8"))
    assert DOCUMENT["info"]["version"] == api["info"]["version"]


def test_the_topics_are_those_that_the_broker_is_given() -> None:
    desired = read_desired([REGISTER])
    told = {one["address"].format(register=REGISTER): one["bindings"]["kafka"] for one in DOCUMENT["channels"].values()}
    assert set(told) == {topic.name for topic in desired.topics}
    for topic in desired.topics:
        kafka = told[topic.name]
        assert kafka["partitions"] == topic.partitions
        configured = {name: topic.config[name] for name in kafka["topicConfiguration"]}
        said = {
            **kafka["topicConfiguration"],
            "cleanup.policy": ",".join(kafka["topicConfiguration"]["cleanup.policy"]),
        }
        assert {name: str(value) for name, value in said.items()} == configured
        assert set(configured) == TOLD_OF_A_TOPIC


def test_each_type_of_event_stands_on_its_topic_with_its_schema() -> None:
    stands = {
        (channel["address"], message["name"])
        for channel in whole(DOCUMENT["channels"]).values()
        for message in channel["messages"].values()
    }
    assert stands == {
        (INBOX, RETURN_POSTED),
        (SUBMISSIONS_TOPIC, RETURN_ACCEPTED),
        (ENTRIES_TOPIC, ENTRIES_POSTED),
        (REJECTIONS_TOPIC, RETURN_REJECTED),
    }
    assert INBOX.format(register=REGISTER) == council_inbox(REGISTER)
    for message in DOCUMENT["components"]["messages"].values():
        [file] = set(references(message["payload"]))
        assert file == f"./events/{message['name']}.schema.json"
    assert {message["name"] for message in DOCUMENT["components"]["messages"].values()} == set(EVENTS)


@pytest.mark.parametrize("service", ["intake", "tracker", "reporting"])
def test_each_service_does_what_the_broker_lets_it_and_no_more(service: str) -> None:
    may: dict[Operation, set[str]] = {Operation.READ: set(), Operation.WRITE: set()}
    desired = read_desired([REGISTER])
    for acl in desired.acls:
        if acl.principal == f"User:{service}" and acl.resource is Resource.TOPIC and acl.operation in may:
            name = acl.name + (REGISTER if acl.pattern is Pattern.PREFIXED else "")
            may[acl.operation].add(name)
    assert of_service(service, "receive") == may[Operation.READ]
    assert of_service(service, "send") == may[Operation.WRITE]
    groups = {acl.name for acl in desired.acls if acl.principal == f"User:{service}" and acl.resource is Resource.GROUP}
    told = {
        group
        for one in DOCUMENT["operations"].values()
        if one["tags"] == [{"name": service}] and one["action"] == "receive"
        for group in one["bindings"]["kafka"]["groupId"]["enum"]
    }
    assert told == groups


def test_no_operation_is_of_another_service() -> None:
    services = [one["tags"][0]["name"] for one in DOCUMENT["operations"].values()]
    assert set(services) == {"intake", "tracker", "reporting"}


def test_who_signs_in_does_so_as_the_broker_asks() -> None:
    [server] = DOCUMENT["servers"].values()
    [scheme] = whole(server["security"])
    assert scheme["type"] == "scramSha512"
    assert read_desired([REGISTER]).broker_settings["sasl.enabled.mechanisms"] == "SCRAM-SHA-512"
    assert Cluster("kafka", "user", "secret").options()["sasl_mechanism"] == "SCRAM-SHA-512"
    assert council_user(REGISTER) in read_desired([REGISTER]).users


@pytest.mark.parametrize(("event_type", "name"), [(kind, name) for kind in EVENTS for name in sorted(names(kind))])
def test_real_messages_are_as_it_describes_them(event_type: str, name: str) -> None:
    message = golden(event_type, name)
    described = [one for one in DOCUMENT["components"]["messages"].values() if fits(whole(one), message)]
    if (event_type, name) in {(RETURN_POSTED, "faulty"), (RETURN_POSTED, "no-text")}:
        assert described == []
        return
    [one] = described
    assert one["name"] == event_type
    if event_type in SOURCES:
        assert dict(message.headers)["ce_source"].decode() == SOURCES[event_type]
        key = whole(one["bindings"]["kafka"]["key"])
        Draft7Validator(key).validate(message.key)
        assert not Draft7Validator(key).is_valid(f"{message.key} ")


def fits(described: dict[str, Any], message: Message) -> bool:
    headers = {name: value.decode() for name, value in message.headers}
    try:
        content = json.loads(message.value)
    except ValueError:
        return False
    return Draft7Validator(described["headers"]).is_valid(headers) and payload(described).is_valid(content)


def payload(described: dict[str, Any]) -> Draft202012Validator:
    """The payload's schema, with the definitions of the schema in it moved to where it refers to them."""
    schema = described["payload"]["schema"]
    definitions = schema.get("$defs") or schema["properties"]["data"].get("$defs", {})
    return Draft202012Validator({**schema, "$defs": definitions})
