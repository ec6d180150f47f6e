"""Reading what is asked for: the query of an address, by a caller, becomes the question that the table answers."""

from __future__ import annotations

from typing import Final

import shared.asked
from services.reporting.rows import Selection
from services.reporting.table import Question
from shared.asked import Parameters
from shared.best import BasisChoice, FlowChoice
from shared.figures import Benefit, Recurrence, Scope
from shared.partnership import Partnership
from shared.principal import Principal

#: Asks for the partnership's rows alone, where otherwise the caller's own council would be the home council.
NO_COUNCIL: Final = "none"

#: The parameters of the table, and what each means: read by :func:`read_question`, shown in the OpenAPI document.
PARAMETERS: Final[Parameters] = {
    "council": {
        "description": "GSS code of the home council. Your own council if left out; 'none': the partnership alone.",
        "schema": {"type": "string", "examples": ["E10000011", NO_COUNCIL]},
    },
    "as_at": {
        "description": "What was true by that day.",
        "schema": {"type": "string", "format": "date", "examples": ["2011-12-07"]},
    },
    "known_at": {
        "description": "What was recorded by that moment, or by the end of that day.",
        "schema": {"type": "string", "examples": ["2012-01-26", "2012-01-26T17:30:00Z"]},
    },
    "basis": {
        "description": "Which basis counts. 'best': the actual if there is one, else the forecast, else the estimate.",
        "schema": {"type": "string", "enum": [*BasisChoice], "default": BasisChoice.BEST},
    },
    "benefit": {"description": "One kind of benefit alone.", "schema": {"type": "string", "enum": [*Benefit]}},
    "recurrence": {"description": "One recurrence alone.", "schema": {"type": "string", "enum": [*Recurrence]}},
    "flow": {
        "description": "Savings, the costs of getting them, or savings minus costs.",
        "schema": {"type": "string", "enum": [*FlowChoice], "default": FlowChoice.SAVING},
    },
}


class Asked(shared.asked.Asked):
    """The parameters of the table's address."""

    def council(self, name: str, partnership: Partnership, otherwise: str | None) -> str | None:
        given = self.text(name)
        if not given:
            return otherwise
        if given == NO_COUNCIL:
            return None
        if given not in partnership.council_by_gss:
            allowed = [NO_COUNCIL, *(f"{council.gss} ({council.name})" for council in partnership.councils)]
            self.fault(
                name,
                "unknown-council",
                f"{partnership.name} has no council {given}.",
                given,
                allowed,
                "Give the GSS code of one of its councils, or 'none' for the partnership's figures alone.",
            )
            return otherwise
        return given


def read_question(asked: Asked, caller: Principal, partnership: Partnership) -> Question:
    """The question in an address. The home council is the caller's own unless another, or none, is asked for.

    Raises:
        Refused: naming everything wrong in the address, and what may stand there.
        Forbidden: where the share asked for is not the caller's to see.
    """
    question = Question(
        home=asked.council("council", partnership, otherwise=caller.council),
        as_at=asked.day("as_at"),
        known_at=asked.moment("known_at"),
        selection=Selection(
            basis=asked.one_of("basis", BasisChoice) or BasisChoice.BEST,
            benefit=asked.one_of("benefit", Benefit),
            recurrence=asked.one_of("recurrence", Recurrence),
            flow=asked.one_of("flow", FlowChoice) or FlowChoice.SAVING,
        ),
    )
    asked.require_no_fault()
    if question.home is not None:
        caller.require_sight_of(Scope(question.home), partnership)
    return question
