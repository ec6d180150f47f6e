"""How the Word template looks: its page, the styles of its text and tables, its language."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from docx.document import Document
from docx.enum.section import WD_ORIENT
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Mm, Pt, RGBColor
from docx.styles.style import ParagraphStyle

from services.reporting.exports.greys import HEADER_GROUND, HEADER_INK, INK, LINE, QUIET_INK

PAGE_WIDTH: Final = Mm(297)
MARGIN: Final = Mm(18)
_FONT: Final = "Arial"


def drop_ballast(document: Document) -> None:
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


def set_page(document: Document) -> None:
    section = document.sections[0]
    section.orientation = WD_ORIENT.LANDSCAPE
    section.page_width, section.page_height = PAGE_WIDTH, Mm(210)
    section.left_margin = section.right_margin = MARGIN
    section.top_margin, section.bottom_margin = Mm(16), Mm(18)
    section.header_distance, section.footer_distance = Mm(8), Mm(8)


def set_styles(document: Document) -> None:
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


def set_language(document: Document) -> None:
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
