"""What the Word document says besides the table: sentences whose numbers lead to their entries, and what moved."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import docx
import pytest
from docx.document import Document
from docx.oxml.ns import qn

from services.reporting.changes import KINDS
from services.reporting.exports.imprint import Imprint
from services.reporting.exports.word import write_word
from services.reporting.files import WORD
from services.reporting.movement import Movements, State, movements_between
from services.reporting.narrative import Origin
from services.reporting.report import Report
from services.reporting.table import Question, build_table
from shared.money import short_text
from tests.opened_elsewhere import converted, text_of_pdf
from tests.reporting_extremes import INJECTIONS
from tests.reporting_figures import EAST_SUSSEX, ENTRY, SE7, january_2012, posted
from tests.reporting_movements import REASON, SEPTEMBER, moved

IMPRINT = Imprint("Cabinet, 26 January 2012", "Edition 2", date(2011, 12, 7), None, "1f0c" * 16)
ADDRESS = "https://savings.example.test"


def report(movements: Movements | None = None, address: str = ADDRESS, **changed: object) -> Report:
    figures = movements.after.posted if movements else tuple(january_2012())
    table = build_table(SE7, figures, (), Question(home=EAST_SUSSEX))
    return replace(Report(table, figures, 12, IMPRINT, 2, movements, address), **changed)  # type: ignore[arg-type]


def since_september() -> Movements:
    movements = moved()
    return replace(movements, before=replace(movements.before, edition=1, meeting_date=date(2011, 9, 20)))


def opened(content: bytes) -> Document:
    return docx.Document(io.BytesIO(content))


def texts_of(document: Document) -> list[str]:
    return [
        "".join(text.text or "" for text in paragraph.iter(qn("w:t")))
        for paragraph in document.element.body.iter(qn("w:p"))
    ]


def links_in(document: Document) -> list[tuple[str, str]]:
    """Each link of the document: what it says, and where it leads."""
    return [
        (
            "".join(text.text or "" for text in link.iter(qn("w:t"))),
            document.part.rels[link.get(qn("r:id"))].target_ref,
        )
        for link in document.element.body.iter(qn("w:hyperlink"))
    ]


def table_under(document: Document, caption: str) -> list[list[str]]:
    for table in document.tables:
        if table._tbl.tblPr.find(qn("w:tblCaption")).get(qn("w:val")) == caption:
            return [[cell.text for cell in row.cells] for row in table.rows]
    raise AssertionError(f"there is no table {caption}")


def test_the_sentences_are_the_narrative_word_for_word() -> None:
    made = report(since_september())
    texts = texts_of(opened(WORD.write(made)))
    start = texts.index("In words")
    assert texts[start + 1 : start + 1 + len(made.narrative)] == [sentence.text for sentence in made.narrative]
    assert "That is £4.1m more than in the edition of 20 September 2011, mainly Waste (£2m)." in texts


def test_every_number_of_a_sentence_is_a_link_to_what_it_comes_from() -> None:
    made = report(since_september())
    numbers = [part for sentence in made.narrative for part in sentence.parts if part.reference is not None]
    assert [text for text, _ in links_in(opened(WORD.write(made)))] == [part.text for part in numbers]
    for part, (text, address) in zip(numbers, links_in(opened(WORD.write(made))), strict=True):
        assert part.reference is not None
        assert text == short_text(abs(part.reference.pence))
        leads_to = urlsplit(address)
        query = {name: values[0] for name, values in parse_qs(leads_to.query).items()}
        assert f"{leads_to.scheme}://{leads_to.netloc}" == ADDRESS
        match part.reference.origin:
            case Origin.ROWS:
                assert leads_to.path == "/figures"
                assert query["scope"] == part.reference.scope
                assert query.get("workstream") == part.reference.workstream
                assert query.get("year") == (str(part.reference.year) if part.reference.year else None)
                assert query["edition"] == "2"
            case Origin.MOVEMENT:
                assert (leads_to.path, query["from"], query["to"]) == ("/movements", "1", "2")
                workstream, scope = part.reference.workstream, part.reference.scope
                assert leads_to.fragment == (f"why-{workstream}-{scope}" if workstream else "")
            case _:
                assert leads_to.path == "/tracker"
                assert leads_to.fragment in ("proof-heading", "headline-heading")


def test_without_an_address_the_numbers_lead_nowhere_and_are_all_there() -> None:
    made = report(since_september(), address="")
    document = opened(WORD.write(made))
    assert links_in(document) == []
    assert made.link is None
    assert {sentence.text for sentence in made.narrative} <= set(texts_of(document))


def test_a_draft_leads_to_the_figures_by_its_own_clocks() -> None:
    made = report()
    draft = replace(made, edition=None, table=replace(made.table, question=Question(EAST_SUSSEX, date(2011, 12, 7))))
    link = draft.link
    assert link is not None
    reference = next(part.reference for part in draft.narrative[0].parts if part.reference)
    query = parse_qs(urlsplit(link(reference)).query)
    assert query["as_at"] == ["2011-12-07"]
    assert "edition" not in query


def test_what_changed_is_a_table_of_both_ends_split_by_why() -> None:
    found = table_under(opened(WORD.write(report(since_september()))), f"What has changed since {SEPTEMBER}")
    assert found == [
        ["Workstream", "Whose", "Before", *KINDS.values(), "Movement", "After"],
        ["Highways", "SE7", "£35.25m", "–", "–", "£1m", "–", "£1m", "£36.25m"],
        ["Waste", "SE7", "£14m", "–", "–", "–", "£2m", "£2m", "£16m"],
        ["ICT", "SE7", "£32.5m", "–", "–", "-£500k", "–", "-£500k", "£32m"],
        ["Special Educational Needs (SEN)", "SE7", "£0", "£1.6m", "–", "–", "–", "£1.6m", "£1.6m"],
        ["All workstreams", "SE7", "£81.75m", "£1.6m", "–", "£500k", "£2m", "£4.1m", "£85.85m"],
        ["All workstreams", "ESCC", "£6.944m", "–", "–", "–", "–", "–", "£6.944m"],
    ]


def test_the_reasons_given_stand_under_what_changed() -> None:
    texts = texts_of(opened(WORD.write(report(since_september()))))
    assert f"Highways, SE7. Corrected: £1m – {REASON}" in texts
    assert "ICT, SE7. Re-profiled between years: £1m from 2012/13 to 2011/12" in texts


def test_the_first_edition_says_nothing_of_changes_and_a_quiet_one_that_there_are_none() -> None:
    assert not any("has changed" in text for text in texts_of(opened(WORD.write(report()))))
    figures = tuple(january_2012())
    state = State(SEPTEMBER, report().table, figures, 1, date(2011, 9, 20))
    quiet = texts_of(opened(WORD.write(report(movements_between(state, state)))))
    assert "Nothing has changed." in quiet
    assert "That is the same as in the edition of 20 September 2011." in quiet


def test_a_movement_that_does_not_add_up_is_called_out_and_not_narrated() -> None:
    movements = since_september()
    spoilt = replace(movements.rows[0], new_pence=movements.rows[0].new_pence + 1)
    texts = texts_of(opened(WORD.write(report(replace(movements, rows=(spoilt, *movements.rows[1:]))))))
    assert "The sums of these movements do not add up. Do not use them." in texts
    assert not any("than in the edition" in text for text in texts)


def test_the_offices_notes_to_an_edition_are_printed() -> None:
    noted = replace(IMPRINT, notes=("Figures for Waste are provisional.",))
    texts = texts_of(opened(WORD.write(report(imprint=noted))))
    assert texts[texts.index("Notes to the edition") + 1] == "Figures for Waste are provisional."
    assert "Notes to the edition" not in texts_of(opened(WORD.write(report())))


@pytest.mark.parametrize("text", INJECTIONS)
def test_whatever_is_written_as_a_reason_stays_a_text(text: str) -> None:
    entry = replace(ENTRY, reason=text)
    movements = moved([*january_2012(), posted("ict", "2013/14", "£1m", initiative="Desktops", entry=entry)])
    noted = replace(IMPRINT, notes=(text,))
    document = opened(WORD.write(report(movements, imprint=noted)))
    kept = re.sub("[\x00-\x1f\ufffe\ud800]", "\ufffd", text)
    assert any(kept in each and each.startswith("ICT, SE7. New: £1m – ") for each in texts_of(document))
    assert kept in texts_of(document)
    assert all(address.startswith(ADDRESS) for _, address in links_in(document))


def test_a_councils_own_template_may_have_the_sentences_with_links_or_without(tmp_path: Path) -> None:
    own = docx.Document()
    for text in ("{%p for sentence in narrative %}", "{{ sentence.text }}", "{{ sentence.linked }}", "{%p endfor %}"):
        own.add_paragraph(text)
    path = tmp_path / "ESX.docx"
    own.save(str(path))
    made = report(since_september())
    document = opened(write_word(made.table, IMPRINT, path, narrative=made.narrative, movements=None, link=made.link))
    assert texts_of(document)[:2] == [made.narrative[0].text] * 2
    assert len(links_in(document)) == sum(part.reference is not None for each in made.narrative for part in each.parts)


def test_libreoffice_prints_the_sentences_and_what_changed(tmp_path: Path) -> None:
    made = report(since_september())
    printed = " ".join(text_of_pdf(converted(WORD.write(made), ".docx", "pdf", tmp_path)).split())
    for sentence in made.narrative:
        assert sentence.text in printed
    assert "Highways SE7 £35.25m – – £1m – £1m £36.25m" in printed
    assert f"Highways, SE7. Corrected: £1m – {REASON}" in printed


def test_the_same_report_is_the_same_bytes() -> None:
    assert len({WORD.write(report(since_september())) for _ in range(3)}) == 1
