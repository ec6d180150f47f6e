"""The points and the sabotages take hold of the product by its methods' names: here they are all found there."""

from __future__ import annotations

import asyncio

import pytest

from services.intake.stating import Stating
from shared.outbox import Relay
from tests.faults import sabotage
from tests.faults.points import POINTS, Point, around, hang
from tests.faults.sabotage import Sabotage


@pytest.mark.parametrize("point", Point)
def test_each_point_has_something_to_hang_on(point: Point, monkeypatch: pytest.MonkeyPatch) -> None:
    hang(point, lambda: None, monkeypatch.setattr)


@pytest.mark.parametrize("how", Sabotage)
def test_each_sabotage_has_something_to_break(how: Sabotage, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage.commit(how, monkeypatch.setattr)


def test_a_slow_statement_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage.slowly("ict", 1, monkeypatch.setattr)


def test_every_point_is_in_some_service() -> None:
    assert {point for points in POINTS.values() for point in points} == set(Point)


def test_what_is_not_there_any_more_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Relay, "_next_batch")
    with pytest.raises(LookupError, match=r"Relay\._next_batch"):
        hang(Point.TAKEN, lambda: None, monkeypatch.setattr)


async def test_a_point_is_reached_after_the_method_it_hangs_on(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[str] = []

    async def in_transaction(self: Stating, work: object) -> str:
        await asyncio.sleep(0)
        passed.append("committed")
        return "decisions"

    monkeypatch.setattr(Stating, "_in_transaction", in_transaction)
    hang(Point.STATED, lambda: passed.append("reached"), monkeypatch.setattr)
    assert await Stating._in_transaction(object.__new__(Stating), None) == "decisions"  # type: ignore[arg-type]
    assert passed == ["committed", "reached"]


def test_only_a_coroutine_function_is_gone_around() -> None:
    with pytest.raises(LookupError):
        around(Stating, "today", lambda original: original)
