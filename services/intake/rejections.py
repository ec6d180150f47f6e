"""Finding what was refused of the councils' topics, and whether it has been put right since.

Nothing is written when a return puts a rejection right: it is read off the returns. So stating costs no more, over HTTP
or on a topic, and the two cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, func, select

from services.intake.listing import ID_PATTERN
from services.intake.tables import Found, rejections, returns
from shared.database import Database
from shared.errors import Fault, Forbidden, NotFound, Refused
from shared.partnership import Partnership
from shared.principal import Principal
from shared.web import READERS_OF_ALL

_SAME_EVENT: Final = (
    select(returns.c.id)
    .where(returns.c.stated_by == rejections.c.stated_by, returns.c.idempotency_key == rejections.c.event_key)
    .scalar_subquery()
)
_LATER_IN_ITS_STREAM: Final = (
    select(returns.c.id)
    .where(
        returns.c.workstream == rejections.c.workstream,
        returns.c.scope == rejections.c.scope,
        returns.c.version > rejections.c.after_version,
        returns.c.stated_by_council == rejections.c.council,
    )
    .order_by(returns.c.version)
    .limit(1)
    .scalar_subquery()
)
_PUT_RIGHT_BY: Final = func.coalesce(_SAME_EVENT, _LATER_IN_ITS_STREAM)
#: Without what was posted: a page of those could be very long.
_LISTED: Final = [column for column in rejections.c if column.name != "original"]


@dataclass(frozen=True, kw_only=True)
class RejectionPage:
    """Which of the rejections to list: those older than ``before``, and of them the open ones unless all are wanted."""

    limit: int
    is_open: bool = True
    before: str | None = None
    council: str | None = None
    event_id: str | None = None


class Rejections:
    """Finds rejections for a reader: those of their council, or for the office and auditors all."""

    def __init__(self, database: Database, partnership: Partnership) -> None:
        self._database = database
        self._partnership = partnership

    async def find(self, rejection_id: str, reader: Principal) -> Found:
        """The rejection of that id, with what was posted.

        Raises:
            NotFound: there is none.
            Forbidden: it is of another council.
        """
        found = None
        if re.fullmatch(ID_PATTERN, rejection_id):
            query = select(rejections, _PUT_RIGHT_BY.label("put_right_by")).where(rejections.c.id == rejection_id)
            async with self._database.read() as connection:
                found = (await connection.execute(query)).one_or_none()
        if found is None:
            raise NotFound("There is no rejection of that id.", "Take the id from the list of rejections.")
        self._require_sight_of(found.council, reader)
        return found

    async def page_of(self, page: RejectionPage, reader: Principal) -> tuple[Sequence[Found], bool]:
        """A page of rejections, the newest first, and whether there are more before them.

        Raises:
            Refused: it asks for a council that there is not.
            Forbidden: it asks for another council's.
        """
        conditions = self._conditions(page, reader)
        query = (
            select(*_LISTED, _PUT_RIGHT_BY.label("put_right_by"))
            .where(*conditions)
            .order_by(rejections.c.id.desc())
            .limit(page.limit + 1)
        )
        async with self._database.read() as connection:
            found = (await connection.execute(query)).all()
        return found[: page.limit], len(found) > page.limit

    def _conditions(self, page: RejectionPage, reader: Principal) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if page.council is not None:
            if page.council not in self._partnership.council_by_gss:
                said = "There is no council of that code."
                fault = Fault(
                    "/query/council",
                    "unknown-council",
                    said,
                    "Name one of them.",
                    page.council[:100],
                    list(self._partnership.council_by_gss),
                )
                raise Refused(said, [fault])
            self._require_sight_of(page.council, reader)
            conditions.append(rejections.c.council == page.council)
        elif reader.role not in READERS_OF_ALL:
            conditions.append(rejections.c.council == reader.council)
        if page.is_open:
            conditions.append(_PUT_RIGHT_BY.is_(None))
        if page.before is not None:
            conditions.append(rejections.c.id < page.before)
        if page.event_id is not None:
            conditions.append(rejections.c.event_id == page.event_id)
        return conditions

    def _require_sight_of(self, council: str, reader: Principal) -> None:
        if reader.role in READERS_OF_ALL or reader.council == council:
            return
        raise Forbidden(
            f"What was refused of {self._partnership.scope_name(council)} is seen by that council, the programme "
            f"office and auditors; this key is {reader.in_words(self._partnership)}.",
            "Ask for your own council's, or use a key of that council.",
        )
