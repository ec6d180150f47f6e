"""The names of the files of the table, and how a browser is told them."""

from __future__ import annotations

from datetime import date
from urllib.parse import unquote

import pytest

from services.reporting.naming import as_attachment, file_name
from services.reporting.table import Question
from shared.clock import end_of_local_day
from tests.reporting_extremes import INJECTIONS
from tests.reporting_figures import EAST_SUSSEX, SE7

AS_AT = date(2011, 12, 7)
KNOWN_AT = end_of_local_day(date(2012, 1, 26))


def test_an_edition_is_kept_under_its_meeting_and_council() -> None:
    name = file_name(SE7, Question(home=EAST_SUSSEX), ".docx", "Cabinet, 26 January 2012")
    assert name == "SE7 savings tracker, Cabinet 26 January 2012, East Sussex.docx"


@pytest.mark.parametrize(
    ("question", "name"),
    [
        (Question(), "SE7 savings tracker, Draft.xlsx"),
        (Question(as_at=AS_AT), "SE7 savings tracker, Draft as at 7 December 2011.xlsx"),
        (
            Question(home=EAST_SUSSEX, as_at=AS_AT, known_at=KNOWN_AT),
            "SE7 savings tracker, Draft as at 7 December 2011 known at 26 January 2012, East Sussex.xlsx",
        ),
    ],
)
def test_a_draft_is_kept_under_the_clocks_it_was_asked_by(question: Question, name: str) -> None:
    assert file_name(SE7, question, ".xlsx") == name


def test_a_council_is_named_as_its_people_name_it() -> None:
    last_parts = {file_name(SE7, Question(home=each.gss), "").split(", ")[-1] for each in SE7.councils}
    assert {"Brighton & Hove", "Kent", "Medway", "West Sussex"} <= last_parts
    assert not [part for part in last_parts if "Council" in part]


@pytest.mark.parametrize("text", [*INJECTIONS, "ß\U0001f600" * 40])
def test_whatever_a_title_holds_the_name_is_one_that_a_file_can_have(text: str) -> None:
    name = file_name(SE7, Question(home=EAST_SUSSEX), ".pdf", text * 9)
    assert not set(name) & set('<>:"/\\|?*\0\n')
    assert len(name.encode()) < 255
    assert name.endswith(".pdf")


def test_a_file_name_survives_the_header_whatever_letters_it_has() -> None:
    header = as_attachment('Cyngor "Sir" Gâr\n100%.csv')
    assert header.isascii()
    assert header.isprintable()
    assert header.startswith('attachment; filename="Cyngor _Sir_ G_r_100_.csv"; ')
    assert unquote(header.partition("''")[2]) == 'Cyngor "Sir" Gâr\n100%.csv'
