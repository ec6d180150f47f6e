"""Returns gathered while others are being kept: which share a transaction, in what order, and what each is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from services.intake.deciding import Decision, NotTaken
from services.intake.schemas import LINES_LIMIT
from services.intake.statement import Origin, Statement
from services.intake.together import Together
from shared.database import DatabaseUnavailable
from shared.errors import Refused
from tests.builders import FINANCE_ESX, a_line, a_return, read


def stated(workstream: str = "ict", lines: int = 1, name: str = "") -> Statement:
    """A return whose request is called by its name, or else by its workstream."""
    document = a_return(*(a_line() for _ in range(lines)), workstream=workstream)
    return Statement(read(document), FINANCE_ESX, Origin(name or workstream))


class Keeping:
    """Stands for the database: each transaction goes on until it is let go, or fails."""

    def __init__(self) -> None:
        self.transactions: list[list[str]] = []
        self.ends: list[asyncio.Future[None]] = []
        self.together = Together(self._keep)

    async def begin(self, *statements: Statement) -> list[asyncio.Task[Decision | None]]:
        tasks = [asyncio.create_task(self.together.state(statement)) for statement in statements]
        await self.settled()
        return tasks

    async def end(self, place: int, error: Exception | None = None) -> None:
        if error is None:
            self.ends[place].set_result(None)
        else:
            self.ends[place].set_exception(error)
        await self.settled()

    @staticmethod
    async def settled() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def _keep(self, statements: Sequence[Statement]) -> Sequence[Decision]:
        self.transactions.append([statement.origin.request_id for statement in statements])
        self.ends.append(asyncio.get_running_loop().create_future())
        await self.ends[-1]
        return [NotTaken(Refused(f"told to {statement.origin.request_id}", [])) for statement in statements]


def told(task: asyncio.Task[Decision | None]) -> str:
    decision = task.result()
    assert isinstance(decision, NotTaken)
    return decision.error.detail


async def test_who_comes_first_waits_for_nobody_and_those_who_come_meanwhile_share_a_transaction() -> None:
    keeping = Keeping()
    tasks = await keeping.begin(stated("ict"))
    tasks += await keeping.begin(stated("sen"))
    tasks += await keeping.begin(stated("waste"), stated("highways"))
    tasks += await keeping.begin(stated("property"))
    assert keeping.transactions == [["ict"], ["sen"]]
    await keeping.end(0)
    assert keeping.transactions == [["ict"], ["sen"], ["waste", "highways", "property"]]
    assert [task.done() for task in tasks] == [True, False, False, False, False]
    await keeping.end(1)
    await keeping.end(2)
    workstreams = ["ict", "sen", "waste", "highways", "property"]
    assert [told(task) for task in tasks] == [f"told to {workstream}" for workstream in workstreams]


async def test_no_two_transactions_are_about_one_stream_at_a_time_and_its_returns_keep_their_order() -> None:
    keeping = Keeping()
    tasks = await keeping.begin(stated(name="first"))
    tasks += await keeping.begin(stated(name="second"), stated("sen"), stated(name="third"))
    assert keeping.transactions == [["first"], ["sen"]]
    await keeping.end(1)
    assert keeping.transactions == [["first"], ["sen"]]
    await keeping.end(0)
    assert keeping.transactions == [["first"], ["sen"], ["second", "third"]]
    await keeping.end(2)
    assert all(task.done() for task in tasks)


async def test_a_transaction_has_no_more_lines_than_one_return_may_have() -> None:
    keeping = Keeping()
    large, later, last = stated("ict", LINES_LIMIT - 1, "large"), stated("ict", 2, "later"), stated("ict", 1, "last")
    await keeping.begin(large, later, last, stated("property"))
    # What came later of the same stream stays behind, though there would be room for the last of it.
    assert keeping.transactions == [["large", "property"]]
    await keeping.end(0)
    assert keeping.transactions[1:] == [["later", "last"]]
    await keeping.end(1)


async def test_what_fails_together_is_left_to_be_stated_alone() -> None:
    keeping = Keeping()
    tasks = await keeping.begin(stated("sen"), stated("waste"))
    await keeping.end(0, ValueError("one of them is at fault"))
    assert [task.result() for task in tasks] == [None, None]
    # It goes on with the next.
    [after] = await keeping.begin(stated("ict"))
    await keeping.end(1)
    assert told(after) == "told to ict"


async def test_an_outage_is_told_to_each_and_nothing_is_tried_again() -> None:
    keeping = Keeping()
    tasks = await keeping.begin(stated("sen"), stated("waste"))
    await keeping.end(0, DatabaseUnavailable("it does not answer"))
    for task in tasks:
        with pytest.raises(DatabaseUnavailable, match="it does not answer"):
            task.result()


async def test_who_has_gone_harms_nobody() -> None:
    keeping = Keeping()
    gone, stays = await keeping.begin(stated("sen"), stated("waste"))
    gone.cancel()
    await keeping.end(0)
    assert gone.cancelled()
    assert told(stays) == "told to waste"
