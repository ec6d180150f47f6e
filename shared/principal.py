"""Who is asking, and what they may state and see.

Who you are comes from the credential or the topic, never from the payload.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shared.errors import Forbidden
from shared.figures import PARTNERSHIP, Scope, Stream
from shared.partnership import Partnership

#: Begins the names by which councils speak on their topics; no key may have such a name.
ON_TOPICS: Final = "inbox-"


class Role(StrEnum):
    """What a credential is for."""

    LEAD = "lead"  # an officer of the lead council: states the figures of their workstreams
    FINANCE = "finance"  # a council's finance system: states what its council may state
    AUTHOR = "author"  # writes the Cabinet report: reads figures and their council's shares, publishes for it
    OFFICE = "office"  # the partnership's programme office: reads everything, publishes
    AUDITOR = "auditor"  # reads everything, and proves it


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller. ``name`` stays the same when its key is rotated, so a retry with the new key is still a retry."""

    name: str
    role: Role
    council: str | None = None
    workstreams: frozenset[str] = field(default_factory=frozenset)

    def may_see(self, scope: Scope) -> bool:
        """Partnership figures are seen by all; a share by its council, the office and auditors."""
        return scope == PARTNERSHIP or self.role in (Role.OFFICE, Role.AUDITOR) or self.council == scope

    def require_sight_of(self, scope: Scope, partnership: Partnership) -> None:
        """Raises: Forbidden, naming the council whose share it is."""
        if not self.may_see(scope):
            raise Forbidden(
                f"The share of {partnership.scope_name(scope)} is seen by that council, the programme office and "
                f"auditors; this key is {self.in_words(partnership)}.",
                "Ask for the partnership's figures, or use a key of that council.",
            )

    def require_may_publish_for(self, councils: Collection[str], partnership: Partnership) -> None:
        """Whether this caller may publish an edition for these councils (their GSS codes).

        The programme office may for any; a report author for its own council alone (docs/decisions/0024).

        Raises:
            Forbidden: naming for whom it may.
        """
        if self.role is Role.OFFICE or (self.role is Role.AUTHOR and set(councils) == {self.council}):
            return
        raise Forbidden(
            f"An edition for several councils is published by the programme office; this key is "
            f"{self.in_words(partnership)}.",
            f"Publish one for {self.council} alone, or ask the programme office.",
        )

    def may_state(self, stream: Stream, partnership: Partnership) -> bool:
        """Whether this caller may state that workstream's figure in that scope.

        Only the lead council states the partnership figure; only a council states its own share. A lead's key speaks
        for its own workstreams alone; a finance key for whatever its council may state.
        """
        if self.role not in (Role.LEAD, Role.FINANCE):
            return False
        if self.role is Role.LEAD and stream.workstream not in self.workstreams:
            return False
        if stream.scope == PARTNERSHIP:
            return partnership.workstream_by_code[stream.workstream].lead == self.council
        return stream.scope == self.council

    def require_may_state(self, stream: Stream, partnership: Partnership) -> None:
        """Raises: Forbidden, naming who may state the figure and who was asking."""
        if self.may_state(stream, partnership):
            return
        workstream = partnership.workstream_by_code[stream.workstream]
        if self.role not in (Role.LEAD, Role.FINANCE):
            raise Forbidden(
                f"This key is {self.in_words(partnership)}; it reads figures and states none.",
                "Send the return with the key of a workstream lead or of a council's finance system.",
            )
        if stream.scope == PARTNERSHIP:
            lead = partnership.council_by_gss[workstream.lead].name
            raise Forbidden(
                f"The partnership figure of {workstream.name} is stated by its lead council, {lead}; "
                f"this key is {self.in_words(partnership)}.",
                f"Ask {lead} to state it, or state your council's own share with scope {self.council}.",
            )
        raise Forbidden(
            f"The share of {partnership.scope_name(stream.scope)} of {workstream.name} is stated by that council "
            f"alone; this key is {self.in_words(partnership)}.",
            "Check the scope of the return, and that the right key is in use.",
        )

    def in_words(self, partnership: Partnership) -> str:
        """Who this is, for a message: ``finance-ESX (finance, East Sussex County Council)``."""
        parts: list[str] = [self.role]
        if self.council is not None:
            parts.append(partnership.council_by_gss[self.council].name)
        if self.workstreams:
            known = partnership.workstream_by_code
            parts.append(", ".join(known[code].name for code in sorted(self.workstreams) if code in known))
        return f"{self.name} ({', '.join(parts)})"
