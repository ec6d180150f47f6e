"""What a benchmark found: ours beside a floor measured in the same run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Result:
    """``ratio`` is ours over the floor; the goal says on which side of a figure it has to be, where one is set."""

    name: str
    ours: float
    floor: float
    unit: str
    ratio: float
    goal: tuple[Literal["at least", "at most"], float] | None = None

    @property
    def holds(self) -> bool:
        if self.goal is None:
            return True
        side, figure = self.goal
        return self.ratio >= figure if side == "at least" else self.ratio <= figure

    def __str__(self) -> str:
        sides = f"{self.ours:,.1f} {self.unit}, floor {self.floor:,.1f} {self.unit}"
        found = f"{self.name}: {sides}, ratio {self.ratio:.2f}"
        if self.goal is None:
            return f"{found} (no goal set)"
        side, figure = self.goal
        return f"{found} (goal {side} {figure:g}: {'met' if self.holds else 'MISSED'})"


@dataclass(frozen=True, slots=True)
class Figure:
    """Something measured that has neither floor nor goal."""

    name: str
    text: str
    holds: bool = True

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"
