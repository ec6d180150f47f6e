"""What the Word template is put together from: paragraphs and rows that hold a tag, tables, captions and fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import quoteattr

from docx.document import Document
from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls
from docx.shared import Length
from docx.text.paragraph import Paragraph

from services.reporting.exports.greys import HEADER_GROUND, HEADER_INK, INK


def table(document: Document, caption: str, description: str, widths: Sequence[Length], rows: Iterable[str]) -> None:
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


def row(
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


def tag_row(tag: str, widths: Sequence[Length]) -> str:
    """A row that holds nothing but a tag, and is gone when the template is filled in."""
    return row((text_cell(f"{{%tr {tag} %}}"), *(text_cell("") for _ in widths[1:])), widths)


def repeated(cell: str, among: str = "year in years") -> tuple[str, str, str]:
    return text_cell(f"{{%tc for {among} %}}"), cell, text_cell("{%tc endfor %}")


def text_cell(text: str, *, bold: bool = False, keep: bool = False, indent: bool = False) -> str:
    return _paragraph("Trackertext", text, bold=bold, keep=keep, indent=indent)


def amount_cell(text: str, *, bold: bool = False) -> str:
    return _paragraph("Trackeramount", text, bold=bold)


def _paragraph(style: str, text: str, *, bold: bool, keep: bool = False, indent: bool = False) -> str:
    form = f"{'<w:keepNext/>' if keep else ''}{'<w:ind w:left=' + quoteattr('300') + '/>' if indent else ''}"
    # Said either way: the first column is bold by the table's style.
    run = f'<w:r><w:rPr><w:b w:val="{int(bold)}"/></w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>' if text else ""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{form}</w:pPr>{run}</w:p>'


def _headed(cell: str) -> str:
    return cell.replace('<w:b w:val="0"/>', f'<w:b w:val="1"/><w:color w:val="{HEADER_INK}"/>')


def caption(document: Document, text: str) -> None:
    """A caption that Word counts, so that its number is right wherever the table is pasted."""
    caption = document.add_paragraph("Table ", style="Caption")
    field(caption, "SEQ Table \\* ARABIC")
    caption.add_run(f": {text}")


def each(document: Document, among: str, text: str, style: str) -> None:
    tag(document, f"for {among}")
    document.add_paragraph(text, style=style)
    tag(document, "endfor")


def tag(document: Document, tag: str) -> None:
    """A paragraph that holds nothing but a tag, and is gone when the template is filled in."""
    document.add_paragraph(f"{{%p {tag} %}}", style="Tracker hint")


def field(paragraph: Paragraph, instruction: str) -> None:
    paragraph._p.append(
        parse_xml(
            f"<w:fldSimple {nsdecls('w')} w:instr={quoteattr(f' {instruction} ')}><w:r><w:t>1</w:t></w:r></w:fldSimple>"
        )
    )
