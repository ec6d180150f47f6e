"""Stating returns over HTTP on PostgreSQL, one by one and in batches, beside applications that do the least of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import asyncpg
import uvloop
from pydantic_core import from_json

import migrations
from benchmarks.asking import SHORT, Address, Requests, Times, answer_to, bare, in_turn, post, serve, serving
from benchmarks.result import Result
from deploy.local.postgres_server import PostgresServer
from services.intake.main import Intake
from services.intake.schemas import BatchIn
from services.intake.vocabulary import Vocabulary
from shared.access import Access
from shared.bus.embedded import EmbeddedBus
from shared.clock import utc_now
from shared.collector import rest_the_collector
from shared.database import Database
from shared.partnership import Council, Partnership
from shared.principal import Principal, Role
from shared.settings import Settings
from shared.web import create_app

PARTNERSHIP_FILE: Final = Path("deploy/partnerships/se7.toml")
#: As many as keep either side busy; more make neither faster.
CONNECTIONS: Final = 32
#: What ours has at most, see ``shared.database``.
FLOORS_POOL: Final = 16
IN_A_BATCH: Final = 100
LINES: Final = 8
#: So many bodies each sender has ready: to write them while asking would take the time of what is asked.
BODIES: Final = 24
BATCHES_TAKE: Final = Times(rounds=6, seconds=2.0)


class _Where(NamedTuple):
    """What a server in a process of its own has to know."""

    intake: str
    access: str
    #: What the floor answers.
    answer: bytes = b""


def run() -> list[Result]:
    """On a server of our own, thrown away afterwards."""
    with PostgresServer() as server:
        where = _Where(server.url("intake"), server.url("access"))
        return uvloop.run(_run(where))


async def _run(where: _Where) -> list[Result]:
    """Ours is intake as it is served, without the relay behind it, which has a benchmark of its own.

    Singly, 32 connections state: several of each council's, each about its council's workstreams in turn. In batches
    there is one a council. The floor of a single return keeps its body in one row, and answers as many bytes once that
    is committed. The floor of a batch has pydantic check the form as well, and keeps the returns by one statement.
    """
    partnership = _partnership()
    senders = await _prepare(where, partnership)
    many = [sender for sender, _ in zip(itertools.cycle(senders), range(CONNECTIONS), strict=False)]
    with serving(_serve_ours, where) as ours:
        return [
            await _beside_floor(
                "Stating a return",
                ours,
                where,
                lambda: [sender.returns(first) for first, sender in enumerate(many)],
                Answered(201, 1),
                ("at least", 0.6),
            ),
            await _beside_floor(
                f"Stating {IN_A_BATCH} returns in a batch",
                ours,
                where,
                lambda: [sender.batches() for sender in senders],
                Answered(200, IN_A_BATCH, BATCHES_TAKE),
                ("at least", 0.5),
            ),
        ]


class Answered(NamedTuple):
    """How a request is answered: with what status, for how many returns, and over how long a time it is measured."""

    status: int
    returns: int
    times: Times = SHORT


async def _beside_floor(
    name: str,
    ours: Address,
    where: _Where,
    requests: Callable[[], Requests],
    answered: Answered,
    goal: tuple[Any, float],
) -> Result:
    first = await answer_to(ours, next(requests()[0]))
    assert first.startswith(f"HTTP/1.1 {answered.status}".encode()), first
    with serving(_serve_floor, where._replace(answer=first)) as floor:
        asked = {ours: requests, floor: requests}
        mine, theirs = (each * answered.returns for each in await in_turn(asked, answered.status, answered.times))
    return Result(name, mine, theirs, "returns/s", mine / theirs, goal)


class _Sender:
    """A council's finance system, which states its shares of the workstreams in turn."""

    def __init__(self, council: Council, partnership: Partnership, key: str) -> None:
        self._council = council
        self._years = [str(year) for year in partnership.years]
        self._key = key
        workstreams = itertools.cycle(workstream.code for workstream in partnership.workstreams)
        returns = [self._return(next(workstreams)) for _ in range(BODIES)]
        self._bodies = [json.dumps(one).encode() for one in returns]
        cycled = itertools.cycle(returns)
        batches = [{"submissions": list(itertools.islice(cycled, IN_A_BATCH + place))[place:]} for place in range(3)]
        self._batches = [json.dumps(batch).encode() for batch in batches]

    def returns(self, first: int) -> Iterator[bytes]:
        return self._posts("/v1/submissions", itertools.islice(itertools.cycle(self._bodies), first, None))

    def batches(self) -> Iterator[bytes]:
        return self._posts("/v1/submissions/batch", itertools.cycle(self._batches))

    def _posts(self, path: str, bodies: Iterator[bytes]) -> Iterator[bytes]:
        return (post(path, self._key, body, f"Idempotency-Key: {uuid4().hex}") for body in bodies)

    def _return(self, workstream: str) -> dict[str, Any]:
        return {
            "workstream": workstream,
            "scope": self._council.gss,
            "as_at": "2011-12-07",
            "reason": "as found",
            "source": {"system": "general ledger", "reference": "P08"},
            "lines": [
                {
                    "year": self._years[place // 2],
                    "basis": ("estimate", "forecast")[place % 2],
                    "amount": f"{random.randrange(10**7)}.00",
                }
                for place in range(LINES)
            ],
        }


async def _prepare(where: _Where, partnership: Partnership) -> list[_Sender]:
    for name, database in _databases(where).items():
        await migrations.upgrade(name, database)
        await database.close()
    access_database = _databases(where)["access"]
    access = Access(access_database, utc_now)
    senders = []
    for council in partnership.councils:
        finance = Principal(f"finance-{council.register_code}", Role.FINANCE, council.gss)
        _, key = await access.create(finance, timedelta(days=1))
        senders.append(_Sender(council, partnership, key))
    await access_database.close()
    floor = await asyncpg.connect(where.intake)
    await floor.execute("CREATE TABLE intake.bodies (id uuid PRIMARY KEY, body bytea NOT NULL)")
    await floor.close()
    return senders


def _databases(where: _Where) -> dict[str, Database]:
    urls = {"intake": where.intake, "access": where.access}
    return {
        name: Database(url.replace("postgresql://", "postgresql+asyncpg://", 1), schema=name)
        for name, url in urls.items()
    }


def _serve_ours(listening: socket.socket, where: _Where) -> None:
    databases = _databases(where)
    settings = Settings(requests_per_minute=10**9)
    app = create_app(title="Intake", access=Access(databases["access"], utc_now), settings=settings)
    with tempfile.TemporaryDirectory(prefix="savings-benchmark-") as folder:
        nobody_reads = EmbeddedBus(Database(f"sqlite+aiosqlite:///{folder}/bus.db"))
        Intake(
            settings=settings,
            partnership=_partnership(),
            database=databases["intake"],
            bus=nobody_reads,
            clock=utc_now,
            tracker=None,
        ).install(app)
        rest_the_collector()
        serve(listening, app)


def _serve_floor(listening: socket.socket, where: _Where) -> None:
    vocabulary = Vocabulary(_partnership())
    pools: list[asyncpg.Pool] = []
    making = asyncio.Lock()

    async def keep(body: bytes) -> None:
        async with making:
            if not pools:
                pools.append(await asyncpg.create_pool(where.intake, min_size=FLOORS_POOL, max_size=FLOORS_POOL))
        if body.startswith(b'{"submissions"'):
            document = from_json(body)
            bounds = vocabulary.bounds(document["submissions"][0]["workstream"], utc_now().date())
            batch = BatchIn.model_validate(document, context=bounds)
            rows = [one.model_dump_json().encode() for one in batch.submissions]
            statement = "INSERT INTO intake.bodies SELECT * FROM unnest($1::uuid[], $2::bytea[])"
            await pools[0].execute(statement, [uuid4() for _ in rows], rows)
        else:
            await pools[0].execute("INSERT INTO intake.bodies VALUES ($1, $2)", uuid4(), body)

    serve(listening, bare(where.answer, keep))


def _partnership() -> Partnership:
    return Partnership.parse(PARTNERSHIP_FILE.read_text(encoding="utf-8"))
