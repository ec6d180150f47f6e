"""Makes the Word template that the product comes with: ``python -m services.reporting.exports.word_template``.

What it makes is kept in the repository as a real document, which a council opens in Word, changes, and gives instead.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from xml.sax.saxutils import quoteattr

import docx
from docx.document import Document
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Length, Mm, Pt, RGBColor
from docx.styles.style import ParagraphStyle
from docx.text.paragraph import Paragraph

from services.reporting.exports.greys import (
    HEADER_GROUND,
    HEADER_INK,
    HOME_GREY,
    INK,
    LINE,
    PARTNERSHIP_GREY,
    QUIET_INK,
)
from services.reporting.exports.word import TEMPLATE, timeless

_FONT: Final = "Arial"
_PAGE_WIDTH: Final = Mm(297)
_MARGIN: Final = Mm(18)
#: Of the tracker table: workstream, whose, (for), a year, (end), total. The tags' own columns go when it is filled in.
_TRACKER_WIDTHS: Final = (Mm(62), Mm(24), Mm(54), Mm(37), Mm(57), Mm(27))
_PROOF_WIDTHS: Final = (Mm(70), Mm(30), Mm(34), Mm(30), Mm(97))
#: Of a chart's figures: label, (for), a figure, (end).
_CHART_WIDTHS: Final = (Mm(70), Mm(80), Mm(35), Mm(76))


def word_template() -> bytes:
    """The template as a ``.docx``; always the same bytes."""
    document = docx.Document()
    _drop_ballast(document)
    _set_page(document)
    _set_styles(document)
    _set_language(document)
    _write_appendix_1(document)
    _write_appendix_2(document)
    _write_footer(document)
    written = io.BytesIO()
    document.save(written)
    return timeless(written)


def _drop_ballast(document: Document) -> None:
    """Nine tenths of the bytes that python-docx begins with: styles for Word 2010, a preview of an empty page."""
    for relations, kinds in (
        (document.part.rels, ("/stylesWithEffects", "/customXml")),
        (document.part.package.rels, ("/thumbnail",)),
    ):
        for name in [name for name, each in relations.items() if each.reltype.endswith(kinds)]:
            del relations[name]
    for style in list(document.styles.element.iter(qn("w:style"))):
        if style.get(qn("w:type")) == "table" and style.get(qn("w:styleId")) != "TableNormal":
            style.getparent().remove(style)


def _set_page(document: Document) -> None:
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = _PAGE_WIDTH, Mm(210)
    section.left_margin = section.right_margin = _MARGIN
    section.top_margin, section.bottom_margin = Mm(16), Mm(18)
    section.header_distance, section.footer_distance = Mm(8), Mm(8)


def _set_styles(document: Document) -> None:
    styles = document.styles
    normal = styles["Normal"]
    _set_font(normal, 10.5)
    _space(normal, 0, 6, 1.15)
    for name, size, before, after in (
        ("Title", 22, 0, 2),
        ("Subtitle", 12, 0, 10),
        ("Heading 1", 16, 0, 6),
        ("Heading 2", 12.5, 12, 3),
        ("Heading 3", 10.5, 8, 2),
        ("Caption", 10.5, 4, 4),
    ):
        style = styles[name]
        _set_font(style, size, bold=name != "Subtitle", colour=QUIET_INK if name == "Subtitle" else INK)
        _space(style, before, after)
        style.paragraph_format.keep_with_next = True
    # python-docx's Title has a rule below it.
    for border in styles["Title"].element.iter(qn("w:pBdr")):
        border.getparent().remove(border)
    bullet = styles["List Bullet"]
    _set_font(bullet, 9)
    _space(bullet, 0, 2)
    for name, size, colour in (("Tracker text", 9, INK), ("Tracker amount", 9, INK), ("Tracker hint", 8.5, QUIET_INK)):
        style = styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
        style.base_style = normal
        _set_font(style, size, colour=colour)
        _space(style, 2, 2, 1.0)
        style.quick_style = True
    styles["Tracker amount"].paragraph_format.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    styles["Tracker hint"].paragraph_format.space_after = Pt(6)
    styles["Tracker hint"].paragraph_format.space_before = Pt(0)
    _set_font(styles["Footer"], 8, colour=QUIET_INK)
    styles.element.append(
        parse_xml(
            f'<w:style {nsdecls("w")} w:type="table" w:customStyle="1" w:styleId="TrackerTable">'
            '<w:name w:val="Tracker Table"/><w:basedOn w:val="TableNormal"/><w:qFormat/>'
            "<w:tblPr><w:tblBorders>"
            f'<w:top w:val="single" w:sz="8" w:space="0" w:color="{INK}"/>'
            f'<w:bottom w:val="single" w:sz="8" w:space="0" w:color="{INK}"/>'
            f'<w:insideH w:val="single" w:sz="4" w:space="0" w:color="{LINE}"/>'
            "</w:tblBorders><w:tblCellMar>"
            '<w:left w:w="85" w:type="dxa"/><w:right w:w="85" w:type="dxa"/></w:tblCellMar></w:tblPr>'
            f'<w:tblStylePr w:type="firstRow"><w:rPr><w:b/><w:color w:val="{HEADER_INK}"/></w:rPr>'
            f'<w:tcPr><w:shd w:val="clear" w:color="auto" w:fill="{HEADER_GROUND}"/></w:tcPr></w:tblStylePr>'
            '<w:tblStylePr w:type="firstCol"><w:rPr><w:b/></w:rPr></w:tblStylePr>'
            "</w:style>"
        )
    )


def _set_font(style: ParagraphStyle, size: float, *, bold: bool = False, colour: str = INK) -> None:
    font = style.font
    font.name, font.size, font.bold, font.italic = _FONT, Pt(size), bold, False
    font.color.rgb = RGBColor.from_string(colour)
    fonts = style.element.rPr.rFonts
    for name in list(fonts.attrib):
        # A theme's font would stand before the named one.
        if name.endswith("Theme"):
            del fonts.attrib[name]
    for reach in ("w:ascii", "w:hAnsi", "w:cs", "w:eastAsia"):
        fonts.set(qn(reach), _FONT)
    for name in ("w:spacing", "w:kern"):
        for element in style.element.rPr.findall(qn(name)):
            style.element.rPr.remove(element)


def _space(style: ParagraphStyle, before: float, after: float, line: float = 1.1) -> None:
    form = style.paragraph_format
    form.space_before, form.space_after, form.line_spacing = Pt(before), Pt(after), line


def _set_language(document: Document) -> None:
    for language in document.styles.element.iter(qn("w:lang")):
        language.set(qn("w:val"), "en-GB")
    settings = document.settings.element
    # Without it Word opens the document in compatibility mode.
    compatible = settings.find(qn("w:compat"))
    mode = parse_xml(
        f'<w:compatSetting {nsdecls("w")} w:name="compatibilityMode" '
        'w:uri="http://schemas.microsoft.com/office/word" w:val="15"/>'
    )
    for setting in compatible.findall(qn("w:compatSetting")):
        compatible.remove(setting)
    compatible.append(mode)
    for language in settings.iter(qn("w:themeFontLang")):
        language.set(qn("w:val"), "en-GB")
    properties = document.core_properties
    properties.title, properties.language = "Template of the savings tracker", "en-GB"
    properties.author = properties.last_modified_by = properties.comments = properties.keywords = ""
    properties.created = properties.modified = datetime(2000, 1, 1)  # noqa: DTZ001 - Word reads it as UTC and refuses a zone


def _write_appendix_1(document: Document) -> None:
    document.add_paragraph("{{ title }}", style="Title")
    document.add_paragraph("{% if council %}{{ council }}: {% endif %}{{ edition.text }}", style="Subtitle")
    _tag(document, "if not proof.holds")
    warning = document.add_paragraph()
    warning.add_run(
        "The sums of this table do not add up. Do not use it; the arithmetic proof below says where."
    ).bold = True
    _tag(document, "endif")
    document.add_heading("Appendix 1: savings by workstream", level=1)
    _caption(document, "{{ caption }}")
    _tracker_table(document)
    document.add_heading("Notes to the table", level=3)
    _each(document, "note in notes", "{{ note }}", "List Bullet")
    _tag(document, "for chart in charts")
    document.add_heading("{{ chart.caption }}", level=2)
    document.add_paragraph("{{ chart.picture }}").paragraph_format.keep_with_next = True
    _tag(document, "if chart.rows")
    _caption(document, "{{ chart.caption }}, in figures")
    _chart_table(document)
    document.add_paragraph(style="Tracker hint")
    _tag(document, "endif")
    _tag(document, "endfor")
    _tag(document, "if projections")
    document.add_heading("Beyond {{ last_year }}", level=2)
    _tag(document, "for projection in projections")
    line = document.add_paragraph(style="List Bullet")
    line.add_run("{{ projection.workstream }}: {{ projection.amount }} {{ projection.horizon }}.").bold = True
    line.add_run(" {{ projection.text }} Confidence: {{ projection.confidence }}.")
    _tag(document, "endfor")
    _tag(document, "endif")
    _tag(document, "if headline")
    document.add_heading("Overall potential", level=2)
    document.add_paragraph(
        "{{ headline.short_term }} in the short term, {{ headline.medium_term }} in the medium term and "
        "{{ headline.long_term }} in the long term."
    )
    _tag(document, "endif")
    document.add_heading("Who has reported", level=2)
    document.add_paragraph("{{ coverage }}")
    document.add_heading("Arithmetic proof", level=2)
    _caption(document, "{{ proof.caption }}")
    _proof_table(document)
    document.add_heading("The rows and their totals", level=3)
    _each(document, "sum in proof.sums", "{{ sum }}", "List Bullet")


def _write_appendix_2(document: Document) -> None:
    heading = document.add_heading("Appendix 2: the workstreams", level=1)
    heading.paragraph_format.page_break_before = True
    _tag(document, "for workstream in workstreams")
    document.add_heading("{{ workstream.name }}", level=2)
    lead = document.add_paragraph()
    lead.add_run("Lead: ").bold = True
    lead.add_run("{{ workstream.lead }}")
    lead.paragraph_format.keep_with_next = True
    _tag(document, "if workstream.purpose")
    purpose = document.add_paragraph()
    purpose.add_run("Purpose: ").bold = True
    purpose.add_run("{{ workstream.purpose }}")
    _tag(document, "endif")
    _tag(document, "for update in workstream.updates")
    hint = document.add_paragraph("Update from {{ update.from }}, as at {{ update.day }}", style="Heading 3")
    hint.paragraph_format.keep_with_next = True
    _each(document, "text in update.paragraphs", "{{ text }}", "Normal")
    _tag(document, "endfor")
    _tag(document, "if not workstream.updates")
    document.add_paragraph("No update has been written yet.")
    _tag(document, "endif")
    _tag(document, "endfor")


def _write_footer(document: Document) -> None:
    section = document.sections[0]
    footer = section.footer.paragraphs[0]
    footer.style = document.styles["Footer"]
    for stop in list(footer.style.element.iter(qn("w:tab"))):
        stop.getparent().remove(stop)
    footer.add_run("{{ title }}: {{ edition.text }}")
    footer.paragraph_format.tab_stops.add_tab_stop(Length(_PAGE_WIDTH - 2 * _MARGIN), WD_TAB_ALIGNMENT.RIGHT)
    footer.add_run("\tPage ")
    _field(footer, "PAGE")
    footer.add_run(" of ")
    _field(footer, "NUMPAGES")
    below = section.footer.add_paragraph("{% if edition.hash %}SHA-256 {{ edition.hash }}{% endif %}", style="Footer")
    below.runs[0].font.size = Pt(7)


def _tracker_table(document: Document) -> None:
    rows = [
        _row(
            (_text("Workstream"), _text("Whose"), *_years(_amount("{{ year }}")), _amount("Total")),
            _TRACKER_WIDTHS,
            header=True,
        ),
        _tag_row("for row in rows", _TRACKER_WIDTHS),
        _tag_row("if row.is_partnership", _TRACKER_WIDTHS),
        _tracker_row(PARTNERSHIP_GREY, bold=True),
        _tag_row("else", _TRACKER_WIDTHS),
        _tracker_row(HOME_GREY, bold=False),
        _tag_row("endif", _TRACKER_WIDTHS),
        _tag_row("endfor", _TRACKER_WIDTHS),
        _tag_row("for total in totals", _TRACKER_WIDTHS),
        _tag_row("if total.is_partnership", _TRACKER_WIDTHS),
        _total_row(PARTNERSHIP_GREY),
        _tag_row("else", _TRACKER_WIDTHS),
        _total_row(HOME_GREY),
        _tag_row("endif", _TRACKER_WIDTHS),
        _tag_row("endfor", _TRACKER_WIDTHS),
    ]
    _table(document, "{{ caption }}", "{{ description }}", _TRACKER_WIDTHS, rows)


def _tracker_row(fill: str, *, bold: bool) -> str:
    cells = (
        _text("{{ row.workstream }}", bold=bold, keep=bold),
        _text("{{ row.whose }}", keep=bold),
        *_years(_amount("{{ cell }}"), among="cell in row.cells"),
        _amount("{{ row.total }}", bold=True),
    )
    return _row(cells, _TRACKER_WIDTHS, fill=fill, heavy=bold)


def _total_row(fill: str) -> str:
    cells = (
        _text("{{ total.title }}", bold=True, keep=True),
        _text("{{ total.whose }}", bold=True),
        *_years(_amount("")),
        _amount("{{ total.total }}", bold=True),
    )
    return _row(cells, _TRACKER_WIDTHS, fill=fill, heavy=fill == PARTNERSHIP_GREY)


def _proof_table(document: Document) -> None:
    rows = [
        _row(
            (
                _text("Workstream"),
                _amount("Shares"),
                _amount("Unapportioned"),
                _amount("{{ partnership_short }}"),
                _text("Result", indent=True),
            ),
            _PROOF_WIDTHS,
            header=True,
        ),
        _tag_row("for part in proof.parts", _PROOF_WIDTHS),
        _tag_row("if part.is_whole", _PROOF_WIDTHS),
        _proof_row(bold=True),
        _tag_row("else", _PROOF_WIDTHS),
        _proof_row(bold=False),
        _tag_row("endif", _PROOF_WIDTHS),
        _tag_row("endfor", _PROOF_WIDTHS),
    ]
    _table(document, "{{ proof.caption }}", "{{ proof.description }}", _PROOF_WIDTHS, rows)


def _chart_table(document: Document) -> None:
    rows = [
        _row(
            (_text("{{ chart.heading }}"), *_years(_amount("{{ column }}"), among="column in chart.columns")),
            _CHART_WIDTHS,
            header=True,
        ),
        _tag_row("for line in chart.rows", _CHART_WIDTHS),
        _row(
            (_text("{{ line.label }}"), *_years(_amount("{{ cell }}"), among="cell in line.cells")),
            _CHART_WIDTHS,
        ),
        _tag_row("endfor", _CHART_WIDTHS),
    ]
    _table(document, "{{ chart.caption }}", "{{ chart.alternative }}", _CHART_WIDTHS, rows)


def _proof_row(*, bold: bool) -> str:
    cells = (
        _text("{{ part.workstream }}", bold=bold),
        _amount("{{ part.shares }}", bold=bold),
        _amount("{{ part.unapportioned }}", bold=bold),
        _amount("{{ part.partnership }}", bold=bold),
        _text("{{ part.result }}", bold=bold, indent=True),
    )
    return _row(cells, _PROOF_WIDTHS, fill=PARTNERSHIP_GREY if bold else None, heavy=bold)


def _table(document: Document, caption: str, description: str, widths: Sequence[Length], rows: Iterable[str]) -> None:
    grid = "".join(f'<w:gridCol w:w="{width.twips}"/>' for width in widths)
    whole = sum(width.twips for width in widths)
    drawn = parse_xml(
        f'<w:tbl {nsdecls("w")}><w:tblPr><w:tblStyle w:val="TrackerTable"/><w:tblW w:w="{whole}" w:type="dxa"/>'
        '<w:tblLayout w:type="fixed"/>'
        '<w:tblLook w:val="06A0" w:firstRow="1" w:lastRow="0" w:firstColumn="1" w:lastColumn="0" '
        'w:noHBand="1" w:noVBand="1"/>'
        f"<w:tblCaption w:val={quoteattr(caption)}/><w:tblDescription w:val={quoteattr(description)}/></w:tblPr>"
        f"<w:tblGrid>{grid}</w:tblGrid>{''.join(rows)}</w:tbl>"
    )
    document.element.body.insert(len(document.element.body) - 1, drawn)


def _row(
    cells: Sequence[str],
    widths: Sequence[Length],
    *,
    header: bool = False,
    fill: str | None = None,
    heavy: bool = False,
) -> str:
    """A row that stays on one page; the header's comes again on each. ``heavy`` draws a line above, between groups."""
    shade = (
        f'<w:shd w:val="clear" w:color="auto" w:fill="{HEADER_GROUND if header else fill}"/>' if header or fill else ""
    )
    above = f'<w:tcBorders><w:top w:val="single" w:sz="8" w:space="0" w:color="{INK}"/></w:tcBorders>' if heavy else ""
    repeated = "<w:tblHeader/>" if header else ""
    drawn = "".join(
        f'<w:tc><w:tcPr><w:tcW w:w="{width.twips}" w:type="dxa"/>{above}{shade}'
        f'<w:vAlign w:val="{"bottom" if header else "center"}"/></w:tcPr>{_headed(cell) if header else cell}</w:tc>'
        for cell, width in zip(cells, widths, strict=True)
    )
    return f"<w:tr><w:trPr><w:cantSplit/>{repeated}</w:trPr>{drawn}</w:tr>"


