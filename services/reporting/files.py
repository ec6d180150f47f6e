"""The forms of the table that are files to take away, each drawn from the one table.

They take a while to draw, so whoever answers with one draws it beside the event loop. What draws them is loaded when it
is first needed: a process that never draws one starts without it.
"""

from __future__ import annotations

from typing import Final

from services.reporting.charts import council_shares, cumulative_by_workstream
from services.reporting.exports.fragment import MEDIA_TYPE as HTML
from services.reporting.exports.fragment import html_fragment
from services.reporting.exports.imprint import Imprint
from services.reporting.exports.pictures import ChartPicture, draw_chart
from services.reporting.forms import Form
from services.reporting.narrative import narrative_starter
from services.reporting.table import Table


def _pictures(table: Table) -> list[ChartPicture]:
    charts = (cumulative_by_workstream(table), council_shares(table))
    return [draw_chart(chart) for chart in charts if chart is not None]


def _word(table: Table, _version: int, imprint: Imprint) -> bytes:
    from services.reporting.exports.word import write_word

    return write_word(table, imprint, charts=[picture.for_document() for picture in _pictures(table)])


def _excel(table: Table, _version: int, imprint: Imprint) -> bytes:
    from services.reporting.exports.excel import write_excel

    return write_excel(table, imprint)


def _pdf(table: Table, version: int, imprint: Imprint) -> bytes:
    from services.reporting.exports.pdf import pdf_of

    return pdf_of(table, imprint, version=version, pictures=_pictures(table), narrative=narrative_starter(table))


WORD: Final = Form(
    "docx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    _word,
    ".docx",
    is_drawn_aside=True,
)
EXCEL: Final = Form(
    "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _excel, ".xlsx", is_drawn_aside=True
)
PDF: Final = Form("pdf", "application/pdf", _pdf, ".pdf", is_drawn_aside=True)
FRAGMENT: Final = Form("fragment", HTML, lambda table, _, imprint: html_fragment(table, imprint), ".html")
