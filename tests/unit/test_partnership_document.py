"""A partnership written into an edition reads back as it was."""

from __future__ import annotations

import json
from datetime import date

from services.reporting.partnership_document import document_of, partnership_of
from shared.partnership import Partnership
from tests.reporting_figures import SE7


def written_and_read(partnership: Partnership) -> Partnership:
    return partnership_of(json.loads(json.dumps(document_of(partnership))))


def test_a_partnership_reads_back_from_json_as_it_was() -> None:
    assert written_and_read(SE7) == SE7


def test_one_without_a_headline_and_with_a_council_that_ends_does_too() -> None:
    council = SE7.councils[0].model_copy(update={"starts": date(1974, 4, 1), "ends": date(2027, 3, 31)})
    smaller = SE7.model_copy(update={"headline": None, "councils": (council, *SE7.councils[1:])})
    assert written_and_read(smaller) == smaller
