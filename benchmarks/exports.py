"""Making the Word, Excel and PDF files, charts, sentences, movements and all: beside what is promised for January 2012,
and how each grows to 74 councils and 10 workstreams."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from benchmarks.result import Result
from services.reporting.exports import pictures
from services.reporting.exports.imprint import Imprint
from services.reporting.files import EXCEL, PDF, WORD
from services.reporting.forms import Form
from services.reporting.movement import State, movements_between
from services.reporting.report import Report
from services.reporting.rows import Posted
from services.reporting.table import Question, build_table
from shared.collector import rest_the_collector
from shared.money import Pence
from shared.partnership import Partnership
from tests.many_councils import figures_of, many_councils
from tests.reporting_figures import EAST_SUSSEX, SE7, january_2012

PROMISED_MS: Final = {"Word": (WORD, 150.0), "Excel": (EXCEL, 200.0), "PDF": (PDF, 1_000.0)}
#: How many times as long as January 2012 the largest partnership may take.
GROWTH: Final = 4.0
#: How many times as long as is promised, for who is first to ask after a figure moved: charts are drawn once.
ANEW: Final = 2.0
TIMES: Final = 7

#: A report of its own for each number, as each edition is.
Reports = Callable[[int], Report]


def run() -> Sequence[Result]:
    """Every benchmark of the files, in this process: as a worker makes them, one after the other."""
    # As a process that serves does, before it is asked for anything.
    rest_the_collector()
    january, large = _reports(SE7, january_2012(), EAST_SUSSEX), _large()
    found = []
    for name, (form, promised_ms) in PROMISED_MS.items():
        ours = _median_ms(form, january)
        found.append(_beside(f"{name} of January 2012, beside what is promised", ours, promised_ms, 1.0))
        if form is not EXCEL:
            anew = _median_ms(form, january, charts_anew=True)
            found.append(_beside(f"{name} of January 2012 with its charts drawn anew", anew, promised_ms, ANEW))
        grown = _median_ms(form, large)
        found.append(_beside(f"{name} of 74 councils and 10 workstreams, beside January 2012", grown, ours, GROWTH))
    return found


def _large() -> Reports:
    partnership = many_councils()
    return _reports(partnership, figures_of(partnership), partnership.councils[73].gss)


def _reports(partnership: Partnership, figures: Sequence[Posted], home: str) -> Reports:
    """Reports of an edition, each compared with one before it in which every amount was another."""
    question = Question(home=home)
    before = [
        replace(each, figure=replace(each.figure, amount_pence=Pence(each.figure.amount_pence - 1_000_000)))
        if each.figure.amount_pence is not None
        else each
        for each in figures
    ]
    tables = [build_table(partnership, each, (), question) for each in (before, figures)]
    old = State("Cabinet, 20 September 2011", tables[0], tuple(before), 1, date(2011, 9, 20))
    new = State("Cabinet, 26 January 2012", tables[1], tuple(figures), 2, date(2012, 1, 26))
    movements = movements_between(old, new)

    def report(number: int) -> Report:
        imprint = Imprint(new.title, "Edition 2", date(2011, 12, 7), None, f"{number:064x}")
        return Report(new.table, new.posted, 12, imprint, 2, movements, "https://savings.example.test")

    return report


def _median_ms(form: Form, reports: Reports, *, charts_anew: bool = False) -> float:
    """The median of some, after one that warms up."""
    took_ms: list[float] = []
    for number in range(TIMES + 1):
        if charts_anew:
            pictures.forget()
        report = reports(number)
        started = time.perf_counter()
        form.write(report)
        took_ms.append((time.perf_counter() - started) * 1_000)
    return statistics.median(took_ms[1:])


def _beside(name: str, ours_ms: float, floor_ms: float, goal: float) -> Result:
    return Result(name, ours_ms, floor_ms, "ms", ours_ms / floor_ms, ("at most", goal))


if __name__ == "__main__":
    for result in run():
        print(result)
