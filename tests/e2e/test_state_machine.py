"""Returns in any order, late, repeated, corrected, at once, over-claimed: after every step the sums hold.

The model is a dictionary of everything stated. The product is the whole of it, over HTTP, on real databases.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from contextlib import AsyncExitStack
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.figures import PARTNERSHIP
from shared.money import parse_pounds, pounds
from tests.deployment import Deployment, deployed

WORKSTREAMS = {"ict": "lead-ict", "sen": "lead-sen"}
COUNCILS = {"E10000011": "finance-ESX", "E10000016": "finance-KEN"}
YEARS = ("2011/12", "2012/13", "2014/15")
FIRST_DAY = date(2011, 6, 1)
#: What is proved here is not durability: the files need not reach a disk.
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
EXAMPLES = int(os.environ.get("SAVINGS_EXAMPLES", "6"))

scopes = st.sampled_from([PARTNERSHIP, *COUNCILS])
lines = st.dictionaries(
    st.tuples(st.sampled_from(YEARS), st.sampled_from(["estimate", "forecast"])),
    st.integers(0, 10**9),
    min_size=1,
    max_size=4,
)
days = st.integers(0, 200).map(lambda after: FIRST_DAY + timedelta(days=after))

Account = tuple[str, str, str, str]


class Model:
    """What was stated, in the order it was recorded: account -> [(as at, place, pence)]."""

    def __init__(self) -> None:
        self.stated: dict[Account, list[tuple[date, int, int]]] = {}
        self.places = 0

    def state(self, workstream: str, scope: str, as_at: date, stated: dict[tuple[str, str], int]) -> None:
        self.places += 1
        for (year, basis), pence in stated.items():
            self.stated.setdefault((workstream, scope, year, basis), []).append((as_at, self.places, pence))

    def would_change(self, workstream: str, scope: str, as_at: date, stated: dict[tuple[str, str], int]) -> bool:
        figures = {key: self.figure((workstream, scope, *key), as_at) for key in stated}
        return any(figure is not None and figure != stated[key] for key, figure in figures.items())

    def figure(self, account: Account, as_at: date = date.max) -> int | None:
        known = [stated for stated in self.stated.get(account, []) if stated[0] <= as_at]
        return max(known)[2] if known else None

    def total(self, workstream: str, scope: str, year: str, basis: str, as_at: date) -> int:
        """The in-year amount of a cell; ``best`` takes the forecast where there is one."""
        forecast, estimate = (self.figure((workstream, scope, year, b), as_at) for b in ("forecast", "estimate"))
        if basis == "best":
            return forecast if forecast is not None else estimate or 0
        return (forecast if basis == "forecast" else estimate) or 0


class Returns(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="savings-", dir=IN_MEMORY))
        self.model = Model()
        self.sent: list[tuple[str, dict[str, Any], str]] = []
        self.latest_day = FIRST_DAY

    @initialize()
    def start(self) -> None:
        self.stack = AsyncExitStack()
        self.deployment: Deployment = self.run(self.stack.enter_async_context(deployed(self.folder)))

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @rule(workstream=st.sampled_from(sorted(WORKSTREAMS)), scope=scopes, as_at=days, stated=lines)
    def state(self, workstream: str, scope: str, as_at: date, stated: dict[tuple[str, str], int]) -> None:
        """Any return: new, late, correcting, over-claiming."""
        answer = self.run(self.send(workstream, scope, as_at, stated, reason="as found"))
        assert answer.status_code == 201, answer.text
        self.model.state(workstream, scope, as_at, stated)

    @rule(workstream=st.sampled_from(sorted(WORKSTREAMS)), scope=scopes, as_at=days, stated=lines)
    def state_without_a_reason(
        self, workstream: str, scope: str, as_at: date, stated: dict[tuple[str, str], int]
    ) -> None:
        """Refused exactly when it changes a figure already stated, and then leaves nothing behind."""
        answer = self.run(self.send(workstream, scope, as_at, stated, reason=None))
        if self.model.would_change(workstream, scope, as_at, stated):
            assert answer.status_code == 422, answer.text
        else:
            assert answer.status_code == 201, answer.text
            self.model.state(workstream, scope, as_at, stated)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """A return sent again with its key is a replay, whatever has happened since."""
        by, document, key = data.draw(st.sampled_from(self.sent))
        answer = self.run(self.deployment.post("/v1/submissions", by, document, **{"Idempotency-Key": key}))
        assert (answer.status_code, answer.headers.get("Idempotent-Replayed")) == (201, "true"), answer.text

    @rule(workstream=st.sampled_from(sorted(WORKSTREAMS)), as_at=days, stated=st.lists(lines, min_size=2, max_size=3))
    def state_at_once(self, workstream: str, as_at: date, stated: list[dict[tuple[str, str], int]]) -> None:
        """Several senders at the same moment, each for a scope of its own."""

        async def all_at_once() -> list[httpx.Response]:
            return await asyncio.gather(
                *(
                    self.send(workstream, scope, as_at, figures, reason="as found")
                    for scope, figures in zip([PARTNERSHIP, *COUNCILS], stated, strict=False)
                )
            )

        for answer in self.run(all_at_once()):
            assert answer.status_code == 201, answer.text
        for scope, figures in zip([PARTNERSHIP, *COUNCILS], stated, strict=False):
            self.model.state(workstream, scope, as_at, figures)

    @rule()
    def restart(self) -> None:
        """The process ends, with events still on their way, and starts again."""
        self.run(self.stack.aclose())
        self.start()

    async def send(
        self, workstream: str, scope: str, as_at: date, stated: dict[tuple[str, str], int], reason: str | None
    ) -> httpx.Response:
        by = WORKSTREAMS[workstream] if scope == PARTNERSHIP else COUNCILS[scope]
        key = f"key-{len(self.sent)}-{scope}"
        document = {
            "workstream": workstream,
            "scope": scope,
            "as_at": as_at.isoformat(),
            "reason": reason,
            "lines": [
                {"year": year, "basis": basis, "amount": pounds(pence)} for (year, basis), pence in stated.items()
            ],
        }
        answer = await self.deployment.post("/v1/submissions", by, document, **{"Idempotency-Key": key})
        if answer.status_code == 201:
            assert "Idempotent-Replayed" not in answer.headers
            self.sent.append((by, document, key))
            self.latest_day = max(self.latest_day, as_at)
        return answer

    @invariant()
    def every_sum_holds(self) -> None:
        if not hasattr(self, "deployment"):
            return
        self.run(self.deployment.settle())
        checks = self.run(self.deployment.get("/v1/checks", "auditor", full="true")).json()
        assert checks["holds"] is True, checks
        middle = FIRST_DAY + (self.latest_day - FIRST_DAY) / 2
        for basis in ("best", "estimate", "forecast"):
            self.compare(basis, date.max, {})
        self.compare("best", middle, {"as_at": middle.isoformat()})

    def compare(self, basis: str, as_at: date, parameters: dict[str, str]) -> None:
        """Both services, over HTTP, against the model: every cell of every ledger, and the table's."""
        for scope in (PARTNERSHIP, *COUNCILS):
            path = "/v1/ledgers/cumulative" if scope == PARTNERSHIP else f"/v1/ledgers/councils/{scope}"
            ledger = self.run(self.deployment.get(path, "office", basis=basis, **parameters)).json()
            for workstream in ledger["workstreams"]:
                code, running = workstream["workstream"], 0
                for year in workstream["years"]:
                    expected = self.model.total(code, scope, year["year"], basis, as_at)
                    running += expected
                    assert parse_pounds(year["in_year"]) == expected, (scope, code, year)
                    assert parse_pounds(year["cumulative"]) == running, (scope, code, year)
                    if scope == PARTNERSHIP:
                        shares = sum(self.model.total(code, c, year["year"], basis, as_at) for c in COUNCILS)
                        assert parse_pounds(year["shares"]) == shares, year
                        assert parse_pounds(year["unapportioned"]) == expected - shares, year
        for council in COUNCILS:
            rows = self.run(
                self.deployment.get("/v1/tracker.csv", "office", council=council, basis=basis, **parameters)
            ).text.splitlines()
            header = rows[0].split(",")
            for row in (dict(zip(header, line.split(","), strict=False)) for line in rows[1:]):
                if row["workstream_code"] in WORKSTREAMS and row["scope"] in (PARTNERSHIP, council):
                    expected = self.model.total(row["workstream_code"], row["scope"], row["year"], basis, as_at)
                    assert Decimal(row["in_year"] or 0) * 100 == expected, row

    def teardown(self) -> None:
        if hasattr(self, "stack"):
            self.run(self.stack.aclose())
        self.loop.close()
        shutil.rmtree(self.folder)


TestReturns = Returns.TestCase
TestReturns.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
