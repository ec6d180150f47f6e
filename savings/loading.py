"""Sending a file of returns over HTTP, each with the key of the one who states it, as its sender would."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx


class UnusableFile(Exception):
    """The file cannot be sent; the text says what is wrong with it and what to do."""


@dataclass(frozen=True)
class Prepared:
    """A return as it stands in the file: by whose key it goes, and under which idempotency key."""

    sent_by: str
    idempotency_key: str
    content: Mapping[str, Any]

    @property
    def title(self) -> str:
        return f"{self.content.get('workstream', '?')}, {self.content.get('scope', '?')}"


@dataclass(frozen=True)
class Answer:
    """What the service said to one return."""

    prepared: Prepared
    status: int
    replayed: bool
    body: Mapping[str, Any]

    @property
    def accepted(self) -> bool:
        return self.status == 201


def read_returns(path: Path) -> Sequence[Prepared]:
    """Read a file of returns: ``{"returns": [{"sent_by": ..., "idempotency_key": ..., "return": {...}}]}``.

    Raises:
        UnusableFile: naming the item at fault.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UnusableFile(f"{path} is not JSON in UTF-8: {error}.") from error
    items = document.get("returns") if isinstance(document, dict) else None
    if not isinstance(items, list) or not items:
        raise UnusableFile(f"{path} holds no returns: it needs a list named 'returns'.")
    wrong = [
        f"item {number} needs 'sent_by', 'idempotency_key' and 'return'"
        for number, item in enumerate(items, 1)
        if not (isinstance(item, dict) and {"sent_by", "idempotency_key", "return"} <= item.keys())
    ]
    if wrong:
        raise UnusableFile(f"{path}: {'; '.join(wrong)}.")
    return [Prepared(str(item["sent_by"]), str(item["idempotency_key"]), item["return"]) for item in items]


def read_keys(path: Path) -> Mapping[str, str]:
    """Read a file of keys by name: ``{"lead-ict": "sav_..."}``.

    Raises:
        UnusableFile: when it cannot be read.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableFile(f"{path} cannot be read: {error.strerror}. 'savings demo' writes one.") from error
    except ValueError as error:
        raise UnusableFile(f"{path} is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise UnusableFile(f"{path} does not hold keys by name.")
    return {str(name): str(key) for name, key in found.items()}


async def send(url: str, returns: Sequence[Prepared], keys: Mapping[str, str]) -> AsyncIterator[Answer]:
    """Post the returns one after the other; yields the answer to each. Sent again, they are answered as replays.

    Raises:
        UnusableFile: a return is sent by somebody whose key is not there; nothing has been sent then.
        httpx.TransportError: the service does not answer.
    """
    missing = sorted({prepared.sent_by for prepared in returns} - keys.keys())
    if missing:
        raise UnusableFile(f"There is no key for {', '.join(missing)}.")
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        for prepared in returns:
            response = await client.post(
                "/v1/submissions",
                json=prepared.content,
                headers={
                    "Authorization": f"Bearer {keys[prepared.sent_by]}",
                    "Idempotency-Key": prepared.idempotency_key,
                },
            )
            yield Answer(
                prepared, response.status_code, response.headers.get("Idempotent-Replayed") == "true", response.json()
            )
