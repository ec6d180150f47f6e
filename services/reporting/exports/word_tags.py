"""What a Word template may say: the tags, and what they stand for in a given table. Pure.

A template is a council's own. It is given plain texts and lists, none of our objects, so that it can ask for no more
than is meant for print.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from services.reporting.changes import KINDS
from services.reporting.exports.characters import one_line, paragraphs
from services.reporting.exports.imprint import Imprint
from services.reporting.movement import Movements, RowMovement, TotalMovement
from services.reporting.movement_words import moved_text, told
from services.reporting.notes import written_day
from services.reporting.proof import Apportionment
from services.reporting.table import Narrative, Table, Update
from shared.clock import local_day
from shared.figures import PARTNERSHIP
from shared.money import short_text

Tags: TypeAlias = Mapping[str, Any]

#: Every tag by an example. A list is written with one element; ``{{ row.total }}`` is known inside ``for row in rows``.
EXAMPLES: Final[Tags] = {
    "title": "South East 7 savings tracker",
    "partnership": "South East 7",
    "partnership_short": "SE7",
    "council": "East Sussex County Council",
    "council_short": "ESCC",
    "caption": "Potential savings and avoided costs, 2011/12 to 2014/15",
    "description": "In words, for those who do not see the table.",
    "first_year": "2011/12",
    "last_year": "2014/15",
    "years": ["2011/12"],
    "rows": [
        {
            "workstream": "Highways",
            "whose": "SE7",
            "is_partnership": True,
            "cells": ["£6m (£6.25m)"],
            "total": "£36.25m",
        }
    ],
    "totals": [{"title": "Total potential savings", "whose": "SE7", "is_partnership": True, "total": "£83.85m"}],
    "notes": ["Figures in brackets are cumulative."],
    "projections": [
        {
            "workstream": "Waste",
            "amount": "£310m",
            "horizon": "by 2020",
            "text": "Longer-term plans.",
            "confidence": "notional",
        }
    ],
    "headline": {"short_term": "£100m", "medium_term": "£500m", "long_term": "£1.5bn"},
    "coverage": "Partnership figures are stated for Highways.",
    "proof": {
        "holds": True,
        "caption": "All councils' shares and what is unapportioned add up to the SE7 figure",
        "description": "In words, for those who do not see the table.",
        "parts": [
            {
                "workstream": "Highways",
                "shares": "£150k",
                "unapportioned": "£36.1m",
                "partnership": "£36.25m",
                "result": "Adds up",
                "is_whole": False,
            }
        ],
        "sums": ["SE7: the rows add up to £83.85m; the total is £83.85m. They are equal."],
    },
    "workstreams": [
        {
            "name": "Highways",
            "lead": "Surrey County Council",
            "purpose": "One strong client for highways.",
            "updates": [
                {"from": "Surrey County Council", "day": "7 December 2011", "paragraphs": ["Work goes to plan."]}
            ],
        }
    ],
    "charts": [
        {
            "picture": "",
            "caption": "Savings by workstream",
            "alternative": "In words, for those who do not see the picture.",
            "heading": "Workstream",
            "columns": ["2011/12"],
            "rows": [{"label": "Highways", "cells": ["£250k"]}],
        }
    ],
    "narrative": [{"text": "The partnership has identified potential savings of £83.85m.", "linked": ""}],
    "movements": {
        "since": "Cabinet, 20 September 2011",
        "until": "Cabinet, 26 January 2012",
        "holds": True,
        "caption": "What has changed since Cabinet, 20 September 2011",
        "description": "In words, for those who do not see the table.",
        "kinds": ["Corrected"],
        "rows": [
            {
                "workstream": "Highways",
                "whose": "SE7",
                "is_partnership": True,
                "is_total": False,
                "before": "£35.25m",
                "parts": ["£1m"],
                "movement": "£1m",
                "after": "£36.25m",
            }
        ],
        "reasons": [{"workstream": "Highways", "whose": "SE7", "texts": ["Corrected: £1m – The review found more."]}],
    },
    "edition": {
        "title": "Cabinet, 26 January 2012",
        "state": "Edition 3",
        "as_at": "7 December 2011",
        "known_at": "26 January 2012",
        "hash": "1f0c",
        "text": "Cabinet, 26 January 2012 (Edition 3), as at 7 December 2011",
        "notes": ["Figures are provisional."],
    },
}


def tags_of(table: Table, imprint: Imprint, movements: Movements | None = None) -> dict[str, Any]:
    """What each tag stands for, but for charts and narrative, which only the document itself can take in."""
    partnership = table.partnership
    return {
        "title": one_line(table.title),
        "partnership": one_line(partnership.name),
        "partnership_short": one_line(partnership.short_name),
        "council": one_line(table.home.name) if table.home else "",
        "council_short": one_line(table.home.short_name) if table.home else "",
        "caption": one_line(f"{table.caption}, {table.years[0]} to {table.years[-1]}"),
        "description": one_line(description_of(table)),
        "first_year": str(table.years[0]),
        "last_year": str(table.years[-1]),
        "years": [str(year) for year in table.years],
        "rows": list(_rows(table)),
        "totals": [
            {
                "title": one_line(total.title),
                "whose": one_line(total.label),
                "is_partnership": total.is_partnership,
                "total": total.total.text,
            }
            for total in table.totals
        ],
        "notes": [one_line(note.text) for note in table.notes],
        "projections": [
            {
                "workstream": one_line(partnership.workstream_by_code[each.workstream].name),
                "amount": short_text(each.amount_pence),
                "horizon": one_line(each.horizon),
                "text": one_line(each.text),
                "confidence": one_line(each.confidence),
            }
            for each in table.projections
        ],
        "headline": _headline(table),
        "coverage": one_line(table.coverage.text),
        "proof": _proof(table),
        "workstreams": [_workstream(table, narrative) for narrative in table.narratives],
        "charts": [],
        "narrative": [],
        "movements": _movements(movements) if movements else None,
        "edition": {
            "title": one_line(imprint.title),
            "state": one_line(imprint.state),
            "as_at": written_day(imprint.as_at) if imprint.as_at else "",
            "known_at": written_day(local_day(imprint.known_at)) if imprint.known_at else "",
            "hash": one_line(imprint.digest or ""),
            "text": one_line(imprint.text),
            "notes": [one_line(note) for note in imprint.notes],
        },
    }


def description_of(table: Table) -> str:
    """The table in a few words, for those who do not see it."""
    whose = f" and the share of {table.home.name}" if table.home else ""
    totals = " and ".join(f"{total.label} {total.total.text}" for total in table.totals)
    return (
        f"For each workstream, the figure of {table.partnership.name}{whose}: a column for each year from "
        f"{table.years[0]} to {table.years[-1]} and one for the total. Totals: {totals}."
    )


def result_of(part: Apportionment) -> str:
    """What a line of the arithmetic proof comes to, in words."""
    words = "Adds up" if part.holds else "Does not add up"
    if part.workstream is None or not part.over_claimed:
        return words
    return f"{words}; {'over-claimed' if part.partnership_is_stated else 'shares without a partnership figure'}"


def _rows(table: Table) -> Iterable[Tags]:
    for row in table.rows:
        yield {
            "workstream": one_line(row.workstream.name),
            "whose": one_line(row.label),
            "is_partnership": row.is_partnership,
            "cells": [cell.text for cell in row.cells],
            "total": row.total.text,
        }


def _headline(table: Table) -> Tags | None:
    return (
        {
            "short_term": short_text(table.headline.short_term_pence),
            "medium_term": short_text(table.headline.medium_term_pence),
            "long_term": short_text(table.headline.long_term_pence),
        }
        if table.headline
        else None
    )


def sums_of(table: Table) -> list[str]:
    """The second half of the proof, in sentences: the rows as printed come to the total as printed."""
    return [
        f"{part.label}: the rows add up to {short_text(part.workstreams_pence)}; the total is "
        f"{short_text(part.total_pence)}. {'They are equal.' if part.holds else 'They are not equal.'}"
        for part in table.proof.additions
    ]


def _proof(table: Table) -> Tags:
    short_name = table.partnership.short_name
    return {
        "holds": table.proof.holds,
        "caption": one_line(f"All councils' shares and what is unapportioned add up to the {short_name} figure"),
        "description": one_line(
            f"For each workstream: the sum of the councils' shares, what is unapportioned, the {short_name} figure, "
            f"and whether they add up. {'All do.' if table.proof.holds else 'Not all do.'}"
        ),
        "parts": [
            {
                "workstream": one_line(part.workstream.name) if part.workstream else "All workstreams",
                "shares": short_text(part.shares_pence),
                "unapportioned": short_text(part.unapportioned_pence),
                "partnership": short_text(part.partnership_pence) if part.partnership_is_stated else "not stated",
                "result": result_of(part),
                "is_whole": part.workstream is None,
            }
            for part in table.proof.apportionments
        ],
        "sums": [one_line(sentence) for sentence in sums_of(table)],
    }


def _movements(movements: Movements) -> Tags:
    """What moved, in a row for each that did, and for the totals."""
    since, until = one_line(movements.before.title), one_line(movements.after.title)
    moved = " and ".join(f"{total.label} {short_text(total.pence)}" for total in movements.totals)
    return {
        "since": since,
        "until": until,
        "holds": movements.holds,
        "caption": f"What has changed since {since}",
        "description": one_line(
            f"For each row of the tracker that changed, its total in {since} and in {until}, and what moved it, split "
            f"by why. The totals moved by {moved}."
        ),
        "kinds": list(KINDS.values()),
        "rows": [
            *(_moved(row, row.workstream.name) for row in movements.moved),
            *(_moved(total, "All workstreams") for total in movements.totals),
        ],
        "reasons": [
            {
                "workstream": one_line(row.workstream.name),
                "whose": one_line(row.label),
                "texts": [one_line(text) for text in told(row)],
            }
            for row in movements.moved
        ],
    }


def _moved(moved: RowMovement | TotalMovement, name: str) -> Tags:
    return {
        "workstream": one_line(name),
        "whose": one_line(moved.label),
        "is_partnership": moved.scope == PARTNERSHIP,
        "is_total": isinstance(moved, TotalMovement),
        "before": short_text(moved.old_pence),
        "parts": [moved_text(moved.parts[kind]) for kind in KINDS],
        "movement": moved_text(moved.pence),
        "after": short_text(moved.new_pence),
    }


def _workstream(table: Table, narrative: Narrative) -> Tags:
    return {
        "name": one_line(narrative.workstream.name),
        "lead": one_line(narrative.lead.name),
        "purpose": one_line(narrative.workstream.purpose),
        "updates": [
            *_update(narrative.update, narrative.lead.name),
            *_update(narrative.home_update, table.home.name if table.home else ""),
        ],
    }


def _update(update: Update | None, council: str) -> Iterable[Tags]:
    if update is not None:
        yield {"from": one_line(council), "day": written_day(update.as_at), "paragraphs": paragraphs(update.text)}
