"""What the tidy CSV means, for machines: its sidecar in the W3C's CSV on the Web vocabulary. Pure.

A file ``NAME.csv`` is described by ``NAME.csv-metadata.json`` beside it (Metadata Vocabulary for Tabular Data, 5.3).
"""

from __future__ import annotations

import json
from typing import Any, Final
from urllib.parse import quote

from services.reporting.exports.csv_table import TIDY_COLUMNS
from services.reporting.exports.imprint import Imprint
from services.reporting.rows import CellStatus
from services.reporting.table import Table

MEDIA_TYPE: Final = "application/csvm+json"
SUFFIX: Final = "-metadata.json"

_POUNDS: Final = {"base": "decimal", "format": "#0.00"}
_MEANING: Final[dict[str, tuple[str, str, Any]]] = {
    "partnership": ("Partnership", "The code of the partnership.", "string"),
    "workstream_code": ("Workstream code", "The code of the workstream.", "string"),
    "workstream": ("Workstream", "The name of the workstream.", "string"),
    "scope": (
        "Scope",
        "Whom the figure is about: 'partnership', or the ONS GSS code of the council whose share it is.",
        {"base": "string", "format": "partnership|[A-Z][0-9]{8}"},
    ),
    "scope_name": ("Scope name", "The scope in words.", "string"),
    "year": (
        "Financial year",
        "1 April to 31 March.",
        {"base": "string", "format": "[0-9]{4}/[0-9]{2}"},
    ),
    "in_year": ("In year", "The new saving that starts in the year, in pounds; empty where none is stated.", _POUNDS),
    "cumulative": (
        "Cumulative",
        "The running sum of the in-year amounts since the first year, in pounds; empty where none is stated so far.",
        _POUNDS,
    ),
    "status": ("Status", "Whether there is an amount.", {"base": "string", "format": "|".join(CellStatus)}),
    "basis": ("Basis", "How sure the figures are; where there are several, all of them, joined by '+'.", "string"),
    "printed": ("Printed", "The text of the cell in the printed table.", "string"),
}


def csvw_metadata(table: Table, csv_name: str, imprint: Imprint, query: str = "") -> bytes:
    """The sidecar of the tidy CSV that is kept under ``csv_name`` in the same folder, or answered there to a query."""
    described = {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": quote(csv_name) + (f"?{query}" if query else ""),
        "dc:title": table.title,
        "dc:description": " ".join(note.text for note in table.notes),
        "dc:publisher": table.partnership.name,
        "dc:identifier": imprint.text + (f", {imprint.digest_text}" if imprint.digest else ""),
        "dialect": {"encoding": "utf-8", "header": True, "delimiter": ",", "quoteChar": '"', "doubleQuote": True},
        "tableSchema": {
            "columns": [_column(name) for name in TIDY_COLUMNS],
            "primaryKey": ["partnership", "workstream_code", "scope", "year"],
        },
    }
    return (json.dumps(described, ensure_ascii=False, indent=2) + "\n").encode()


def _column(name: str) -> dict[str, Any]:
    title, meaning, datatype = _MEANING[name]
    is_key = name in ("partnership", "workstream_code", "scope", "year")
    return {
        "name": name,
        "titles": [name],
        "dc:title": title,
        "dc:description": meaning,
        "datatype": datatype,
        **({"required": True} if is_key else {}),
    }
