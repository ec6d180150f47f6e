"""What a file says of itself, and the name under which it is kept."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from services.reporting.exports.imprint import Imprint, kept_as
from services.reporting.table import Question
from tests.reporting_extremes import INJECTIONS, hostile
from tests.reporting_figures import EAST_SUSSEX, january_2012, table_of

CABINET = Imprint("Cabinet, 26 January 2012", "Edition 3", date(2011, 12, 7), None, "1f0c" * 16)
DRAFT = Imprint("Draft", "Draft, not published", date(2011, 12, 7))


def test_an_edition_is_kept_under_its_meeting_and_council() -> None:
    table = table_of(*january_2012(), question=Question(home=EAST_SUSSEX))
    assert kept_as(table, CABINET, ".docx") == "SE7 savings tracker, Cabinet 26 January 2012, East Sussex.docx"


def test_a_draft_is_kept_under_its_as_at_date() -> None:
    table = table_of(*january_2012(), question=Question())
    assert kept_as(table, DRAFT, ".xlsx") == "SE7 savings tracker, Draft as at 7 December 2011.xlsx"


@pytest.mark.parametrize("text", INJECTIONS)
def test_whatever_a_title_holds_the_name_is_one_that_a_file_can_have(text: str) -> None:
    name = kept_as(hostile(text), Imprint(text * 9, "Edition 1", digest="ab"), ".pdf")
    assert not set(name) & set('<>:"/\\|?*\0\n')
    assert len(name.encode()) < 255
    assert name.endswith(".pdf")


def test_the_imprint_of_an_edition_and_of_a_draft() -> None:
    assert CABINET.text == "Cabinet, 26 January 2012 (Edition 3), as at 7 December 2011"
    assert CABINET.digest_text == f"SHA-256 {'1f0c' * 16}"
    assert DRAFT.text == "Draft, not published, as at 7 December 2011"
    assert DRAFT.digest_text == ""


def test_a_file_is_made_when_its_figures_were_known_and_never_now() -> None:
    known = datetime(2012, 1, 26, 9, 30, 15, 123456, tzinfo=UTC)
    assert Imprint("Draft", "Draft", date(2011, 12, 7), known).made_at == datetime(2012, 1, 26, 9, 30, 15, tzinfo=UTC)
    assert DRAFT.made_at == datetime(2011, 12, 7, tzinfo=UTC)
    assert Imprint("Draft", "Draft").made_at == datetime(2000, 1, 1, tzinfo=UTC)
