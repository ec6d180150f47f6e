"""Making the Word and the Excel file, beside the times promised for them: January 2012, and 74 councils."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import date
from typing import Final

from benchmarks.result import Result
from services.reporting.exports.excel import write_excel
from services.reporting.exports.imprint import Imprint
from services.reporting.exports.word import write_word
from services.reporting.table import Table
from tests.reporting_extremes import largest
from tests.reporting_figures import january_2012, table_of

WORD_MS: Final = 150.0
EXCEL_MS: Final = 200.0
TIMES: Final = 15
IMPRINT: Final = Imprint("Cabinet, 26 January 2012", "Edition 1", date(2011, 12, 7), None, "1f0c" * 16)


def run() -> Sequence[Result]:
    """Every benchmark of the two, in this process: as a worker makes them, one after the other."""
    tables = (("January 2012", table_of(*january_2012())), ("74 councils and 10 workstreams", largest()))
    return [
        _measured(f"{kind} of {name}, beside what is promised", write, table, promised_ms)
        for kind, write, promised_ms in (("Word", write_word, WORD_MS), ("Excel", write_excel, EXCEL_MS))
        for name, table in tables
    ]


def _measured(name: str, write: Callable[[Table, Imprint], bytes], table: Table, promised_ms: float) -> Result:
    """The median of some, after one that warms up."""
    write(table, IMPRINT)
    took_ms: list[float] = []
    for _ in range(TIMES):
        started = time.perf_counter()
        write(table, IMPRINT)
        took_ms.append((time.perf_counter() - started) * 1000)
    median = statistics.median(took_ms)
    return Result(
        name=name, ours=median, floor=promised_ms, unit="ms", ratio=median / promised_ms, goal=("at most", 1.0)
    )


if __name__ == "__main__":
    for result in run():
        print(result)
