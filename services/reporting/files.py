"""The forms of the table that are files to take away, each drawn from the one table.

They take a while to draw, so whoever answers with one draws it beside the event loop. What draws them is loaded when it
is first needed: a process that never draws one starts without it.
"""

from __future__ import annotations

from typing import Final

from services.reporting.exports.fragment import MEDIA_TYPE as HTML
from services.reporting.exports.fragment import html_fragment
from services.reporting.exports.pictures import ChartPicture, draw_chart
from services.reporting.forms import Form
from services.reporting.report import Report


def _pictures(report: Report) -> list[ChartPicture]:
    return [draw_chart(chart) for chart in report.charts]


def _word(report: Report) -> bytes:
    from services.reporting.exports.word import write_word

    charts = [picture.for_document() for picture in _pictures(report)]
    return write_word(
        report.table,
        report.imprint,
        report.word_template,
        charts,
        narrative=report.narrative,
        movements=report.movements,
        link=report.link,
    )


def _excel(report: Report) -> bytes:
    from services.reporting.exports.excel import write_excel

    return write_excel(report.table, report.imprint, report.movements)


def _pdf(report: Report) -> bytes:
    from services.reporting.exports.pdf import pdf_of

    return pdf_of(
        report.table,
        report.imprint,
        version=report.ledger_version,
        pictures=_pictures(report),
        narrative=report.narrative,
        movements=report.movements,
        link=report.link,
    )


WORD: Final = Form(
    "docx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    _word,
    ".docx",
    is_drawn_aside=True,
    tells_what_moved=True,
    has_links=True,
)
EXCEL: Final = Form(
    "xlsx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    _excel,
    ".xlsx",
    is_drawn_aside=True,
    tells_what_moved=True,
)
PDF: Final = Form("pdf", "application/pdf", _pdf, ".pdf", is_drawn_aside=True, tells_what_moved=True, has_links=True)
FRAGMENT: Final = Form("fragment", HTML, lambda report: html_fragment(report.table, report.imprint), ".html")
