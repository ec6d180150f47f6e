"""Figures and returns in the words of the pages."""

from __future__ import annotations

from services.reporting.words import short_id


def test_returns_of_one_second_are_told_apart_by_their_short_ids() -> None:
    of_one_second = ("01a1fdb3-4c60-7a31-8f0e-5d2b9c1e7a04", "01a1fdb3-4c61-7b92-9e6d-2f81c0aa9b13")
    assert [short_id(each) for each in of_one_second] == ["9c1e7a04", "c0aa9b13"]