def _tag_row(tag: str, widths: Sequence[Length]) -> str:
    """A row that holds nothing but a tag, and is gone when the template is filled in."""
    return _row((_text(f"{{%tr {tag} %}}"), *(_text("") for _ in widths[1:])), widths)


def _years(cell: str, among: str = "year in years") -> tuple[str, str, str]:
    return _text(f"{{%tc for {among} %}}"), cell, _text("{%tc endfor %}")


def _text(text: str, *, bold: bool = False, keep: bool = False, indent: bool = False) -> str:
    return _paragraph("Trackertext", text, bold=bold, keep=keep, indent=indent)


def _amount(text: str, *, bold: bool = False) -> str:
    return _paragraph("Trackeramount", text, bold=bold)


def _paragraph(style: str, text: str, *, bold: bool, keep: bool = False, indent: bool = False) -> str:
    form = f"{'<w:keepNext/>' if keep else ''}{'<w:ind w:left=' + quoteattr('300') + '/>' if indent else ''}"
    # Said either way: the first column is bold by the table's style.
    run = f'<w:r><w:rPr><w:b w:val="{int(bold)}"/></w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>' if text else ""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{form}</w:pPr>{run}</w:p>'


def _headed(cell: str) -> str:
    return cell.replace('<w:b w:val="0"/>', f'<w:b w:val="1"/><w:color w:val="{HEADER_INK}"/>')


def _caption(document: Document, text: str) -> None:
    """A caption that Word counts, so that its number is right wherever the table is pasted."""
    caption = document.add_paragraph("Table ", style="Caption")
    _field(caption, "SEQ Table \\* ARABIC")
    caption.add_run(f": {text}")


def _each(document: Document, among: str, text: str, style: str) -> None:
    _tag(document, f"for {among}")
    document.add_paragraph(text, style=style)
    _tag(document, "endfor")


def _tag(document: Document, tag: str) -> None:
    """A paragraph that holds nothing but a tag, and is gone when the template is filled in."""
    document.add_paragraph(f"{{%p {tag} %}}", style="Tracker hint")


def _field(paragraph: Paragraph, instruction: str) -> None:
    paragraph._p.append(
        parse_xml(
            f"<w:fldSimple {nsdecls('w')} w:instr={quoteattr(f' {instruction} ')}><w:r><w:t>1</w:t></w:r></w:fldSimple>"
        )
    )


def main(path: Path = TEMPLATE) -> None:
    """Write the template where the product looks for it."""
    path.write_bytes(word_template())


if __name__ == "__main__":
    main()
