"""Stating returns over HTTP on PostgreSQL, one by one and in batches, beside applications that do the least of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import asyncpg
import uvloop
from pydantic_core import from_json

import migrations
from benchmarks.asking import Address, Requests, answer_to, bare, in_turn, post, serve, serving
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
CONNECTIONS: Final = 8
IN_A_BATCH: Final = 100
LINES: Final = 8


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

    Each connection is a council's finance system that states returns of one workstream. The floor of a single return
    keeps its body in one row, and answers as many bytes once that is committed. The floor of a batch has pydantic
    check the form as well, and keeps the returns by one statement.
    """
    partnership = _partnership()
    senders = await _prepare(where, partnership)
    with serving(_serve_ours, where) as ours:
        return [
            await _beside_floor("Stating a return", "returns/s", ours, where, senders, "", 1, ("at least", 0.6)),
            await _beside_floor(
                f"Stating {IN_A_BATCH} returns in a batch",
                "returns/s",
                ours,
                where,
                senders,
                "/batch",
                IN_A_BATCH,
                ("at least", 0.5),
            ),
        ]


async def _beside_floor(
    name: str,
    unit: str,
    ours: Address,
    where: _Where,
    senders: Sequence[_Sender],
    path: str,
    returns: int,
    goal: tuple[Any, float],
) -> Result:
    status = 200 if path else 201

    def requests() -> Requests:
        return [sender.requests(path, returns) for sender in senders]

    first = await answer_to(ours, next(requests()[0]))
    assert first.startswith(f"HTTP/1.1 {status}".encode()), first
    with serving(_serve_floor, where._replace(answer=first)) as floor:
        mine, theirs = await in_turn({ours: requests, floor: requests}, status)
    return Result(name, mine * returns, theirs * returns, unit, mine / theirs, goal)


class _Sender:
    """A council's finance system, which states returns of one workstream: nobody waits for another's stream."""

    def __init__(self, council: Council, workstream: str, years: Sequence[str], key: str) -> None:
        self._council = council
        self._workstream = workstream
        self._years = years
        self._key = key

    def requests(self, path: str, returns: int) -> Iterator[bytes]:
        for _ in itertools.count():
            if returns == 1:
                sent, key = self._return(), f"Idempotency-Key: {uuid4().hex}"
                yield post("/v1/submissions", self._key, json.dumps(sent).encode(), key)
            else:
                batch = {"submissions": [self._return() | {"idempotency_key": uuid4().hex} for _ in range(returns)]}
                yield post(f"/v1/submissions{path}", self._key, json.dumps(batch).encode())

    def _return(self) -> dict[str, Any]:
        return {
            "workstream": self._workstream,
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
    years = [str(year) for year in partnership.years]
    senders = []
    streams = ((council, workstream) for workstream in partnership.workstreams for council in partnership.councils)
    for council, workstream in itertools.islice(streams, CONNECTIONS):
        finance = Principal(f"finance-{council.register_code}", Role.FINANCE, council.gss)
        _, key = await access.create(finance, timedelta(days=1))
        senders.append(_Sender(council, workstream.code, years, key))
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
                pools.append(await asyncpg.create_pool(where.intake, min_size=CONNECTIONS, max_size=CONNECTIONS))
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
