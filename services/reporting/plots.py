"""Where everything in a chart stands, as Vega-Lite that computes nothing: no scale is guessed and no font measured. Pure.

To be told apart without colour, every part is labelled where it stands, in the order of the table, with white between
neighbours. Colours are those of the Government Analysis Function, darkened where white text on them was not 4.5:1.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.money import short_text

WIDTH: Final = 960
_FONT: Final = "Liberation Sans, Arial, Helvetica, sans-serif"
_INK: Final = "#0b0c0c"
_GRID: Final = "#d5d8da"
_AXIS: Final = "#70777c"
_COLOURS: Final = (
    "#12436d", "#1b7a72", "#801650", "#b5420f", "#3d3d3d", "#6b4fa0", "#2b6b2b", "#8a5a00", "#2a6ca8", "#a3215f",
)  # fmt: skip
#: What is not certain is lighter, and outlined so that it is seen at all.
_BASIS_COLOURS: Final = {"Estimate": "#cfdde8", "Forecast": "#5b8db8", "Actual": "#12436d"}

Values = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Layer:
    """A workstream in a stack: its amount in each column, and what it comes to at last, as printed."""

    name: str
    total_text: str
    pence: Sequence[int]


@dataclass(frozen=True, slots=True)
class Column:
    label: str
    total_text: str


@dataclass(frozen=True, slots=True)
class Target:
    words: str
    pence: int
    is_drawn: bool = True


@dataclass(frozen=True, slots=True)
class Share:
    name: str
    pence: int
    text: str


def stacked_columns(layers: Sequence[Layer], columns: Sequence[Column], target: Target | None) -> dict[str, Any]:
    """Columns of workstreams, the first on top as in the table; names beside the last column, led to by lines."""
    height, labels_from, step = 400, 640, 640 / len(columns)
    stacked = [_stacked([layer.pence[place] for layer in layers]) for place in range(len(columns))]
    tops = [max((upper for _, upper in column), default=0) for column in stacked]
    lowest = min((lower for column in stacked for lower, _ in column), default=0)
    ticks = _ticks(lowest, max(*tops, target.pence if target else 0))
    scale = _Scale(ticks, height)

    segments, inside, above, names, leaders = [], [], [], [], []
    bar = step * 0.62
    for place, column in enumerate(columns):
        left = place * step + (step - bar) / 2
        for layer, colour, (lower, upper) in zip(layers, _cycled(len(layers)), stacked[place], strict=True):
            if lower == upper:
                continue
            segments.append({"x": left, "x2": left + bar, "y": lower, "y2": upper, "colour": colour})
            if scale.pixels(upper - lower) >= 17:
                amount = layer.pence[place]
                inside.append({"x": left + bar / 2, "y": (lower + upper) / 2, "text": short_text(amount)})
        above.append({"x": left + bar / 2, "y": tops[place], "text": column.total_text})

    edge = labels_from - (step - bar) / 2
    wanted = []
    for place, layer in enumerate(layers):
        lower, upper = stacked[-1][place]
        lines = textwrap.wrap(f"{layer.name} {layer.total_text}", 38)
        wanted.append((scale.pixels_from_top((lower + upper) / 2), lines))
    for (middle, lines), centre, colour in zip(
        wanted, _spread([(middle, 15 * len(lines) + 4) for middle, lines in wanted], height),
        _cycled(len(layers)), strict=True,
    ):  # fmt: skip
        y, y2 = scale.pence_at(middle), scale.pence_at(centre)
        leaders += [{"x": edge, "x2": edge + 14, "y": y, "y2": y, "colour": colour},
                    {"x": edge + 14, "x2": edge + 34, "y": y, "y2": y2, "colour": colour}]  # fmt: skip
        names.append({"x": edge + 40, "y": y2, "text": lines, "colour": colour})

    x = {"domain": [0, WIDTH - 60]}
    marks = [
        _mark("rect", segments, x, scale, stroke="#fff", strokeWidth=1.5),
        _mark("text", inside, x, scale, fontSize=12, color="#fff"),
        _mark("text", above, x, scale, fontSize=14, fontWeight="bold", dy=-10),
        _mark("rule", leaders, x, scale, strokeWidth=1.5),
        _mark("text", names, x, scale, fontSize=13, align="left", lineHeight=15),
        _mark("text", _column_labels(columns, step, scale), x, scale, fontSize=13, dy=16),
    ]
    if target is not None:
        line = [{"x": 0, "x2": labels_from, "y": target.pence, "y2": target.pence}]
        words = f"{target.words.capitalize()} {short_text(target.pence)}"
        marks += [
            _mark("rule", line, x, scale, strokeWidth=2, strokeDash=[7, 4], color=_INK),
            _mark("text", [{"x": 4, "y": target.pence, "text": words}], x, scale, fontSize=13, align="left", dy=-9,
                  fontWeight="bold"),
        ]  # fmt: skip
    return _chart(WIDTH - 60, height, _with_axis(marks, scale))


def shares(lines: Sequence[Share]) -> dict[str, Any]:
    """A bar for each workstream, its name before it and its figures after it."""
    row_height = 34
    height = row_height * len(lines)
    longest, names_width, amounts_width = max(abs(line.pence) for line in lines) or 1, 250, 210
    reach = WIDTH - names_width - amounts_width
    has_negative = any(line.pence < 0 for line in lines)
    zero, unit = names_width + (reach / 2 if has_negative else 0), (reach / 2 if has_negative else reach) / longest
    bars, names, amounts = [], [], []
    for place, line in enumerate(lines):
        middle, end = (place + 0.5) * row_height, zero + line.pence * unit
        bars.append({"x": min(zero, end), "x2": max(zero, end), "y": middle - 11, "y2": middle + 11})
        names.append({"x": names_width - 10, "y": middle, "text": textwrap.wrap(line.name, 36)})
        amounts.append({"x": max(zero, end) + 8, "y": middle, "text": line.text})
    x, down = {"domain": [0, WIDTH]}, _Scale([0, height], height, downwards=True)
    axis = [{"x": zero, "x2": zero, "y": 0, "y2": height}]
    marks = [
        _mark("rect", bars, x, down, color=_COLOURS[0]),
        _mark("rule", axis, x, down, strokeWidth=1, color=_AXIS),
        _mark("text", names, x, down, fontSize=13, align="right", lineHeight=14),
        _mark("text", amounts, x, down, fontSize=13, align="left"),
    ]
    return _chart(WIDTH, height, marks)


def columns_by_basis(years: Sequence[str], by_basis: Mapping[str, Sequence[int | None]]) -> dict[str, Any]:
    """For each year a column of each basis, named under it and with its amount above."""
    height, width = 320, WIDTH - 60
    step = width / len(years)
    slot = step * 0.86 / len(by_basis)
    bar = min(slot * 0.86, 110)
    stated = [pence for column in by_basis.values() for pence in column if pence is not None]
    scale = _Scale(_ticks(min(0, *stated), max(0, *stated)), height)
    is_narrow = slot < 62
    bars, amounts, names, groups = [], [], [], []
    for place, year in enumerate(years):
        start = place * step + (step - slot * len(by_basis)) / 2
        for offset, (basis, column) in enumerate(by_basis.items()):
            middle, pence = start + (offset + 0.5) * slot, column[place]
            names.append({"x": middle, "y": scale.lowest, "text": basis[0] if is_narrow else basis})
            if pence is None:
                continue
            bars.append({"x": middle - bar / 2, "x2": middle + bar / 2, "y": min(0, pence), "y2": max(0, pence),
                         "colour": _BASIS_COLOURS[basis]})  # fmt: skip
            amounts.append({"x": middle, "y": max(0, pence), "text": short_text(pence)})
        groups.append({"x": (place + 0.5) * step, "y": scale.lowest, "text": year})
    x = {"domain": [0, width]}
    standing = {"angle": -90, "align": "left", "dx": 5} if is_narrow else {"dy": -9}
    marks = [
        _mark("rect", bars, x, scale, stroke="#12436d", strokeWidth=1.5),
        _mark("text", amounts, x, scale, fontSize=11 if is_narrow else 13, **standing),
        _mark("text", names, x, scale, fontSize=12, dy=14),
        _mark("text", groups, x, scale, fontSize=13, fontWeight="bold", dy=33),
    ]
    if is_narrow:
        key = ", ".join(f"{basis[0]} {basis.lower()}" for basis in by_basis)
        marks.append(_mark("text", [{"x": 4, "y": scale.highest, "text": key}], x, scale, fontSize=12, align="left"))
    return _chart(width, height, _with_axis(marks, scale))


class _Scale:
    """Pence up the height of a chart, from the lowest tick to the highest."""

    def __init__(self, ticks: Sequence[int], height: int, *, downwards: bool = False) -> None:
        self.ticks, self.lowest, self.highest, self._height = ticks, ticks[0], ticks[-1], height
        self.domain = [self.highest, self.lowest] if downwards else [self.lowest, self.highest]

    def pixels(self, pence: int) -> float:
        return self._height * pence / (self.highest - self.lowest)

    def pixels_from_top(self, pence: float) -> float:
        return self._height * (self.highest - pence) / (self.highest - self.lowest)

    def pence_at(self, pixels_from_top: float) -> float:
        return self.highest - pixels_from_top * (self.highest - self.lowest) / self._height


def _stacked(amounts: Sequence[int]) -> list[tuple[int, int]]:
    """From where to where each amount reaches, the last at the bottom; what is negative hangs below nothing."""
    placed, up, down = [], 0, 0
    for amount in reversed(amounts):
        if amount >= 0:
            placed.append((up, up + amount))
            up += amount
        else:
            placed.append((down + amount, down))
            down += amount
    return placed[::-1]


def _ticks(lowest: int, highest: int) -> list[int]:
    """Four to nine round amounts of pence that hold everything between, and nothing itself."""
    reach = max(highest - lowest, 1)
    step = next(
        step for power in range(3, 17) for digit in (1, 2, 5) if reach / (step := digit * 10**power) <= 6
    )
    first, last = -(-lowest // step) - (1 if lowest < 0 and lowest % step else 0), -(-highest // step)
    return [step * place for place in range(min(first, 0), max(last, 1) + 1)]


def _spread(wanted: Sequence[tuple[float, float]], height: int) -> list[float]:
    """Places down the height as near as can be to those wanted, in their order, none over another."""
    placed: list[float] = []
    floor = -12.0
    for middle, tall in wanted:
        placed.append(max(middle, floor + tall / 2))
        floor = placed[-1] + tall / 2
    ceiling = max(float(height) + 12, sum(tall for _, tall in wanted) - 12)
    for place in range(len(placed) - 1, -1, -1):
        tall = wanted[place][1]
        placed[place] = min(placed[place], ceiling - tall / 2)
        ceiling = placed[place] - tall / 2
    return placed


def _cycled(count: int) -> list[str]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(count)]


def _column_labels(columns: Sequence[Column], step: float, scale: _Scale) -> Values:
    return [{"x": (place + 0.5) * step, "y": scale.lowest, "text": each.label} for place, each in enumerate(columns)]


def _with_axis(marks: list[dict[str, Any]], scale: _Scale) -> list[dict[str, Any]]:
    """Amounts down the left, and faint lines across, behind everything else."""
    words = ", ".join(f"'{tick}': '{short_text(tick)}'" for tick in scale.ticks)
    axis = {
        "values": list(scale.ticks), "labelExpr": f"({{{words}}})[datum.value]", "labelFontSize": 12,
        "labelColor": _INK, "labelPadding": 8, "gridColor": _GRID, "domain": False, "ticks": False, "title": None,
    }  # fmt: skip
    y = {"field": "y", "type": "quantitative", "axis": axis,
         "scale": {"domain": scale.domain, "nice": False, "zero": False}}  # fmt: skip
    grid = {"data": {"values": [{"y": scale.lowest}]}, "mark": {"type": "point", "opacity": 0}, "encoding": {"y": y}}
    zero = {"data": {"values": [{"y": 0}]}, "mark": {"type": "rule", "color": _AXIS, "strokeWidth": 1},
            "encoding": {"y": {**y, "axis": None}}}  # fmt: skip
    return [grid, *marks, zero]


def _mark(kind: str, values: Values, x: dict[str, Any], scale: _Scale, **style: Any) -> dict[str, Any]:
    across = {"type": "quantitative", "axis": None, "scale": {**x, "nice": False, "zero": False}}
    up = {"type": "quantitative", "axis": None, "scale": {"domain": scale.domain, "nice": False, "zero": False}}
    encoding: dict[str, Any] = {"x": {"field": "x", **across}, "y": {"field": "y", **up}}
    if values and "x2" in values[0]:
        encoding |= {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    if kind == "text":
        encoding["text"] = {"field": "text", "type": "nominal"}
        style = {"color": _INK, "baseline": "middle", **style}
    elif values and "colour" in values[0]:
        encoding["color"] = {"field": "colour", "type": "nominal", "scale": None, "legend": None}
    return {"data": {"values": values}, "mark": {"type": kind, **style}, "encoding": encoding}


def _chart(width: int, height: int, layers: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": width,
        "height": height,
        "padding": 8,
        "background": "#fff",
        "layer": layers,
        "config": {"font": _FONT, "view": {"stroke": None}},
    }
