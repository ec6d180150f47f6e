"""Answering with the table: whether the caller has it already, and without building it twice."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from pathlib import Path
from typing import Annotated, Final

from fastapi import Depends, Request, Response

from services.reporting import store
from services.reporting.forms import Form, as_attachment, file_name
from services.reporting.store import LedgerVersion
from services.reporting.table import Question, Table, build_table
from shared import money
from shared.database import Database
from shared.figures import PARTNERSHIP, Scope
from shared.partnership import Partnership
from shared.web import conditional_headers, etag_of, not_modified

SHELF_BYTES: Final = 32_000_000


class Answers:
    """The tracker table in any form, for any question, from the read model in the database."""

    def __init__(self, partnership: Partnership, database: Database) -> None:
        self.partnership = partnership
        self._database = database
        self._newest = Newest(database)
        self._shelf = Shelf(SHELF_BYTES)
        self._fingerprint = fingerprint_of(partnership)

    async def answer(self, request: Request, question: Question, form: Form) -> Response:
        """The table in a form; 304 where the caller has this version already, after one tiny query."""
        version = await self._newest.version()
        tag = self._tag(version, question, form)
        if (unchanged := not_modified(request, tag)) is not None:
            # A browser takes the headers of a 304 over into what it has kept: they must be those of the page.
            unchanged.headers.update(form.headers)
            return unchanged
        content = self._shelf.get(tag)
        if content is None:
            # The version is read again, with the figures: the tag must be that of the very state they are in.
            version, table = await self.table(question)
            tag, content = self._tag(version, question, form), form.write(table, version.number)
            self._shelf.put(tag, content)
        headers = {**form.headers, **conditional_headers(tag)}
        if form.suffix is not None:
            headers["Content-Disposition"] = as_attachment(file_name(self.partnership, question, form.suffix))
        return Response(content, media_type=form.media_type, headers=headers)

    async def table(self, question: Question) -> tuple[LedgerVersion, Table]:
        """The table that answers a question, and the version of the ledger it was built from, of one moment."""
        scopes = [PARTNERSHIP] if question.home is None else [PARTNERSHIP, Scope(question.home)]
        async with self._database.read() as connection:
            version = await store.ledger_version(connection)
            posted = await store.standing(connection, question.as_at, question.known_at)
            updates = await store.latest_updates(connection, scopes, question.as_at, question.known_at)
        return version, build_table(self.partnership, posted, updates, question)

    def _tag(self, version: LedgerVersion, question: Question, form: Form) -> str:
        return etag_of(self._fingerprint, version.epoch, version.number, question, form.name)


async def _answers_of(request: Request) -> Answers:
    answers = request.app.state.reporting.answers
    assert isinstance(answers, Answers)  # noqa: S101 - set where the service is installed
    return answers


#: The answers of the service, as installed on the application.
Answering = Annotated[Answers, Depends(_answers_of)]


class Newest:
    """The ledger's version, never older than the moment of asking.

    One query at a time: those who ask while one is under way share the next, however many they are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[LedgerVersion] | None = None

    async def version(self) -> LedgerVersion:
        if self._next is None:
            self._next = asyncio.create_task(self._query())
        # Shielded: who goes away does not take the answer from the others.
        return await asyncio.shield(self._next)

    async def _query(self) -> LedgerVersion:
        async with self._turn:
            # It begins now: what is committed from here on it may not see, so who asks from here on gets another.
            self._next = None
            async with self._database.read() as connection:
                return await store.ledger_version(connection)


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


def fingerprint_of(partnership: Partnership) -> str:
    """What the answers are made by: the partnership's file, and the code and templates that draw on it.

    A part of each entity tag, so that a release that words a note differently is not answered with "not modified".
    """
    digest = hashlib.sha256(partnership.model_dump_json().encode())
    for room in (Path(__file__).parent, Path(money.__file__).parent):
        for path in sorted(path for path in room.rglob("*") if path.suffix in (".py", ".jinja", ".css")):
            digest.update(path.relative_to(room).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
