"""The forms in which a reader chooses what a page shows: the choices in words, and what is wrong with one made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from services.reporting.edition import Edition
from services.reporting.edition_query import DRAFT
from services.reporting.query import NO_COUNCIL
from shared.best import BasisChoice, FlowChoice
from shared.errors import Fault
from shared.figures import Benefit, Recurrence
from shared.partnership import Partnership
from shared.principal import Principal

#: What may be chosen in the form, in words; the first of each is what stands where nothing is asked for.
CHOICES: Final[Mapping[str, Mapping[str, str]]] = {
    "basis": {
        BasisChoice.BEST: "Best: actual, else forecast, else estimate",
        BasisChoice.ACTUAL: "Actuals only",
        BasisChoice.FORECAST: "Forecasts only",
        BasisChoice.ESTIMATE: "Estimates only",
    },
    "benefit": {
        "": "Every kind",
        Benefit.CASH_RELEASING: "Cash-releasing",
        Benefit.NON_CASH_RELEASING: "Non-cash-releasing",
        Benefit.AVOIDED_COST: "Avoided cost",
    },
    "recurrence": {"": "Both", Recurrence.RECURRING: "Recurring", Recurrence.ONE_OFF: "One-off"},
    "flow": {
        FlowChoice.SAVING: "Savings",
        FlowChoice.COST: "Costs of getting them",
        FlowChoice.NET: "Net: savings minus costs",
    },
}

Item = Mapping[str, str]


def form_of(
    partnership: Partnership,
    caller: Principal,
    editions: Sequence[Edition],
    values: Mapping[str, str],
    faults: Sequence[Fault] = (),
) -> Mapping[str, Any]:
    """What a form of choices is drawn from: its values, what each may be, and what is wrong with those given."""
    choices = {
        name: [{"value": str(value), "text": text} for value, text in of.items()] for name, of in CHOICES.items()
    }
    return {
        "values": values,
        "choices": {**choices, "council": council_items(partnership, caller), "edition": edition_items(editions)},
        "errors": {fault.pointer.rpartition("/")[2]: f"{fault.detail} {fault.fix}" for fault in faults},
        "narrowed": any(
            values.get(name, "") not in ("", next(iter(CHOICES[name]))) for name in ("benefit", "recurrence", "flow")
        ),
    }


def council_items(partnership: Partnership, caller: Principal) -> Sequence[Item]:
    """The councils whose share the reader may see."""
    seen = [council for council in partnership.councils if caller.may_see(council.scope)]
    none = {"value": NO_COUNCIL, "text": f"None: {partnership.name} alone"}
    return [none, *({"value": council.gss, "text": council.name} for council in seen)]


def edition_items(editions: Sequence[Edition], *, with_draft: bool = True) -> Sequence[Item]:
    """The editions, the newest first, after the draft."""
    draft = [{"value": DRAFT, "text": "Draft: as it stands now"}] if with_draft else []
    return [*draft, *({"value": str(edition.number), "text": edition.name} for edition in reversed(editions))]
