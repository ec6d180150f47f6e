"""The forms in which the table is handed out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from services.reporting.exports.csv_table import printed_csv, tidy_csv
from services.reporting.report import Report
from services.reporting.schemas import TableOut
from services.reporting.table import Table


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the table. ``name`` tells it from every other; ``suffix`` ends the name of a file to be kept.

    ``is_drawn_aside``: it takes long enough to keep others waiting. ``tells_what_moved``: it is given the movements
    since the edition before. ``has_links``: it leads to addresses of the product, though it is read elsewhere.
    """

    name: str
    media_type: str
    write: Callable[[Report], bytes]
    suffix: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_drawn_aside: bool = False
    tells_what_moved: bool = False
    has_links: bool = False


#: The lines of both CSV forms end in LF, as in the printed reference.
_CSV: Final = "text/csv; charset=utf-8; header=present"


def json_of(table: Table, version: int) -> bytes:
    """The table as JSON: what an edition freezes, and what the API answers."""
    return TableOut.of(table, version).model_dump_json().encode()


JSON: Final = Form("json", "application/json", lambda report: json_of(report.table, report.ledger_version))
TIDY_CSV: Final = Form("tidy.csv", _CSV, lambda report: tidy_csv(report.table), ", tidy data.csv")
PRINTED_CSV: Final = Form("printed.csv", _CSV, lambda report: printed_csv(report.table), ".csv")
