"""Messages as they once stood on the topics, kept to the byte: headers, an empty line, the body as it is.

The first two headers are not the message's own: its topic, and its key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.bus.port import Message

GOLDEN = Path("tests/contracts/golden")
SUFFIX = ".message"


def golden(event_type: str, name: str) -> Message:
    head, body = (GOLDEN / event_type / f"{name}{SUFFIX}").read_bytes().split(b"\n\n", 1)
    (_, topic), (_, key), *headers = (line.split(b": ", 1) for line in head.split(b"\n"))
    return Message(topic.decode(), key.decode(), body, tuple((name.decode(), value) for name, value in headers))


def names(event_type: str) -> set[str]:
    return {path.name.removesuffix(SUFFIX) for path in (GOLDEN / event_type).iterdir()}


def data_of(message: Message) -> Any:
    """What the event says, in either mode; a body that is no JSON as its bytes."""
    try:
        document = json.loads(message.value)
    except ValueError:
        return message.value
    if not dict(message.headers).get("content-type", b"").startswith(b"application/cloudevents"):
        return document
    return json.loads(base64.b64decode(document["data_base64"])) if "data_base64" in document else document["data"]


def covers(found: Any, expected: Any, besides: frozenset[str] = frozenset()) -> bool:
    """Whether all that was expected is there; fields that were added since are no fault, and ``besides`` may differ."""
    if isinstance(expected, Mapping):
        wanted = {name: value for name, value in expected.items() if name not in besides}
        return isinstance(found, Mapping) and all(
            name in found and covers(found[name], value, besides) for name, value in wanted.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(found, list)
            and len(found) == len(expected)
            and all(covers(one, value, besides) for one, value in zip(found, expected, strict=True))
        )
    return bool(found == expected)
