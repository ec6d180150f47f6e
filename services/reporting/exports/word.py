"""Appendix 1 and Appendix 2 as a Word document, from a template that a council may replace by its own.

Uses the processor, no network and no clock; safe in any thread. The same table, imprint and template give the same
bytes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

import docx
from docx.image.image import Image
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml import parse_xml
from docx.oxml.ns import qn
from docx.oxml.xmlchemy import BaseOxmlElement
from docxtpl import DocxTemplate, InlineImage
from jinja2 import StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.reporting.exports.characters import one_line
from services.reporting.exports.greys import LINK_INK
from services.reporting.exports.imprint import ChartPicture, Imprint
from services.reporting.exports.word_columns import fit_columns, sizes_of
from services.reporting.exports.word_faults import FILTERS, WrongTemplate, template_faults
from services.reporting.exports.word_tags import EXAMPLES, tags_of
from services.reporting.movement import Movements
from services.reporting.narrative import Part, Reference, Sentence
from services.reporting.table import Table
from shared.errors import Fault

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
#: Made by ``word_template.py``; a council replaces it by giving another.
TEMPLATE: Final = Path(__file__).parent / "templates" / "tracker.docx"
TEMPLATE_LIMIT_BYTES: Final = 20_000_000

#: The parts of a zip file carry a time; this one is the earliest there can be, and says nothing.
_NO_TIME: Final = (1980, 1, 1, 0, 0, 0)
_PICTURE_OF_PAGE: Final = 0.6
_TEMPLATE_LINE: Final = "<template>"


def write_word(
    table: Table,
    imprint: Imprint,
    template: Path | None = None,
    charts: Sequence[ChartPicture] = (),
    *,
    narrative: Sequence[Sentence] = (),
    movements: Movements | None = None,
    link: Callable[[Reference], str] | None = None,
) -> bytes:
    """The table as a ``.docx``. ``link`` is where a number of the narrative leads; without it, it leads nowhere.

    Raises:
        WrongTemplate: naming each tag that cannot be filled in, and the paragraph it is in.
    """
    content = read_template(template or TEMPLATE)
    check_template(content)
    document = _Filled(content)
    tags = tags_of(table, imprint, movements)
    tags["narrative"] = [
        {"text": one_line(sentence.text), "linked": _Linked(document, sentence, link)} for sentence in narrative
    ]
    tags["charts"] = [
        {
            "picture": _Picture(document, chart),
            "caption": one_line(chart.caption),
            "alternative": one_line(chart.alternative),
            "heading": one_line(chart.columns[0]) if chart.columns else "",
            "columns": [one_line(column) for column in chart.columns[1:]],
            "rows": [
                {"label": one_line(label), "cells": [one_line(text) for text in cells]} for label, *cells in chart.rows
            ],
        }
        for chart in charts
    ]
    document.fill_in(tags)
    properties = document.docx.core_properties
    properties.title = tags["title"] if not table.home else f"{tags['title']}: {tags['council']}"
    properties.subject = tags["edition"]["text"]
    properties.author = properties.last_modified_by = tags["partnership"]
    properties.language = "en-GB"
    properties.keywords = properties.comments = ""
    # Word reads these as UTC and refuses a zone.
    properties.created = properties.modified = imprint.made_at.astimezone(UTC).replace(tzinfo=None)
    properties.revision = 1
    written = io.BytesIO()
    document.docx.save(written)
    return timeless(written)


@lru_cache(maxsize=8)
def check_template(content: bytes) -> None:
    """Whether a template can be filled in, whatever the table.

    Raises:
        WrongTemplate: naming everything wrong with it.
    """
    try:
        document = docx.Document(io.BytesIO(content))
    except Exception as error:
        # Whatever its reader stumbles over (zip, XML, missing parts), to the council it is one thing.
        raise WrongTemplate("The template is not a Word document (.docx).", [], "Save it in Word as .docx.") from error
    if faults := template_faults(document, _environment(), EXAMPLES):
        raise WrongTemplate(" ".join(fault.detail for fault in faults), faults)


@lru_cache(maxsize=8)
def _sizes_in(content: bytes) -> Mapping[str, float]:
    return sizes_of(docx.Document(io.BytesIO(content)))


def read_template(path: Path) -> bytes:
    """A template's bytes.

    Raises:
        WrongTemplate: where there is no file, or too large a one.
    """
    try:
        with path.open("rb") as file:
            content = file.read(TEMPLATE_LIMIT_BYTES + 1)
    except OSError as error:
        raise WrongTemplate(f"There is no template to be read at {path}.", [], "Put it there.") from error
    if len(content) > TEMPLATE_LIMIT_BYTES:
        raise WrongTemplate(f"The template is larger than {TEMPLATE_LIMIT_BYTES:,} bytes.", [], "Take pictures out.")
    return content


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    """What a template may do: fill in and repeat. It is a council's own file, and yet no program."""
    environment = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in FILTERS}
    return environment


@lru_cache(maxsize=32)
def _compiled(source: str) -> Template:
    return _environment().from_string(source)


