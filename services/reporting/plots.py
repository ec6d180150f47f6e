"""Where everything in a chart stands, as Vega-Lite that works nothing out: no scale is guessed. Pure.

Every part is labelled where it stands, with its amount, in the order of the table and with white between neighbours: so
there is no axis to read off and no key to colours, and it is told apart without seeing any. Colours follow the
Government Analysis Function's, darkened where white text on them was not 4.5:1.
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
_AXIS: Final = "#70777c"
_COLOURS: Final = (
    "#12436d", "#1b7a72", "#801650", "#b5420f", "#3d3d3d", "#6b4fa0", "#2b6b2b", "#8a5a00", "#2a6ca8", "#a3215f",
)  # fmt: skip
#: What is not certain is lighter, and outlined so that it is seen at all.
_BASIS_COLOURS: Final = {"Estimate": "#cfdde8", "Forecast": "#5b8db8", "Actual": "#12436d"}

#: The height of a line of text, in pixels.
_LINE: Final = 15

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
    scale = _Scale(min(lowest, 0), max(*tops, target.pence if target else 0), height)

    segments, inside, above = [], [], []
    bar = step * 0.62
    for place, column in enumerate(columns):
        left = place * step + (step - bar) / 2
        for layer, colour, (lower, upper) in zip(layers, _cycled(len(layers)), stacked[place], strict=True):
            if lower == upper:
                continue
            segments.append({"x": left, "x2": left + bar, "y": lower, "y2": upper, "colour": colour})
            amount = short_text(layer.pence[place])
            if scale.pixels(upper - lower) >= 17 and _width(amount, 12) < bar:
                inside.append({"x": left + bar / 2, "y": (lower + upper) / 2, "text": amount})
        above.append({"x": left + bar / 2, "y": tops[place], "text": column.total_text})

    edge = labels_from - (step - bar) / 2
    labels = [
        _Label(layer.name, layer.total_text, scale.pixels_from_top((lower + upper) / 2), edge, colour)
        for layer, colour, (lower, upper) in zip(layers, _cycled(len(layers)), stacked[-1], strict=True)
    ]
    if target is not None:
        words = target.words.capitalize()
        at = scale.pixels_from_top(target.pence)
        labels.append(_Label(words, short_text(target.pence), at, labels_from - 20, _INK, "bold"))
    labels.sort(key=lambda label: label.wanted)
    names, leaders = [], []
    for label, centre in zip(labels, _spread([(each.wanted, each.tall) for each in labels], height), strict=True):
        y, y2 = scale.pence_at(label.wanted), scale.pence_at(centre)
        bend = edge + 14
        leaders += [
            {"x": label.start, "x2": bend, "y": y, "y2": y, "colour": label.colour},
            {"x": bend, "x2": bend + 20, "y": y, "y2": y2, "colour": label.colour},
        ]
        names += _lines(label.lines, bend + 26, centre, scale, weight=label.weight)

    x = [0, WIDTH]
    totals = {"fontSize": 14, "fontWeight": "bold", "dy": -10}
    years = [{"x": (place + 0.5) * step, "y": scale.lowest, "text": each.label} for place, each in enumerate(columns)]
    marks = [
        _mark("rect", segments, x, scale, stroke="#fff", strokeWidth=1.5),
        _mark("rule", [{"x": 0, "x2": labels_from, "y": 0, "y2": 0}], x, scale, color=_AXIS),
        _mark("text", inside, x, scale, fontSize=12, color="#fff"),
        _mark("rule", leaders, x, scale, strokeWidth=1.5),
        *(_mark("text", [name], x, scale, fontSize=13, align="left", fontWeight=name["weight"]) for name in names),
        _mark("text", years, x, scale, fontSize=13, dy=16),
    ]
    if target is not None:
        line = [{"x": 0, "x2": labels_from, "y": target.pence, "y2": target.pence}]
        marks += [
            _mark("rule", line, x, scale, strokeWidth=5, color="#fff", opacity=0.8),
            _mark("rule", line, x, scale, strokeWidth=2, strokeDash=[7, 4], color=_INK),
        ]
    marks += [
        _mark("text", above, x, scale, **totals, stroke="#fff", strokeWidth=5, strokeJoin="round"),
        _mark("text", above, x, scale, **totals),
    ]
    return _chart(WIDTH, height, marks)


def shares(lines: Sequence[Share]) -> dict[str, Any]:
    """A bar for each workstream, its name before it and its figures after it."""
    row_height = 34
    height = row_height * len(lines)
    longest, names_width, amounts_width = max(abs(line.pence) for line in lines) or 1, 250, 210
    reach = WIDTH - names_width - amounts_width
    has_negative = any(line.pence < 0 for line in lines)
    zero, unit = names_width + (reach / 2 if has_negative else 0), (reach / 2 if has_negative else reach) / longest
    x, down = [0, WIDTH], _Scale(0, height, height, downwards=True)
    bars, names, amounts = [], [], []
    for place, line in enumerate(lines):
        middle, end = (place + 0.5) * row_height, zero + line.pence * unit
        bars.append({"x": min(zero, end), "x2": max(zero, end), "y": middle - 11, "y2": middle + 11})
        names += _lines(textwrap.wrap(line.name, 36), names_width - 10, middle, down)
        amounts.append({"x": max(zero, end) + 8, "y": middle, "text": line.text})
    axis = [{"x": zero, "x2": zero, "y": 0, "y2": height}]
    marks = [
        _mark("rect", bars, x, down, color=_COLOURS[0]),
        _mark("rule", axis, x, down, strokeWidth=1, color=_AXIS),
        _mark("text", names, x, down, fontSize=13, align="right"),
        _mark("text", amounts, x, down, fontSize=13, align="left"),
    ]
    return _chart(WIDTH, height, marks)


def columns_by_basis(years: Sequence[str], by_basis: Mapping[str, Sequence[int | None]]) -> dict[str, Any]:
    """For each year a column of each basis, named under it and with its amount above."""
    height = 320
    step = WIDTH / len(years)
    slot = step * 0.86 / len(by_basis)
    bar = min(slot * 0.86, 110)
    stated = [pence for column in by_basis.values() for pence in column if pence is not None]
    scale = _Scale(min(0, *stated), max(0, *stated), height)
    is_narrow = slot < 62
    is_crowded = max(_width(short_text(pence), 13) for pence in stated) > slot + 10
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
    x = [0, WIDTH]
    standing = {"angle": -90, "align": "left", "dx": 5} if is_crowded else {"dy": -9}
    marks = [
        _mark("rect", bars, x, scale, stroke="#12436d", strokeWidth=1.5),
        _mark("rule", [{"x": 0, "x2": WIDTH, "y": 0, "y2": 0}], x, scale, color=_AXIS),
        _mark("text", amounts, x, scale, fontSize=11 if is_crowded else 13, **standing),
        _mark("text", names, x, scale, fontSize=12, dy=14),
        _mark("text", groups, x, scale, fontSize=13, fontWeight="bold", dy=33),
    ]
    if is_narrow:
        key = ", ".join(f"{basis[0]} {basis.lower()}" for basis in by_basis)
        marks.append(_mark("text", [{"x": 4, "y": scale.highest, "text": key}], x, scale, fontSize=12, align="left"))
    return _chart(WIDTH, height, marks)


@dataclass(frozen=True, slots=True)
class _Label:
    """Words beside a chart: ``wanted`` is how far down, in pixels, what they name is; ``start`` where it ends."""

    name: str
    amount: str
    wanted: float
    start: float
    colour: str
    weight: str = "normal"

    @property
    def lines(self) -> list[str]:
        return textwrap.wrap(f"{self.name} {self.amount}", 38)

    @property
    def tall(self) -> float:
        return _LINE * len(self.lines) + 5


class _Scale:
    """Pence up the height of a chart, or down it."""

    def __init__(self, lowest: int, highest: int, height: int, *, downwards: bool = False) -> None:
        self.lowest, self.highest, self._height = lowest, max(highest, lowest + 1), height
        self.domain = [self.highest, self.lowest] if downwards else [self.lowest, self.highest]

    def pixels(self, pence: int) -> float:
        return self._height * pence / (self.highest - self.lowest)

    def pixels_from_top(self, pence: float) -> float:
        return self._height * (self.highest - pence) / (self.highest - self.lowest)

    def pence_at(self, pixels_from_top: float) -> float:
        if self.domain[0] > self.domain[1]:
            return pixels_from_top
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


def _lines(lines: Sequence[str], x: float, centre: float, scale: _Scale, **more: str) -> Values:
    """A text of several lines, one under the other around a place down the height."""
    first = centre - _LINE * (len(lines) - 1) / 2
    return [
        {"x": x, "y": scale.pence_at(first + _LINE * place), "text": line, **more} for place, line in enumerate(lines)
    ]


def _width(text: str, font_size: int) -> float:
    """About how wide a text is: a digit of these fonts is 0.556 of their size, and little in an amount is wider."""
    return 0.57 * font_size * len(text)


def _mark(kind: str, values: Values, across: list[int], scale: _Scale, **style: Any) -> dict[str, Any]:
    encoding: dict[str, Any] = {
        name: {
            "field": name,
            "type": "quantitative",
            "axis": None,
            "scale": {"domain": domain, "nice": False, "zero": False},
        }
        for name, domain in (("x", across), ("y", scale.domain))
    }
    if values and "x2" in values[0]:
        encoding |= {"x2": {"field": "x2"}, "y2": {"field": "y2"}}
    if kind == "text":
        encoding["text"] = {"field": "text", "type": "nominal"}
        style = {"color": _INK, "baseline": "middle", **style}
    elif values and "colour" in values[0]:
        encoding["color"] = {"field": "colour", "type": "nominal", "scale": None, "legend": None}
    return {"data": {"values": values}, "mark": {"type": kind, "aria": False, **style}, "encoding": encoding}


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
