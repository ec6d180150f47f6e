"""Returns sent to a running service from several threads' worth of tasks, with a record of what was acknowledged."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import httpx

YEARS = ("2011/12", "2012/13", "2013/14", "2014/15")


@dataclass
class Acknowledged:
    """What the service has said 201 to: idempotency key -> submission id. A retry must be told the same id."""

    ids: dict[str, str] = field(default_factory=dict)
    attempts: int = 0
    retried: int = 0


@dataclass
class Sender:
    """One finance system or lead: sends returns one after the other, and each again until it is acknowledged."""

    name: str
    key: str
    workstream: str
    scope: str
    chance: random.Random
    sent: int = 0

    async def send_until(self, stop: asyncio.Event, url: str, acknowledged: Acknowledged) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=5) as client:
            while not stop.is_set():
                self.sent += 1
                await self._send(client, f"{self.name}-{self.workstream}-{self.sent}", stop, acknowledged)

    async def _send(self, client: httpx.AsyncClient, key: str, stop: asyncio.Event, acknowledged: Acknowledged) -> None:
        document = {
            "workstream": self.workstream,
            "scope": self.scope,
            "as_at": "2011-12-07",
            "reason": "load",
            "lines": [
                {"year": year, "basis": "estimate", "amount": f"{self.chance.randrange(10**6)}.00"} for year in YEARS
            ],
        }
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": key}
        first = True
        while True:
            acknowledged.attempts += 1
            acknowledged.retried += not first
            try:
                answer = await client.post("/v1/submissions", json=document, headers=headers)
            except httpx.TransportError:
                # The process was killed with this return under way: whether it was kept is not known, so it goes again.
                if stop.is_set():
                    return
                first = False
                await asyncio.sleep(0.02)
                continue
            assert answer.status_code == 201, answer.text
            told = answer.json()["id"]
            assert acknowledged.ids.setdefault(key, told) == told
            return
