"""A chart drawn as one picture for page, PDF and Word: vl-convert turns its Vega-Lite into SVG, and that into PNG.

Drawing uses the processor for some tens of milliseconds (a second the first time in a process) and no network; call it
in a worker thread. The same chart gives the same SVG on the same machine; a PNG also hangs on the fonts installed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import vl_convert

from services.reporting.charts import Chart, ChartData
from services.reporting.exports import imprint

#: The grammar that the specs are written in, named so that another vl-convert draws the same picture.
_VEGA_LITE: Final = "6.4"
#: Pixels of a PNG for each of the chart's own: about 230 to the inch in a column as wide as a landscape page.
_PNG_SCALE: Final = 2.5


@dataclass(frozen=True)
class ChartPicture:
    """One image, what it says in words, and its figures as a table."""

    name: str
    title: str
    alternative_text: str
    data: ChartData
    svg: bytes

    @cached_property
    def png(self) -> bytes:
        """The same picture in pixels, fit to print: for Word, which draws SVG only in its newest editions."""
        return _png(self.svg)

    def for_document(self) -> imprint.ChartPicture:
        """As the writers of Word documents take it."""
        return imprint.ChartPicture(
            png=self.png,
            alternative=self.alternative_text,
            caption=self.title,
            columns=self.data.columns,
            rows=tuple((row.label, *(cell.text for cell in row.cells)) for row in self.data.rows),
        )


def draw_chart(chart: Chart) -> ChartPicture:
    """Draw a chart; one drawn lately is not drawn again."""
    return ChartPicture(
        name=chart.name,
        title=chart.title,
        alternative_text=chart.alternative_text,
        data=chart.data,
        svg=_svg(json.dumps(chart.spec, sort_keys=True)),
    )


@lru_cache(maxsize=64)
def _svg(spec: str) -> bytes:
    # No address may be fetched, whatever a spec might say.
    svg = vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE, allowed_base_urls=[])
    return svg.encode()


@lru_cache(maxsize=32)
def _png(svg: bytes) -> bytes:
    return bytes(vl_convert.svg_to_png(svg.decode(), scale=_PNG_SCALE))


def forget() -> None:
    """Draw every chart anew from here on."""
    _svg.cache_clear()
    _png.cache_clear()
