"""The workbook's sheets of what moved and of who has reported: each sum is worked out, and comes to our own figures."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from services.reporting.changes import KINDS, MovementKind
from services.reporting.exports.excel import write_excel
from services.reporting.exports.imprint import Imprint
from services.reporting.movement import Movements, State, movements_between
from services.reporting.rounds import Presence
from services.reporting.table import Question, Table, build_table
from tests.many_councils import figures_of, many_councils
from tests.reporting_extremes import INJECTIONS
from tests.reporting_figures import EAST_SUSSEX, ENTRY, SE7, january_2012, posted, table_of
from tests.reporting_movements import REASON, SEPTEMBER, moved, round_coverage
from tests.workbooks import parts, require_same_after_recalculation, sheets

IMPRINT = Imprint("Draft", "Draft, not published", date(2011, 12, 7), datetime(2012, 1, 26, 9, tzinfo=UTC))
HEAD = 3


def january(movements: Movements) -> Table:
    return build_table(SE7, movements.after.posted, (), Question(home=EAST_SUSSEX), round_coverage())


def rows_of(content: bytes) -> list[list[Any]]:
    """The rows of the movements, without what stands above and below them."""
    found = sheets(content)["Movements"][HEAD + 1 :]
    return found[: next((at for at, row in enumerate(found) if row[1] == ""), len(found))]


def large_movements() -> tuple[Table, Movements]:
    """Every figure of 74 councils and 10 workstreams moved, some to and fro."""
    partnership = many_councils()
    before = figures_of(partnership)
    after = [
        replace(each, figure=replace(each.figure, amount_pence=each.figure.counted_pence + (place % 7 - 3) * 12_345))
        for place, each in enumerate(before)
    ]
    question = Question(home=partnership.councils[73].gss)
    old, new = (build_table(partnership, figures, (), question) for figures in (before, after))
    return new, movements_between(State("Before", old, tuple(before)), State("Draft", new, tuple(after)))


def test_each_row_has_both_ends_what_moved_it_and_the_reasons() -> None:
    movements = moved()
    header, *_ = sheets(write_excel(january(movements), IMPRINT, movements))["Movements"][HEAD:]
    assert header == ["Workstream", "Whose", "Before", *KINDS.values(), "Movement", "After", "Result", "Why"]
    rows = {(row[0], row[1]): row[2:] for row in rows_of(write_excel(january(movements), IMPRINT, movements))}
    assert rows["Highways", "SE7"] == [
        35_250_000.0, 0.0, 0.0, 1_000_000.0, 0.0, 1_000_000.0, 36_250_000.0, "Adds up", f"Corrected: £1m – {REASON}",
    ]  # fmt: skip
    assert rows["ICT", "SE7"] == [
        32_500_000.0, 0.0, 0.0, -500_000.0, 0.0, -500_000.0, 32_000_000.0, "Adds up",
        "Re-profiled between years: £1m from 2012/13 to 2011/12; Corrected: -£500k",
    ]  # fmt: skip
    assert rows["Waste", "SE7"][4:6] == [2_000_000.0, 2_000_000.0]
    assert rows["All workstreams", "SE7"] == [
        81_750_000.0, 1_600_000.0, 0.0, 500_000.0, 2_000_000.0, 4_100_000.0, 85_850_000.0, "Adds up", "",
    ]  # fmt: skip


@pytest.mark.parametrize("which", ["january 2012", "74 councils"])
def test_kept_values_are_ours_to_the_penny(which: str) -> None:
    table, movements = large_movements() if which == "74 councils" else (january(moved()), moved())
    written = rows_of(write_excel(table, IMPRINT, movements))
    assert len(written) == len(movements.rows) + len(movements.totals)
    for ours, cells in zip([*movements.rows, *movements.totals], written, strict=True):
        assert [round(cell * 100) for cell in cells[2:9]] == [
            ours.old_pence,
            *(ours.parts[kind] for kind in MovementKind),
            ours.pence,
            ours.new_pence,
        ]
        assert cells[9] == "Adds up"


@pytest.mark.parametrize("which", ["january 2012", "74 councils"])
def test_a_recalculation_in_libreoffice_comes_to_the_same_movements(which: str, tmp_path: Path) -> None:
    table, movements = large_movements() if which == "74 councils" else (january(moved()), moved())
    require_same_after_recalculation(write_excel(table, IMPRINT, movements), tmp_path)


def test_every_sum_of_a_movement_is_a_formula() -> None:
    movements = moved()
    sheet = parts(write_excel(january(movements), IMPRINT, movements))["xl/worksheets/sheet3.xml"]
    formulas = dict(re.findall(r'<c r="(\w+)"[^>]*><f>([^<]*)</f>', sheet))
    assert formulas["F5"] == (
        'SUMPRODUCT((Changes!$O$2:$O$7="highways")*(Changes!$P$2:$P$7="partnership")*(Changes!$E$2:$E$7=F4),'
        "Changes!$J$2:$J$7)"
    )
    assert formulas["H5"] == "SUM(D5:G5)"
    assert formulas["I5"] == "C5+H5"
    assert formulas["J5"] == 'IF(ROUND(I5-N(Tracker!$J$7),2)=0,"Adds up","Does not add up")'
    assert formulas["C17"] == "C5+C7+C9+C11+C13+C15"


def test_each_change_tells_what_was_and_is_stated_by_whom_and_in_which_return() -> None:
    movements = moved()
    header, *rows = sheets(write_excel(january(movements), IMPRINT, movements))["Changes"]
    changes = [dict(zip(header, row, strict=True)) for row in rows]
    assert changes[0] == {
        "workstream": "Highways", "whose": "SE7", "initiative": "", "year": "2012/13", "why": "Corrected",
        "stated_before": 5_000_000.0, "basis_before": "estimate", "stated_now": 6_000_000.0, "basis_now": "estimate",
        "movement": 1_000_000.0, "reason": REASON, "stated_by": "lead-ict", "as_at": date(2011, 12, 7),
        "return": "a-return", "workstream_code": "highways", "scope": "partnership",
    }  # fmt: skip
    assert sum(change["movement"] for change in changes) == 4_100_000


def test_the_first_edition_has_nothing_to_be_compared_with() -> None:
    found = sheets(write_excel(table_of(*january_2012()), IMPRINT))
    assert found["Movements"][2][0] == "There is no earlier edition to compare with."
    assert "Changes" not in found


def test_where_nothing_has_changed_it_says_so(tmp_path: Path) -> None:
    figures = tuple(january_2012())
    state = State(SEPTEMBER, table_of(*figures), figures)
    content = write_excel(state.table, IMPRINT, movements_between(state, state))
    assert f"Nothing has changed since {SEPTEMBER}." in [row[0] for row in sheets(content)["Movements"]]
    assert {tuple(row[3:8]) for row in rows_of(content)} == {(0.0,) * 5}
    require_same_after_recalculation(content, tmp_path)


def test_a_movement_that_does_not_add_up_is_called_out() -> None:
    movements = moved()
    spoilt = replace(movements.rows[0], new_pence=movements.rows[0].new_pence + 1)
    content = write_excel(january(movements), IMPRINT, replace(movements, rows=(spoilt, *movements.rows[1:])))
    assert rows_of(content)[0][9] == "Does not add up"
    assert any(str(row[0]).startswith("These sums do not add up.") for row in sheets(content)["Movements"])


@pytest.mark.parametrize("text", INJECTIONS)
def test_whatever_is_written_as_a_reason_stays_a_text(text: str) -> None:
    entry = replace(ENTRY, reason=text, stated_by=text, submission_id=text)
    figures = [*january_2012(), posted("ict", "2013/14", "£1m", initiative=text, entry=entry)]
    movements = moved(figures)
    content = write_excel(january(movements), IMPRINT, movements)
    kept = re.sub("[\x00-\x1f\ufffe\ud800]", "\ufffd", text)
    changes = sheets(content)["Changes"]
    assert [kept] * 4 in [[row[2], row[10], row[11], row[13]] for row in changes]
    for name, part in parts(content).items():
        if name.startswith("xl/worksheets/sheet"):
            for formula in re.findall(r"<f>([^<]*)</f>", part):
                assert re.match(r"(SUM|IF|N|SUMPRODUCT|COUNTA|COUNTIF)\(|[A-Z]+\d+\+", formula), formula
                assert "evil" not in formula
                assert "cmd" not in formula
        assert 'TargetMode="External"' not in part


def test_the_coverage_of_the_round_counts_what_has_come_is_late_missing_or_carried_forward(tmp_path: Path) -> None:
    movements = moved()
    content = write_excel(january(movements), IMPRINT, movements)
    rows = sheets(content)["Coverage"]
    counted = {row[0]: row[1] for row in rows}
    counts = round_coverage().counts
    assert counted["Expected"] == 18
    assert counted["Received: on time and late"] == 2
    assert [counted[words] for words in ("On time", "Late", "Carried forward", "Missing")] == [
        counts[presence] for presence in Presence
    ]
    assert "Opens 1 December 2011, due 9 December 2011, closes 20 January 2012." in [row[0] for row in rows]
    assert ["Highways", "South East 7", "On time", date(2011, 12, 8)] in rows
    assert ["ICT", "South East 7", "Late", date(2011, 12, 12)] in rows
    assert ["Waste", "East Sussex County Council", "Carried forward", ""] in rows
    assert ["Property", "Kent County Council", "Missing", ""] in rows
    formulas = re.findall(r"<f>(COUNT\w+\([^<]*)</f>", parts(content)["xl/worksheets/sheet5.xml"])
    assert len(formulas) == 1 + len(Presence)
    require_same_after_recalculation(content, tmp_path)


def test_without_a_round_the_coverage_tells_who_has_stated_a_figure() -> None:
    rows = sheets(write_excel(table_of(*january_2012()), IMPRINT))["Coverage"]
    firsts = [row[0] for row in rows]
    assert "No reporting round is open." in firsts
    assert [row[:2] for row in rows if row[0] == "Kent County Council"] == [["Kent County Council", "None yet"]]
    assert [row[:2] for row in rows if row[0] == "East Sussex County Council"] == [
        ["East Sussex County Council", "Stated"]
    ]
