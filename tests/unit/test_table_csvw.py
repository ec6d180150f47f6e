"""The tidy CSV and its sidecar, read back together by a reader of CSV on the Web."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest
from csvw import CSVW

from services.reporting.exports.csv_table import TIDY_COLUMNS, tidy_csv
from services.reporting.exports.csvw import SUFFIX, csvw_metadata
from services.reporting.exports.imprint import Imprint
from services.reporting.table import Table
from shared.figures import Status
from shared.money import as_decimal
from tests.reporting_figures import january_2012, posted, table_of

DRAFT = Imprint("Draft", "Draft, not published")
#: Its reader takes an address for a file name as it stands, so no name that an address would have to escape.
NAME = "tracker.csv"


def kept(table: Table, folder: Path, change: tuple[bytes, bytes] = (b"", b"")) -> CSVW:
    (folder / NAME).write_bytes(tidy_csv(table).replace(*change))
    sidecar = folder / f"{NAME}{SUFFIX}"
    sidecar.write_bytes(csvw_metadata(table, NAME, DRAFT))
    return CSVW(str(sidecar), validate=True)


def test_the_file_is_as_its_sidecar_says(tmp_path: Path) -> None:
    described = kept(table_of(*january_2012()), tmp_path)
    assert described.is_valid, described.warnings


@pytest.mark.parametrize(
    "change",
    [
        (b"250000.00", b"lots"),
        (b"2011/12", b"2011-12"),
        (b",partnership,", b",everybody,"),
        (b"quantified", b"perhaps"),
    ],
    ids=["an amount", "a year", "a scope", "a status"],
)
@pytest.mark.filterwarnings("always")
def test_a_file_that_says_something_else_is_found_out(tmp_path: Path, change: tuple[bytes, bytes]) -> None:
    assert not kept(table_of(*january_2012()), tmp_path, change).is_valid


def test_amounts_come_back_as_numbers_and_what_is_not_stated_as_nothing(tmp_path: Path) -> None:
    table = table_of(
        posted("highways", "2011/12", "£1,234,567.89"),
        posted("highways", "2012/13", "-£50k"),
        posted("highways", "2013/14", Status.TO_BE_CONFIRMED),
    )
    described = kept(table, tmp_path)
    rows = list(described.tables[0])
    assert [row["in_year"] for row in rows[:4]] == [Decimal("1234567.89"), Decimal(-50000), None, None]
    whole = [cell.cumulative_pence for row in table.rows for cell in row.cells]
    assert [row["cumulative"] for row in rows] == [None if pence is None else as_decimal(pence) for pence in whole]


def test_every_column_is_described_and_no_other() -> None:
    described = json.loads(csvw_metadata(table_of(), NAME, DRAFT))
    assert [column["name"] for column in described["tableSchema"]["columns"]] == list(TIDY_COLUMNS)
    assert all(column["dc:description"].endswith(".") for column in described["tableSchema"]["columns"])


def test_the_name_of_the_file_becomes_an_address() -> None:
    described = json.loads(csvw_metadata(table_of(), "SE7 savings tracker, tidy data.csv", DRAFT))
    assert described["url"] == "SE7%20savings%20tracker%2C%20tidy%20data.csv"
