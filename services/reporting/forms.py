"""The forms in which the table is handed out, and the names under which a person would keep them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

from services.reporting.exports.csv_table import printed_csv, tidy_csv
from services.reporting.notes import written_day
from services.reporting.report import Report
from services.reporting.schemas import TableOut
from services.reporting.table import Question, Table
from shared.clock import local_day
from shared.partnership import Partnership


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


def file_name(partnership: Partnership, question: Question, suffix: str, edition_title: str | None = None) -> str:
    """A name that a person would keep: ``SE7 savings tracker, Kent County Council, as at 7 December 2011.csv``.

    That of an edition is ``SE7 savings tracker, Cabinet 26 January 2012, Kent County Council.csv``.
    """
    parts = [f"{partnership.short_name} savings tracker"]
    if edition_title is not None:
        # Commas part the parts of the name; a slash would part folders.
        parts.append(edition_title.replace(",", "").replace("/", "-").replace("\\", "-"))
    if question.home is not None:
        parts.append(partnership.council_by_gss[question.home].name)
    if edition_title is not None:
        return ", ".join(parts) + suffix
    if question.as_at is not None:
        parts.append(f"as at {written_day(question.as_at)}")
    if question.known_at is not None:
        parts.append(f"known at {written_day(local_day(question.known_at))}")
    return ", ".join(parts) + suffix


def as_attachment(name: str) -> str:
    """The Content-Disposition of a file of that name (RFC 6266), whatever letters stand in it."""
    plain = "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in '"\\%' else "_" for letter in name
    )
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
