"""The Word document: the printed table to the letter, readable by all, from a template that a council may replace."""

from __future__ import annotations

import csv
import io
import re
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import docx
import pytest
from docx.document import Document
from docx.enum.section import WD_ORIENT
from docx.oxml.ns import qn
from docx.shared import Mm
from docx.table import Table as WordTable

from services.reporting.exports.greys import HOME_GREY, PARTNERSHIP_GREY
from services.reporting.exports.imprint import ChartPicture, Imprint
from services.reporting.exports.word import TEMPLATE, check_template, write_word
from services.reporting.exports.word_faults import FILTERS, WrongTemplate
from services.reporting.exports.word_tags import EXAMPLES, tags_of
from services.reporting.exports.word_template import word_template
from services.reporting.table import Question, Table, Update
from shared.figures import PARTNERSHIP, Scope, Stream, WorkstreamCode
from tests.opened_elsewhere import converted, text_of_pdf
from tests.reporting_extremes import INJECTIONS, hostile, largest
from tests.reporting_figures import EAST_SUSSEX, ENTRY, PRINTED, january_2012, posted, table_of
from tests.reporting_movements import moved

IMPRINT = Imprint(
    "Cabinet, 26 January 2012", "Edition 3", date(2011, 12, 7), datetime(2012, 1, 26, 9, tzinfo=UTC), "1f0c" * 16
)
REFERENCE = list(csv.reader(io.StringIO(PRINTED.decode())))


def update(workstream: str, text: str, scope: Scope = PARTNERSHIP) -> Update:
    stream = Stream(WorkstreamCode(workstream), scope)
    return Update(stream, text, date(2011, 12, 7), ENTRY.recorded_at, "lead", "a-return")


def january() -> Table:
    updates = (
        update("ict", "Work goes to plan.\n\nFirst savings have been made."),
        update("ict", "Ours.", EAST_SUSSEX),
    )
    return table_of(*january_2012(), updates=updates)


def opened(content: bytes) -> Document:
    return docx.Document(io.BytesIO(content))


def cells(table: WordTable) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def all_text(document: Document) -> str:
    return "\n".join(
        "".join(text.text or "" for text in paragraph.iter(qn("w:t")))
        for paragraph in document.element.body.iter(qn("w:p"))
    )


def picture() -> bytes:
    """A PNG of 40 by 20 white pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress(b"".join(b"\0" + b"\xff" * 40 for _ in range(20)))
    header = struct.pack(">IIBBBBB", 40, 20, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def template_with(tmp_path: Path, *paragraphs: str, footer: str = "") -> Path:
    """A council's own template of those paragraphs."""
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    document.sections[0].footer.paragraphs[0].text = footer
    path = tmp_path / "own.docx"
    document.save(str(path))
    return path


def test_january_2012_equals_the_printed_appendix_cell_by_cell() -> None:
    header, *rows = cells(opened(write_word(january(), IMPRINT)).tables[0])
    assert header == ["Workstream", "Whose", *REFERENCE[0][2:-1], "Total"]
    assert rows == REFERENCE[1:]


def test_the_header_row_comes_again_on_each_page_and_no_row_is_split() -> None:
    table = opened(write_word(january(), IMPRINT)).tables[0]
    assert [row._tr.trPr.find(qn("w:tblHeader")) is not None for row in table.rows] == [True] + [False] * 14
    assert all(row._tr.trPr.find(qn("w:cantSplit")) is not None for row in table.rows)


def test_the_partnerships_rows_are_light_grey_and_the_home_councils_dark_grey() -> None:
    table = opened(write_word(january(), IMPRINT)).tables[0]
    fills = [
        {cell.find(f"{qn('w:tcPr')}/{qn('w:shd')}").get(qn("w:fill")) for cell in row._tr.findall(qn("w:tc"))}
        for row in table.rows[1:]
    ]
    assert fills == [{PARTNERSHIP_GREY}, {HOME_GREY}] * 7


def test_a_table_without_a_home_council_has_the_partnerships_rows_alone() -> None:
    table = table_of(*january_2012(), question=Question())
    assert [row[1] for row in cells(opened(write_word(table, IMPRINT)).tables[0])[1:]] == ["SE7"] * 7


