"""Makes the Word template that the product comes with: ``python -m services.reporting.exports.word_template``.

What it makes is kept in the repository as a real document, which a council opens in Word, changes, and gives instead.
"""

from __future__ import annotations

import io
from pathlib import Path

import docx
from docx.document import Document
from docx.enum.text import WD_TAB_ALIGNMENT
from docx.oxml.ns import qn
from docx.shared import Length, Pt

from services.reporting.exports.word import TEMPLATE, timeless
from services.reporting.exports.word_template_pieces import caption, each, field, tag
from services.reporting.exports.word_template_styles import (
    MARGIN,
    PAGE_WIDTH,
    drop_ballast,
    set_language,
    set_page,
    set_styles,
)
from services.reporting.exports.word_template_tables import chart_table, movement_table, proof_table, tracker_table


def word_template() -> bytes:
    """The template as a ``.docx``; always the same bytes."""
    document = docx.Document()
    drop_ballast(document)
    set_page(document)
    set_styles(document)
    set_language(document)
    _write_appendix_1(document)
    _write_appendix_2(document)
    _write_footer(document)
    written = io.BytesIO()
    document.save(written)
    return timeless(written)


def _write_appendix_1(document: Document) -> None:
    document.add_paragraph("{{ title }}", style="Title")
    document.add_paragraph("{% if council %}{{ council }}: {% endif %}{{ edition.text }}", style="Subtitle")
    tag(document, "if not proof.holds")
    warning = document.add_paragraph()
    warning.add_run(
        "The sums of this table do not add up. Do not use it; the arithmetic proof below says where."
    ).bold = True
    tag(document, "endif")
    document.add_heading("Appendix 1: savings by workstream", level=1)
    caption(document, "{{ caption }}")
    tracker_table(document)
    document.add_heading("Notes to the table", level=3)
    each(document, "note in notes", "{{ note }}", "List Bullet")
    tag(document, "if edition.notes")
    document.add_heading("Notes to the edition", level=3)
    each(document, "note in edition.notes", "{{ note }}", "List Bullet")
    tag(document, "endif")
    _write_narrative(document)
    _write_movements(document)
    tag(document, "for chart in charts")
    # With its figures it fills most of a page, and would be torn from them.
    document.add_heading("{{ chart.caption }}", level=2).paragraph_format.page_break_before = True
    document.add_paragraph("{{ chart.picture }}").paragraph_format.keep_with_next = True
    tag(document, "if chart.rows")
    caption(document, "{{ chart.caption }}, in figures")
    chart_table(document)
    document.add_paragraph(style="Tracker hint")
    tag(document, "endif")
    tag(document, "endfor")
    tag(document, "if projections")
    document.add_heading("Beyond {{ last_year }}", level=2)
    tag(document, "for projection in projections")
    line = document.add_paragraph(style="List Bullet")
    line.add_run("{{ projection.workstream }}: {{ projection.amount }} {{ projection.horizon }}.").bold = True
    line.add_run(" {{ projection.text }} Confidence: {{ projection.confidence }}.")
    tag(document, "endfor")
    tag(document, "endif")
    tag(document, "if headline")
    document.add_heading("Overall potential", level=2)
    document.add_paragraph(
        "{{ headline.short_term }} in the short term, {{ headline.medium_term }} in the medium term and "
        "{{ headline.long_term }} in the long term."
    )
    tag(document, "endif")
    document.add_heading("Who has reported", level=2)
    document.add_paragraph("{{ coverage }}")
    document.add_heading("Arithmetic proof", level=2)
    caption(document, "{{ proof.caption }}")
    proof_table(document)
    document.add_heading("The rows and their totals", level=3)
    each(document, "sum in proof.sums", "{{ sum }}", "List Bullet")


def _write_narrative(document: Document) -> None:
    tag(document, "if narrative")
    document.add_heading("In words", level=2)
    each(document, "sentence in narrative", "{{ sentence.linked }}", "Normal")
    tag(document, "endif")


def _write_movements(document: Document) -> None:
    tag(document, "if movements")
    heading = document.add_heading("What has changed since {{ movements.since }}", level=2)
    heading.paragraph_format.page_break_before = True
    tag(document, "if not movements.holds")
    warning = document.add_paragraph()
    warning.add_run("The sums of these movements do not add up. Do not use them.").bold = True
    tag(document, "endif")
    tag(document, "if movements.reasons")
    caption(document, "{{ movements.caption }}")
    movement_table(document)
    document.add_heading("Why", level=3)
    tag(document, "for moved in movements.reasons")
    each(document, "text in moved.texts", "{{ moved.workstream }}, {{ moved.whose }}. {{ text }}", "List Bullet")
    tag(document, "endfor")
    tag(document, "else")
    document.add_paragraph("Nothing has changed.")
    tag(document, "endif")
    tag(document, "endif")


def _write_appendix_2(document: Document) -> None:
    heading = document.add_heading("Appendix 2: the workstreams", level=1)
    heading.paragraph_format.page_break_before = True
    tag(document, "for workstream in workstreams")
    document.add_heading("{{ workstream.name }}", level=2)
    lead = document.add_paragraph()
    lead.add_run("Lead: ").bold = True
    lead.add_run("{{ workstream.lead }}")
    lead.paragraph_format.keep_with_next = True
    tag(document, "if workstream.purpose")
    purpose = document.add_paragraph()
    purpose.add_run("Purpose: ").bold = True
    purpose.add_run("{{ workstream.purpose }}")
    tag(document, "endif")
    tag(document, "for update in workstream.updates")
    hint = document.add_paragraph("Update from {{ update.from }}, as at {{ update.day }}", style="Heading 3")
    hint.paragraph_format.keep_with_next = True
    each(document, "text in update.paragraphs", "{{ text }}", "Normal")
    tag(document, "endfor")
    tag(document, "if not workstream.updates")
    document.add_paragraph("No update has been written yet.")
    tag(document, "endif")
    tag(document, "endfor")


def _write_footer(document: Document) -> None:
    section = document.sections[0]
    footer = section.footer.paragraphs[0]
    footer.style = document.styles["Footer"]
    for stop in list(footer.style.element.iter(qn("w:tab"))):
        stop.getparent().remove(stop)
    footer.add_run("{{ title }}: {{ edition.text }}")
    footer.paragraph_format.tab_stops.add_tab_stop(Length(PAGE_WIDTH - 2 * MARGIN), WD_TAB_ALIGNMENT.RIGHT)
    footer.add_run("\tPage ")
    field(footer, "PAGE")
    footer.add_run(" of ")
    field(footer, "NUMPAGES")
    below = section.footer.add_paragraph("{% if edition.hash %}SHA-256 {{ edition.hash }}{% endif %}", style="Footer")
    below.runs[0].font.size = Pt(7)


def main(path: Path = TEMPLATE) -> None:
    """Write the template where the product looks for it."""
    path.write_bytes(word_template())


if __name__ == "__main__":
    main()
