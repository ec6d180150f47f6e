"""What a page is asked to show: a question, of the draft or of an edition; and the table that answers it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from fastapi import Request
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting.answers import Answers
from services.reporting.edition import Edition
from services.reporting.edition_query import DRAFT, EDITION_PARAMETERS, question_to, read_edition, refuse_clocks
from services.reporting.history_store import Until
from services.reporting.movement import State
from services.reporting.pages.problems import offer_editions
from services.reporting.places import Places
from services.reporting.query import Asked, read_question
from services.reporting.table import Question, Table
from shared.errors import NotFound
from shared.figures import PARTNERSHIP, Scope
from shared.partnership import Partnership
from shared.principal import Principal


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows: a table, of an edition or of the draft, and the addresses that show the same state."""

    partnership: Partnership
    question: Question
    edition: Edition | None
    state: State
    places: Places

    @property
    def table(self) -> Table:
        return self.state.table

    @property
    def until(self) -> Until:
        """How far the history goes that led to this state."""
        if self.edition is not None:
            return Until(as_at=self.edition.as_at, edition=self.edition.number)
        return Until(as_at=self.question.as_at, known_at=self.question.known_at)


async def read_view(
    request: Request, asked: Asked, caller: Principal, answers: Answers
) -> tuple[Question, Edition | None]:
    """What an address asks for, of which edition; ``None`` for the draft.

    Raises:
        Refused, Forbidden: as the API says it.
        NotFound: where there is no such edition; those that there are are offered instead.
    """
    try:
        edition = await read_edition(asked, "edition", answers.editions, otherwise=DRAFT)
    except NotFound:
        offer_editions(request, await answers.editions.all(), request.url.path)
        raise
    if edition is None:
        return read_question(asked, caller, answers.partnership), None
    refuse_clocks(asked)
    return question_to(edition, asked, read_question(asked, caller, edition.partnership)), edition


@asynccontextmanager
async def viewing(
    request: Request, caller: Principal, answers: Answers, asked: Asked, scope: Scope | None = None
) -> AsyncIterator[tuple[View, AsyncConnection]]:
    """What a page's address asks for, and a connection that reads the same state. ``scope`` is what the page is about.

    Raises:
        Refused, Forbidden, NotFound: as :func:`read_view`.
    """
    question, edition = await read_view(request, asked, caller, answers)
    places = Places.of(question, edition.number if edition else None)
    if scope is not None and scope != PARTNERSHIP:
        caller.require_sight_of(scope, answers.partnership)
        question = replace(question, home=str(scope))
    if edition is not None:
        # Read before the connection is taken: nobody waits for a second one while holding a first.
        state = await answers.editions.shown(edition, question)
        async with answers.at_one_state() as connection:
            yield View(edition.partnership, question, edition, state, places), connection
        return
    async with answers.at_one_state() as connection:
        figures = await answers.figures_on(connection, question)
        state = State("Draft", await asyncio.to_thread(figures.table, question), figures.posted)
        yield View(answers.partnership, question, None, state, places), connection


def asked_of(request: Request, more: Iterable[str] = ()) -> Asked:
    """The parameters of a page's address: those of the tracker, and ``more`` of the page's own."""
    return Asked(request.query_params.multi_items(), [*EDITION_PARAMETERS, *more])