def test_a_reader_who_does_not_see_is_told_language_title_and_what_each_table_is() -> None:
    document = opened(write_word(january(), IMPRINT))
    assert document.core_properties.title == "South East 7 savings tracker: East Sussex County Council"
    assert document.core_properties.language == "en-GB"
    assert {element.get(qn("w:val")) for element in document.styles.element.iter(qn("w:lang"))} == {"en-GB"}
    for table in document.tables:
        properties = table._tbl.tblPr
        assert properties.find(qn("w:tblLook")).get(qn("w:firstRow")) == "1"
        assert properties.find(qn("w:tblCaption")).get(qn("w:val"))
        assert properties.find(qn("w:tblDescription")).get(qn("w:val"))
        assert next(table._tbl.iter(qn("w:vMerge"), qn("w:gridSpan")), None) is None, "no merged cells"
    described = document.tables[0]._tbl.tblPr.find(qn("w:tblDescription")).get(qn("w:val"))
    assert "SE7 £83.85m and ESCC £6.944m" in described
    headings = [each.text for each in document.paragraphs if each.style and each.style.name == "Heading 1"]
    assert headings == ["Appendix 1: savings by workstream", "Appendix 2: the workstreams"]


def test_the_page_lies_on_its_side() -> None:
    section = opened(write_word(january(), IMPRINT)).sections[0]
    assert section.orientation is WD_ORIENT.LANDSCAPE
    assert section.page_width == pytest.approx(Mm(297), rel=0.001)


def test_what_stands_under_the_table_is_the_tables_own() -> None:
    table = january()
    text = all_text(opened(write_word(table, IMPRINT)))
    for note in table.notes:
        assert note.text in text
    for projection in table.projections:
        assert projection.text in text
    assert "£100m in the short term, £500m in the medium term and £1.5bn in the long term." in text
    assert table.coverage.text in text
    assert "SE7: the rows add up to £83.85m; the total is £83.85m. They are equal." in text


def test_the_arithmetic_proof_is_a_table_of_its_own() -> None:
    assert cells(opened(write_word(january(), IMPRINT)).tables[1])[-2:] == [
        ["Commodities Procurement", "£2k", "-£2k", "not stated", "Adds up; shares without a partnership figure"],
        ["All workstreams", "£6.944m", "£76.906m", "£83.85m", "Adds up"],
    ]


def test_appendix_2_gives_each_workstream_its_lead_purpose_and_updates() -> None:
    text = all_text(opened(write_word(january(), IMPRINT)))
    ict = text[text.rindex("\nICT\n") : text.rindex("\nProperty\n")]
    assert ict.split("\n") == [
        "",
        "ICT",
        "Lead: Brighton & Hove City Council",
        "Purpose: Finding where shared networks, procurement, data centres, desktops and customer contact cost less "
        "together.",
        "Update from Brighton & Hove City Council, as at 7 December 2011",
        "Work goes to plan.",
        "First savings have been made.",
        "Update from East Sussex County Council, as at 7 December 2011",
        "Ours.",
    ]
    assert text.endswith("No update has been written yet.")


def test_the_footer_states_edition_as_at_and_hash() -> None:
    footer = opened(write_word(january(), IMPRINT)).sections[0].footer
    text = "\n".join(paragraph.text for paragraph in footer.paragraphs)
    assert "Cabinet, 26 January 2012 (Edition 3), as at 7 December 2011, known at 26 January 2012" in text
    assert f"SHA-256 {'1f0c' * 16}" in text


def test_a_draft_says_so_and_has_no_hash() -> None:
    footer = opened(write_word(january(), Imprint("Draft", "Draft, not published"))).sections[0].footer
    assert "savings tracker: Draft, not published" in footer.paragraphs[0].text
    assert footer.paragraphs[1].text == ""


def test_a_chart_is_one_picture_with_its_words_and_its_figures() -> None:
    chart = ChartPicture(
        picture(), 'Rises to "£2m" & more.', "Savings", ("Workstream", "2011/12", "2012/13"), (("ICT", "£1m", "£2m"),)
    )
    document = opened(write_word(january(), IMPRINT, charts=[chart, chart]))
    drawn = list(document.element.body.iter(qn("wp:docPr")))
    assert [each.get("descr") for each in drawn] == ['Rises to "£2m" & more.'] * 2
    assert len({each.get("id") for each in drawn}) == 2
    assert cells(document.tables[1]) == [["Workstream", "2011/12", "2012/13"], ["ICT", "£1m", "£2m"]]


