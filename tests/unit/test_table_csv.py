"""The table as CSV, read back by a reader of CSV."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import pytest

from services.reporting.exports.csv_table import guarded, printed_csv, tidy_csv
from services.reporting.table import Question, Table, build_table
from shared.figures import Basis, Status
from shared.money import parse_pounds
from tests.reporting_figures import EAST_SUSSEX, PRINTED, SE7, january_2012, posted, table_of


def tidy(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(tidy_csv(table).decode(), newline="")))


def test_the_printed_layout_is_the_reference_file_byte_for_byte() -> None:
    assert printed_csv(table_of(*january_2012())) == PRINTED


def test_the_tidy_layout_has_a_row_for_each_workstream_scope_and_year() -> None:
    rows = tidy(table_of(*january_2012()))
    assert len(rows) == len(SE7.workstreams) * 2 * len(SE7.years)
    assert len({(row["workstream_code"], row["scope"], row["year"]) for row in rows}) == len(rows)


def test_a_tidy_row_carries_codes_names_and_plain_numbers() -> None:
    rows = tidy(table_of(*january_2012()))
    assert rows[1] == {
        "partnership": "se7",
        "workstream_code": "highways",
        "workstream": "Highways",
        "scope": "partnership",
        "scope_name": "South East 7",
        "year": "2012/13",
        "in_year": "6000000.00",
        "cumulative": "6250000.00",
        "status": "quantified",
        "basis": "estimate",
        "printed": "£6m (£6.25m)",
    }
    assert sum(Decimal(row["in_year"] or 0) for row in rows if row["scope"] == EAST_SUSSEX) == 6_944_000


def test_what_is_not_stated_is_empty_and_a_stated_nil_is_zero() -> None:
    rows = tidy(
        table_of(posted("highways", "2011/12", Status.TO_BE_CONFIRMED), posted("highways", "2012/13", Status.NIL))
    )
    assert [(row["in_year"], row["cumulative"], row["status"]) for row in rows[:3]] == [
        ("", "", "to_be_confirmed"),
        ("0.00", "0.00", "nil"),
        ("", "0.00", "not_stated"),
    ]


def test_the_bases_of_a_cell_are_all_named() -> None:
    table = table_of(
        posted("highways", "2011/12", "£1m", basis=Basis.ACTUAL, initiative="Benchmarking"),
        posted("highways", "2011/12", "£1m", basis=Basis.ESTIMATE),
    )
    assert tidy(table)[0]["basis"] == "actual+estimate"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_text_that_a_spreadsheet_would_run_is_quoted(start: str) -> None:
    hostile = f'{start}HYPERLINK("http://example.test")'
    assert guarded(hostile) == f"'{hostile}"
    named = SE7.workstreams[0].model_copy(update={"name": hostile})
    council = SE7.council_by_gss[EAST_SUSSEX].model_copy(update={"name": hostile, "short_name": hostile})
    partnership = SE7.model_copy(
        update={
            "workstreams": (named, *SE7.workstreams[1:]),
            "councils": tuple(council if each.gss == council.gss else each for each in SE7.councils),
        }
    )
    for cached in ("council_by_gss", "workstream_by_code"):
        partnership.__dict__.pop(cached, None)
    table = build_table(partnership, [], (), Question(home=EAST_SUSSEX))
    for written in (tidy_csv(table), printed_csv(table)):
        cells = [cell for row in csv.reader(io.StringIO(written.decode(), newline="")) for cell in row]
        assert f"'{hostile}" in cells
        assert hostile not in cells


def test_a_negative_amount_stays_a_number_and_its_text_stays_text() -> None:
    rows = tidy(table_of(posted("highways", "2011/12", "-£50k")))
    assert (rows[0]["in_year"], rows[0]["printed"]) == ("-50000.00", "-£50k")
    assert parse_pounds(rows[0]["printed"]) == -5_000_000


def test_names_with_commas_quotes_and_line_ends_come_back_whole() -> None:
    named = SE7.workstreams[0].model_copy(update={"name": 'Roads, "bridges"\nand more'})
    partnership = SE7.model_copy(update={"workstreams": (named, *SE7.workstreams[1:])})
    assert tidy(build_table(partnership, [], (), Question()))[0]["workstream"] == 'Roads, "bridges"\nand more'
