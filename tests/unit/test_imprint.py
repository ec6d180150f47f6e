"""What a file says of itself."""

from __future__ import annotations

from datetime import UTC, date, datetime

from services.reporting.exports.imprint import Imprint

CABINET = Imprint("Cabinet, 26 January 2012", "Edition 3", date(2011, 12, 7), None, "1f0c" * 16)
DRAFT = Imprint("Draft", "Draft, not published", date(2011, 12, 7))


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
