"""Reading which edition is asked for, by number, as the latest, or as the draft."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import QueryParams

from services.reporting.edition import Edition
from services.reporting.editions import Editions, not_for
from services.reporting.query import PARAMETERS, Asked, read_question
from services.reporting.table import Question
from shared.asked import Parameters
from shared.figures import Scope
from shared.partnership import Partnership
from shared.principal import Principal

#: Asks for the figures as they stand now; and for the edition that was published last.
DRAFT: Final = "draft"
LATEST: Final = "latest"

_LARGEST: Final = 10**9

_EDITION: Final = {"type": "string", "examples": ["3", LATEST, DRAFT]}
EDITION_PARAMETERS: Final[Parameters] = {
    **PARAMETERS,
    "edition": {
        "description": "The number of an edition, 'latest', or 'draft'. The draft if left out.",
        "schema": {**_EDITION, "default": DRAFT},
    },
}
MOVEMENT_PARAMETERS: Final[Parameters] = {
    **{name: told for name, told in PARAMETERS.items() if name not in ("as_at", "known_at")},
    "from": {
        "description": "The edition to start from, by number. The latest if left out.",
        "schema": {"type": "string", "examples": ["3", LATEST], "default": LATEST},
    },
    "to": {
        "description": "The edition to go to, by number, or 'draft'.",
        "schema": {**_EDITION, "default": DRAFT},
    },
}


async def read_edition(asked: Asked, name: str, editions: Editions, otherwise: str) -> Edition | None:
    """The edition that a parameter names; ``None`` for the draft.

    Raises:
        Refused: with all that is wrong in the address so far.
        NotFound: where there is none of that number, saying which there are.
    """
    given = asked.text(name) or otherwise
    if given == DRAFT:
        return None
    if given == LATEST:
        return await editions.get(None)
    number = asked.whole_number(name, 1, _LARGEST)
    asked.require_no_fault()
    return await editions.get(number)


def question_to_the_draft(query: str, caller: Principal, partnership: Partnership) -> Question | None:
    """The question in the query of an address; ``None`` where it asks of an edition.

    Raises:
        Refused, Forbidden: as :func:`~services.reporting.query.read_question`.
    """
    asked = Asked(QueryParams(query).multi_items(), EDITION_PARAMETERS)
    if (asked.text("edition") or DRAFT) != DRAFT:
        return None
    return read_question(asked, caller, partnership)


def refuse_clocks(asked: Asked) -> None:
    """An edition has its own two clocks, and nobody else's."""
    for name in ("as_at", "known_at"):
        if given := asked.text(name):
            asked.fault(
                name,
                "frozen",
                f"An edition is frozen: there is no other {name} of it.",
                given,
                None,
                f"Leave out {name}, or leave out edition.",
            )


def question_to(edition: Edition, asked: Asked, question: Question) -> Question:
    """The question with the edition's clocks. A caller's own council is the home council if the edition is for it.

    Raises:
        Refused: where another council was asked for than those the edition is for.
    """
    home = question.home
    if home is not None and home not in edition.councils:
        if asked.text("council"):
            raise not_for(edition, home)
        home = None
    return Question(home, edition.as_at, edition.known_at, question.selection)


def homes_meant(edition: Edition, asked: Asked, caller: Principal, question: Question) -> Sequence[str | None]:
    """Whose tables of an edition are meant: the one asked for; else the partnership's and all that the caller sees."""
    if asked.text("council"):
        return [question.home]
    return [None, *(each for each in edition.councils if caller.may_see(Scope(each)))]