def test_the_same_table_is_the_same_bytes_in_any_thread() -> None:
    table = january()
    with ThreadPoolExecutor(4) as pool:
        written = set(pool.map(lambda _: write_word(table, IMPRINT), range(8)))
    assert len(written) == 1
    with zipfile.ZipFile(io.BytesIO(written.pop())) as file:
        assert {part.date_time for part in file.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("text", INJECTIONS)
def test_whatever_is_written_in_a_text_stays_a_text(text: str) -> None:
    document = opened(write_word(hostile(text), Imprint(text, text, digest=text)))
    kept = re.sub("[\x00-\x1f\ufffe\ud800]", "\ufffd", text)
    assert cells(document.tables[0])[1][:2] == [kept, kept]
    assert cells(document.tables[0])[5][2:] == ["£1m", "(£1m)", "(£1m)", "(£1m)", "£1m"]
    shown = all_text(document)
    assert f"Purpose: {kept}" in shown
    assert f"Update from {kept}, as at 7 December 2011\n{kept}" in shown
    assert kept in document.core_properties.title


def test_the_template_kept_in_the_repository_is_the_one_that_is_made() -> None:
    kept, made = (zipfile.ZipFile(io.BytesIO(content)) for content in (TEMPLATE.read_bytes(), word_template()))
    assert {name: kept.read(name) for name in kept.namelist()} == {name: made.read(name) for name in made.namelist()}


def test_every_tag_that_a_template_may_use_is_filled_in() -> None:
    def shape(value: object) -> object:
        match value:
            case dict():
                return {name: shape(each) for name, each in value.items()}
            case [first, *_]:
                return [shape(first)]
            case _:
                return type(value)

    tags = tags_of(january(), replace(IMPRINT, notes=("A note.",)), moved())
    tags["workstreams"] = [each for each in tags["workstreams"] if each["updates"]]
    from_the_document = {name: EXAMPLES[name] for name in ("charts", "narrative")}
    assert shape({**tags, **from_the_document}) == shape(dict(EXAMPLES))


def test_every_tag_is_described_to_the_councils() -> None:
    described = Path("docs/word-template.md").read_text(encoding="utf-8")

    def names(value: object) -> set[str]:
        match value:
            case dict():
                return {*value, *(name for each in value.values() for name in names(each))}
            case [first, *_]:
                return names(first)
            case _:
                return set()

    assert {name for name in names(dict(EXAMPLES)) if not re.search(rf"\b{name}\b", described)} == set()
    assert all(re.search(rf"\b{name}\b", described) for name in FILTERS)


def test_a_council_may_give_a_template_of_its_own(tmp_path: Path) -> None:
    own = template_with(
        tmp_path,
        "Our report on {{ partnership | upper }}",
        "{%p for row in rows %}",
        "{{ row.total }}",
        "{%p endfor %}",
    )
    assert [each.text for each in opened(write_word(january(), IMPRINT, own)).paragraphs][:3] == [
        "Our report on SOUTH EAST 7",
        "£36.25m",
        "£150k",
    ]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("{{ tital }}", "{{ tital }}: tital is not known here"),
        ("{{ edition.number }}", "{{ edition.number }}: number is not known of that"),
        ("{% for row in rows %}{{ row.tota }}{% endfor %}", "{{ row.tota }}: tota is not known of that"),
        ("{{ row.total }}", "{{ row.total }}: row is not known here"),
        ("{{ title", "{{: has no counterpart"),
        ("{{ title | }}", "{{ title | }}: it cannot be read"),
        ("{% for row in rows %}", "{% for row in rows %}: it is never closed by an endfor"),
        ("{%p endif %}", "{%p endif %}: there is nothing open"),
        ("{% if council %}{% endfor %}{% endif %}", "the last tag that is open is {% if council %}"),
        ("{%p if council %}{% endif %}", "{% endif %}: it has to begin as {%p if council %} begins"),
        ("{% for row in title %}{% endfor %}", "there is only one of it"),
        ("{% include 'secrets' %}", "{% include 'secrets' %}: a template may not use it"),
        ("{{ title.__class__ }}", "__class__ is not known of that"),
        ("{{ 'a' * 1000000000 }}", "a template may not reckon or call"),
        ("{{ title | pprint }}", "pprint is not a filter"),
        ("{{ range(9) }}", "a template may not reckon or call"),
    ],
)  # fmt: skip
def test_a_wrong_tag_is_named_with_its_paragraph(tmp_path: Path, wrong: str, said: str) -> None:
    own = template_with(tmp_path, "Appendix 1", f"Here: {wrong}")
    with pytest.raises(WrongTemplate) as refused:
        write_word(january(), IMPRINT, own)
    assert said.replace("{{: ", "{{: {{ ") in refused.value.detail
    assert f"It stands in the body, in paragraph 2: “Here: {wrong}”" in refused.value.detail
    assert {fault.pointer for fault in refused.value.faults} == {"the body, paragraph 2"}