class _Filled(DocxTemplate):  # type: ignore[misc]
    """docxtpl's template, which is filled in once, quickly, and never half."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self._content = content
        self.init_docx()

    def fill_in(self, tags: Mapping[str, Any]) -> None:
        # Its own properties are tags to docxtpl, too; ours are set afterwards.
        for name in ("author", "comments", "identifier", "language", "subject", "title"):
            setattr(self.docx.core_properties, name, "")
        self.render(tags, _environment())

    @staticmethod
    @lru_cache(maxsize=32)
    def _patched(source: str) -> str:
        return str(DocxTemplate.patch_xml(None, source))

    def patch_xml(self, src_xml: str) -> str:
        """As docxtpl does; remembered, for it takes longer than all the rest."""
        return self._patched(src_xml)

    def render_xml_part(self, src_xml: str, part: Any, context: Mapping[str, Any], jinja_env: Any = None) -> str:
        """As docxtpl does, but that a text is taken as it is, with no signs of docxtpl's own in it."""
        self.current_rendering_part = part
        # A paragraph a line: where a tag fails, the number of the line says in which.
        lines = re.sub(r"<w:p([ >])", r"\n<w:p\1", src_xml)
        try:
            return _compiled(lines).render(context).replace("\n<w:p", "<w:p")
        except Exception as error:
            raise _failed(error, lines) from error

    def fix_tables(self, xml: str) -> BaseOxmlElement:
        """Read strictly what was filled in, and give each table the columns that its rows have."""
        try:
            tree = parse_xml(xml)
        except SyntaxError as error:
            raise WrongTemplate(
                f"The template's tags cut through its layout: {error.msg}.",
                [],
                "Keep {%tr … %} in a row of its own, {%tc … %} in a cell, {%p … %} in a paragraph of its own.",
            ) from error
        sizes = _sizes_in(self._content)
        for drawn in tree.iter(qn("w:tbl")):
            fit_columns(drawn, sizes)
        return tree

    def fix_docpr_ids(self, tree: BaseOxmlElement) -> None:
        """A number of its own for each picture, as Word wants it."""
        for number, properties in enumerate(tree.iter(qn("wp:docPr")), start=1):
            properties.set("id", str(number))


class _Picture(InlineImage):  # type: ignore[misc]
    """A picture that says what is to be seen in it."""

    def __init__(self, document: _Filled, chart: ChartPicture) -> None:
        super().__init__(document, None)
        self._png = chart.png
        self._alternative = one_line(chart.alternative)

    def __html__(self) -> str:
        # As wide as the text, but never so high that its heading would stand on another page.
        width, height = _space_for_text(self.tpl)
        image = Image.from_blob(self._png)
        width = min(width, int(height * _PICTURE_OF_PAGE * image.px_width / image.px_height))
        inline = self.tpl.current_rendering_part.new_pic_inline(io.BytesIO(self._png), width)
        inline.docPr.set("descr", self._alternative)
        return f'</w:t></w:r><w:r><w:drawing>{inline.xml}</w:drawing></w:r><w:r><w:t xml:space="preserve">'


class _Linked:
    """A sentence, each number in it a link to what it comes from; in whatever part of the document it is put."""

    def __init__(self, document: _Filled, sentence: Sentence, link: Callable[[Reference], str] | None) -> None:
        self._document, self._sentence, self._link = document, sentence, link

    def __html__(self) -> str:
        runs = "".join(self._run(part) for part in self._sentence.parts)
        return f'</w:t></w:r>{runs}<w:r><w:t xml:space="preserve">'

    def _run(self, part: Part) -> str:
        text = f'<w:t xml:space="preserve">{escape(one_line(part.text))}</w:t>'
        if part.reference is None or self._link is None:
            return f"<w:r>{text}</w:r>"
        leads_to = self._document.current_rendering_part.relate_to(
            self._link(part.reference), RELATIONSHIP_TYPE.HYPERLINK, is_external=True
        )
        # A council's template may have no style for links: what one looks like is said here.
        look = f'<w:rPr><w:color w:val="{LINK_INK}"/><w:u w:val="single"/></w:rPr>'
        return f'<w:hyperlink r:id="{leads_to}" w:history="1"><w:r>{look}{text}</w:r></w:hyperlink>'


def _space_for_text(document: _Filled) -> tuple[int, int]:
    section = document.docx.sections[0]
    return (
        section.page_width - section.left_margin - section.right_margin,
        section.page_height - section.top_margin - section.bottom_margin,
    )


def _failed(error: Exception, lines: str) -> WrongTemplate:
    """A tag that reads well and fails all the same, in the words of its paragraph."""
    trace, number = error.__traceback__, 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == _TEMPLATE_LINE:
            number = trace.tb_lineno
        trace = trace.tb_next
    text = re.sub(r"<[^>]+>", "", lines.split("\n")[number - 1]).strip() if number else ""
    detail = f"The template cannot be filled in: {error}. It stands in the paragraph “{text}”."
    return WrongTemplate(detail, [Fault(f"paragraph “{text}”", "wrong-tag", detail, "Correct the tag.", given=text)])


def timeless(written: io.BytesIO) -> bytes:
    """The same file without the time at which it was made."""
    timeless = io.BytesIO()
    with zipfile.ZipFile(written) as made, zipfile.ZipFile(timeless, "w", zipfile.ZIP_DEFLATED) as kept:
        for name in made.namelist():
            part = zipfile.ZipInfo(name, _NO_TIME)
            part.compress_type = zipfile.ZIP_DEFLATED
            part.external_attr = 0o600 << 16
            part.create_system = 3
            kept.writestr(part, made.read(name))
    return timeless.getvalue()
