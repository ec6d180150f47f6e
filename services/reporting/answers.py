"""Answering with the table: whether the caller has it already, and without building it twice."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import rounds_store, store
from services.reporting.edition import Edition
from services.reporting.edition_query import question_to_the_draft
from services.reporting.editions import Editions
from services.reporting.exports.imprint import Imprint
from services.reporting.figures_read import Figures, read_figures
from services.reporting.forms import JSON, Form
from services.reporting.making_rounds import Rounds
from services.reporting.movement import Movements, State, movements_between
from services.reporting.naming import as_attachment, file_name
from services.reporting.report import Report
from services.reporting.rounds import Round, open_round
from services.reporting.rows import Selection
from services.reporting.store import LedgerVersion
from services.reporting.table import Question, Table
from services.reporting.word_templates import WordTemplates
from shared import money
from shared.clock import Clock, utc_now
from shared.database import Database
from shared.figures import PARTNERSHIP, Scope
from shared.partnership import Partnership
from shared.web import conditional_headers, etag_of, not_modified

SHELF_BYTES: Final = 32_000_000
#: So many addresses and entity tags are remembered, those used least recently forgotten first.
_REMEMBERED: Final = 500
#: So many files are drawn at a time; a third waits, and everybody else is answered meanwhile.
DRAWN_AT_ONCE: Final = 2


class Answers:
    """The tracker table in any form, for any question, from the read model in the database."""

    def __init__(
        self,
        partnership: Partnership,
        database: Database,
        clock: Clock = utc_now,
        *,
        public_url: str = "",
        word_templates: WordTemplates | None = None,
    ) -> None:
        self.partnership = partnership
        self._public_url = public_url.rstrip("/")
        self._word_templates = word_templates or WordTemplates(None, partnership)
        self._database = database
        self._clock = clock
        self._newest = Newest(database)
        self._shelf = Shelf(SHELF_BYTES)
        self._fingerprint = fingerprint_of(partnership)
        self._etag_of = lru_cache(_REMEMBERED)(etag_of)
        #: What an address asks of the draft: the same by the same caller is the same question, or refused anew.
        self.question = lru_cache(_REMEMBERED)(partial(question_to_the_draft, partnership=partnership))
        self._rounds: Sequence[Round] = ()
        self._drawing = asyncio.Semaphore(DRAWN_AT_ONCE)
        self.editions = Editions(partnership, database, clock, self._fingerprint)
        self.rounds = Rounds(partnership, database, clock)

    def now(self) -> datetime:
        """The moment of asking, by the service's clock."""
        return self._clock()

    async def answer(self, request: Request, question: Question, form: Form) -> Response:
        """The table in a form; 304 where the caller has this version already, after one tiny query."""
        version = await self._newest.version()
        around = self._around(request, question, form)
        tag = self._tag(version, await self._open_round(version, question), question, form, around)
        if (unchanged := not_modified(request, tag)) is not None:
            # A browser takes the headers of a 304 over into what it has kept: they must be those of the page.
            unchanged.headers.update(form.headers)
            return unchanged
        content = self._shelf.get(tag)
        if content is None:
            # The version is read again, with the figures: the tag must be that of the very state they are in.
            figures = await self.figures(question)
            round_ = figures.round_coverage.round if figures.round_coverage else None
            tag = self._tag(figures.version, round_, question, form, around)
            content = await self._draft(figures, question, form, around)
            self._shelf.put(tag, content)
        headers = {**form.headers, **conditional_headers(tag)}
        if form.suffix is not None:
            headers["Content-Disposition"] = as_attachment(file_name(self.partnership, question, form.suffix))
        return Response(content, media_type=form.media_type, headers=headers)

    async def answer_edition(self, request: Request, edition: Edition, question: Question, form: Form) -> Response:
        """An edition's table in a form. As JSON, and as it was published, it is what was frozen, byte for byte.

        Raises:
            Refused: where the edition was not published for the home council.
            Unavailable: where the figures that come out of the history are not those that were published.
        """
        around = self._around(request, question, form)
        tag = etag_of(self._fingerprint, edition.digest, question, form.name, around)
        headers = {
            **form.headers,
            **conditional_headers(tag),
            "Savings-Edition": str(edition.number),
            "Savings-Edition-Digest": edition.digest,
        }
        if (unchanged := not_modified(request, tag)) is not None:
            unchanged.headers.update(headers)
            return unchanged
        content = self._shelf.get(tag)
        if content is None:
            if form is JSON and question.selection == Selection():
                content = await self.editions.frozen_table(edition, question.home)
            else:
                state = await self.editions.shown(edition, question)
                since = await self._movements(state, edition.number, form)
                report = around.report(state, edition.ledger_version, edition.imprint, since)
                content = await self._written(form, report)
            self._shelf.put(tag, content)
        if form.suffix is not None:
            name = file_name(edition.partnership, question, form.suffix, edition.title)
            headers["Content-Disposition"] = as_attachment(name)
        return Response(content, media_type=form.media_type, headers=headers)

    async def version(self) -> LedgerVersion:
        """The ledger's version as it is now."""
        return await self._newest.version()

    async def figures(self, question: Question) -> Figures:
        """What the table that answers a question is built from, of one moment."""
        async with self.at_one_state() as connection:
            return await self.figures_on(connection, question)

    def at_one_state(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """All that is read on this connection is of one state."""
        return self._database.read()

    async def figures_on(self, connection: AsyncConnection, question: Question) -> Figures:
        """What the table that answers a question is built from, of the state that a connection reads."""
        scopes = [PARTNERSHIP] if question.home is None else [PARTNERSHIP, Scope(question.home)]
        version = await store.ledger_version(connection)
        round_ = await self._open_round(version, question, connection)
        return await read_figures(
            connection, self.partnership, scopes, as_at=question.as_at, known_at=question.known_at, round_=round_
        )

    async def _draft(self, figures: Figures, question: Question, form: Form, around: _Around) -> bytes:
        state = State("Draft", figures.table(question), figures.posted)
        # Those published by the time that the figures were read: the movement is of the same moment.
        since = await self._movements(state, figures.version.editions + 1, form)
        return await self._written(
            form, around.report(state, figures.version.number, draft_imprint(state.table), since)
        )

    async def _movements(self, state: State, number: int, form: Form) -> Movements | None:
        """What moved since the last edition before that number, for a form that tells of it."""
        if not form.tells_what_moved:
            return None
        question = state.table.question
        before = await self.editions.last_before(number, question)
        if before is None:
            return None
        start = await self.editions.state(before, question.home, question.selection)
        return await asyncio.to_thread(movements_between, start, state)

    async def _written(self, form: Form, report: Report) -> bytes:
        if not form.is_drawn_aside:
            return form.write(report)
        return await self.aside(lambda: form.write(report))

    async def aside(self, draw: Callable[[], bytes]) -> bytes:
        """Draw what takes long beside the event loop, a few at a time."""
        async with self._drawing:
            return await asyncio.to_thread(draw)

    def _around(self, request: Request, question: Question, form: Form) -> _Around:
        if not form.has_links:
            return _Around()
        address = self._public_url or str(request.base_url).rstrip("/")
        if form.name != "docx":
            return _Around(address)
        return _Around(address, self._word_templates.of(question.home), self._word_templates.stamp(question.home))

    async def _open_round(
        self, version: LedgerVersion, question: Question, connection: AsyncConnection | None = None
    ) -> Round | None:
        """The round that is open, or was at the moment asked for. Rounds never change, so they are read once each."""
        if version.rounds != len(self._rounds):
            if connection is None:
                async with self._database.read() as connection:
                    self._rounds = await rounds_store.all_rounds(connection)
            else:
                self._rounds = await rounds_store.all_rounds(connection)
        return open_round(self._rounds, question.known_at or self._clock())

    def _tag(
        self, version: LedgerVersion, round_: Round | None, question: Question, form: Form, around: _Around
    ) -> str:
        number = round_.number if round_ else None
        editions = version.editions if form.tells_what_moved else None
        made_by = (self._fingerprint, version.epoch)
        return self._etag_of(*made_by, version.number, number, editions, question, form.name, around)


@dataclass(frozen=True, slots=True)
class _Around:
    """What a file depends on besides the figures: where people reach the product, and the council's own template."""

    address: str = ""
    word_template: Path | None = None
    stamp: tuple[str, int, int] | None = None

    def report(self, state: State, ledger_version: int, imprint: Imprint, since: Movements | None) -> Report:
        return Report(
            state.table,
            state.posted,
            ledger_version,
            imprint,
            state.edition,
            since,
            self.address,
            self.word_template,
        )


def answers_of(request: Request) -> Answers:
    """The answers of the service, as installed on the application."""
    answers = request.app.state.reporting.answers
    assert isinstance(answers, Answers)  # noqa: S101 - set where the service is installed
    return answers


async def _answering(request: Request) -> Answers:
    return answers_of(request)


#: The answers of the service, as installed on the application.
Answering = Annotated[Answers, Depends(_answering)]


class Newest:
    """The ledger's version, never older than the moment of asking.

    It is read again where anything was committed since, or where the database cannot tell. One query at a time: those
    who ask while one is under way share the next, however many they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[LedgerVersion] | None = None
        self._read: LedgerVersion | None = None
        self._read_at: int | None = None

    async def version(self) -> LedgerVersion:
        if self._read is not None and self._read_at is not None and self._read_at == self._database.commits():
            return self._read
        if self._next is None:
            self._next = asyncio.create_task(self._query())
        # Shielded: who goes away does not take the answer from the others.
        return await asyncio.shield(self._next)

    async def _query(self) -> LedgerVersion:
        async with self._turn:
            # It begins now: what is committed from here on it may not see, so who asks from here on gets another.
            self._next = None
            # Asked first: a commit that the query may not see gives the number another value.
            commits = self._database.commits()
            async with self._database.read() as connection:
                self._read, self._read_at = await store.ledger_version(connection), commits
            return self._read


class Shelf:
    """Finished answers by their entity tag, those used least recently let go once the limit is reached.

    A tag stands for everything that an answer depends on, so nothing here is ever out of date.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self.held_bytes = 0

    def get(self, tag: str) -> bytes | None:
        content = self._held.get(tag)
        if content is not None:
            self._held.move_to_end(tag)
        return content

    def put(self, tag: str, content: bytes) -> None:
        if tag in self._held or len(content) > self._limit_bytes:
            return
        self._held[tag] = content
        self.held_bytes += len(content)
        while self.held_bytes > self._limit_bytes:
            _, let_go = self._held.popitem(last=False)
            self.held_bytes -= len(let_go)


def draft_imprint(table: Table) -> Imprint:
    """What a file made from the draft says of itself."""
    as_at = table.question.as_at or table.coverage.latest_as_at
    return Imprint("Draft", "Draft, not published", as_at, table.question.known_at)


def fingerprint_of(partnership: Partnership) -> str:
    """What the answers are made by: the partnership's file, and the code and templates that draw on it.

    A part of each entity tag, so that a release that words a note differently is not answered with "not modified".
    """
    digest = hashlib.sha256(partnership.model_dump_json().encode())
    for room in (Path(__file__).parent, Path(money.__file__).parent):
        for path in sorted(
            path for path in room.rglob("*") if path.suffix in (".py", ".jinja", ".css", ".js", ".docx")
        ):
            digest.update(path.relative_to(room).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