def test_all_the_wrong_tags_are_named_at_once_and_what_was_perhaps_meant(tmp_path: Path) -> None:
    own = template_with(
        tmp_path, "{{ tital }}", "{{ coverage }}", "{{ headlines.short_term }}", footer="{{ editon.text }}"
    )
    with pytest.raises(WrongTemplate) as refused:
        write_word(january(), IMPRINT, own)
    assert [(fault.given, fault.pointer, fault.fix) for fault in refused.value.faults] == [
        ("{{ tital }}", "the body, paragraph 1", "Perhaps title was meant."),
        ("{{ headlines.short_term }}", "the body, paragraph 3", "Perhaps headline was meant."),
        ("{{ editon.text }}", "the footer, paragraph 1", "Perhaps edition was meant."),
    ]


def test_a_tag_that_cuts_through_the_layout_is_refused_and_nothing_is_written_by_halves(tmp_path: Path) -> None:
    document = docx.Document()
    document.add_table(1, 1).cell(0, 0).text = "{% if council %}"
    document.add_paragraph("{% endif %}")
    own = tmp_path / "own.docx"
    document.save(str(own))
    with pytest.raises(WrongTemplate, match="cut through its layout"):
        write_word(table_of(question=Question()), IMPRINT, own)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"PK\x03\x04 broken", picture()])
def test_what_is_no_word_document_is_not_a_template(content: bytes) -> None:
    with pytest.raises(WrongTemplate, match="not a Word document"):
        check_template(content)


def test_a_template_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongTemplate, match=r"no template to be read at .*nowhere\.docx"):
        write_word(january(), IMPRINT, tmp_path / "nowhere.docx")


def test_sums_that_do_not_add_up_are_called_out_at_the_top() -> None:
    table = january()
    spoilt = replace(table.proof.additions[0], total_pence=table.proof.additions[0].total_pence + 1)
    broken = replace(table, proof=replace(table.proof, additions=(spoilt,)))
    words = "The sums of this table do not add up."
    assert words in all_text(opened(write_word(broken, IMPRINT)))
    assert words not in all_text(opened(write_word(table, IMPRINT)))


def test_with_many_years_and_long_amounts_no_amount_is_broken_and_the_width_is_kept(tmp_path: Path) -> None:
    table = largest(years="2018/19")
    content = write_word(table, IMPRINT)
    widths = [int(column.get(qn("w:w"))) for column in opened(content).tables[0]._tbl.tblGrid]
    drawn = [int(column.get(qn("w:w"))) for column in docx.Document(str(TEMPLATE)).tables[0]._tbl.tblGrid]
    assert len(widths) == 11
    assert sum(widths) == pytest.approx(sum(drawn), abs=11)
    printed = text_of_pdf(converted(content, ".docx", "pdf", tmp_path))
    for row in table.rows:
        for cell in row.cells:
            for amount in cell.text.split():
                assert amount in printed


def test_libreoffice_prints_the_same_figures(tmp_path: Path) -> None:
    table = january()
    printed = text_of_pdf(converted(write_word(table, IMPRINT), ".docx", "pdf", tmp_path))
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    for row in REFERENCE[1:]:
        assert " ".join(text for text in row if text) in lines
    assert "Page 1 of " in printed


def test_a_table_of_nothing_prints() -> None:
    assert cells(opened(write_word(table_of(), IMPRINT)).tables[0])[1][2:] == ["–"] * 5


def test_a_figure_of_a_single_workstream_is_enough() -> None:
    table = table_of(posted("ict", "2011/12", "£1m"))
    assert cells(opened(write_word(table, IMPRINT)).tables[0])[5][2:] == ["£1m", "(£1m)", "(£1m)", "(£1m)", "£1m"]
