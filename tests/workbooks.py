"""Reading our workbooks in other programs: calamine for what is kept, LibreOffice for what it comes to."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from tests.opened_elsewhere import converted

#: Commas, quotes, UTF-8; the first sheet, its cells as they are shown.
AS_SHOWN = "csv:Text - txt - csv (StarCalc):44,34,76,1"


def sheets(content: bytes) -> dict[str, list[list[Any]]]:
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


def parts(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


def without_kept_values(content: bytes) -> bytes:
    """The workbook as if nobody had worked out its formulas yet, so that whoever opens it has to."""
    emptied, taken = io.BytesIO(), 0
    with zipfile.ZipFile(io.BytesIO(content)) as file, zipfile.ZipFile(emptied, "w") as written:
        for name in file.namelist():
            part = file.read(name)
            if name.startswith("xl/worksheets/sheet"):
                part, here = re.subn(rb"(</f>)<v>[^<]*</v>", rb"\1", part)
                taken += here
            written.writestr(name, part)
    assert taken
    return emptied.getvalue()


def as_shown(content: bytes, folder: Path) -> list[list[str]]:
    """The cells' texts as a person sees them."""
    path = converted(content, ".xlsx", AS_SHOWN, folder)
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))


def require_same_after_recalculation(content: bytes, folder: Path) -> None:
    """Whoever opens the workbook and works out its formulas anew comes to the very values that we kept in it."""
    recalculated = sheets(converted(without_kept_values(content), ".xlsx", "xlsx", folder).read_bytes())
    for name, rows in sheets(content).items():
        for at, row in enumerate(rows):
            again = recalculated[name][at] if at < len(recalculated[name]) else []
            for ours, theirs in zip(row, [*again, *[""] * len(row)], strict=False):
                if isinstance(ours, float):
                    assert theirs == pytest.approx(ours, abs=0.001), (name, at)
                else:
                    assert theirs == ours, (name, at)
