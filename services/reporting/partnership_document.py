"""A partnership written down as its file has it, so that an edition is rebuilt by the file of its day. Pure."""

from __future__ import annotations

from typing import Any

from shared.money import pounds
from shared.partnership import Partnership


def document_of(partnership: Partnership) -> dict[str, Any]:
    """The partnership's file as JSON has it; amounts and years are text, as in the file."""
    document = partnership.model_dump(mode="python", by_alias=True, exclude={"first_year", "last_year", "headline"})
    document["first_year"], document["last_year"] = str(partnership.first_year), str(partnership.last_year)
    for council in document["councils"]:
        for day in ("starts", "ends"):
            council[day] = council[day].isoformat() if council[day] else None
    for projection in document["projections"]:
        projection["amount"] = pounds(projection["amount"])
    if partnership.headline is not None:
        headline = partnership.headline.model_dump(by_alias=True)
        document["headline"] = {name: pounds(pence) for name, pence in headline.items()}
    return document


def partnership_of(document: dict[str, Any]) -> Partnership:
    """The partnership that was written down.

    Raises:
        pydantic.ValidationError: where it was not written by :func:`document_of`.
    """
    return Partnership.model_validate(document)
