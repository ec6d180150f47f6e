"""Finding returns again: one by its id, or pages of them, the newest first."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import ColumnElement, select

from services.intake.tables import Found, returns
from shared.database import Database
from shared.errors import Fault, NotFound, Refused
from shared.figures import PARTNERSHIP, Scope
from shared.partnership import Partnership
from shared.principal import Principal

LIMIT: Final = 200
ID_PATTERN: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

_LISTED: Final = [column for column in returns.c if column.name not in ("content", "answer")]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Which of the returns to list: those older than ``before``, as far as the rest lets them through."""

    limit: int
    before: str | None = None
    workstream: str | None = None
    scope: str | None = None
    council: str | None = None
    as_at_from: date | None = None
    as_at_to: date | None = None
    event_id: str | None = None


class Listing:
    """Finds returns for a reader, who sees those of the partnership and of the shares that are theirs to see."""

    def __init__(self, database: Database, partnership: Partnership) -> None:
        self._database = database
        self._partnership = partnership

    async def find(self, submission_id: str, reader: Principal) -> Found:
        """The return of that id, whole.

        Raises:
            NotFound: there is none.
            Forbidden: it is about a share that the reader may not see.
        """
        found = None
        if re.fullmatch(ID_PATTERN, submission_id):
            async with self._database.read() as connection:
                query = select(returns).where(returns.c.id == submission_id)
                found = (await connection.execute(query)).one_or_none()
        if found is None:
            raise NotFound("There is no return of that id.", "Take the id from the answer to the return, or a list.")
        reader.require_sight_of(Scope(found.scope), self._partnership)
        return found

    async def page_of(self, page: Page, reader: Principal) -> tuple[Sequence[Found], bool]:
        """A page of returns, the newest first, and whether there are more before them.

        Raises:
            Refused: it asks for a workstream, scope or council that there is not.
            Forbidden: it asks for a share that the reader may not see.
        """
        councils = self._partnership.council_by_gss
        _require_known("workstream", page.workstream, self._partnership.workstream_by_code)
        _require_known("scope", page.scope, (PARTNERSHIP, *councils))
        _require_known("council", page.council, councils)
        if page.scope is not None:
            reader.require_sight_of(Scope(page.scope), self._partnership)
        scopes = [scope for scope in (PARTNERSHIP, *map(Scope, councils)) if reader.may_see(scope)]
        conditions = _conditions(page)
        if len(scopes) <= len(councils):
            conditions.append(returns.c.scope.in_(scopes))
        query = select(*_LISTED).where(*conditions).order_by(returns.c.id.desc()).limit(page.limit + 1)
        async with self._database.read() as connection:
            found = (await connection.execute(query)).all()
        return found[: page.limit], len(found) > page.limit


def _require_known(what: str, given: str | None, known: Collection[str]) -> None:
    if given is not None and given not in known:
        said = f"There is no {what} of that code."
        fault = Fault(f"/query/{what}", f"unknown-{what}", said, "Name one of them.", given[:100], list(known))
        raise Refused(said, [fault])


def _conditions(page: Page) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if page.before is not None:
        conditions.append(returns.c.id < page.before)
    if page.workstream is not None:
        conditions.append(returns.c.workstream == page.workstream)
    if page.scope is not None:
        conditions.append(returns.c.scope == page.scope)
    if page.council is not None:
        conditions.append(returns.c.stated_by_council == page.council)
    if page.as_at_from is not None:
        conditions.append(returns.c.as_at >= page.as_at_from)
    if page.as_at_to is not None:
        conditions.append(returns.c.as_at <= page.as_at_to)
    if page.event_id is not None:
        conditions.append(returns.c.event_id == page.event_id)
    return conditions
