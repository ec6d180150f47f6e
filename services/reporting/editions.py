"""Publishing editions, rebuilding them from the read model's history, and what has been corrected behind them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from importlib.metadata import version as version_of
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import editions_store, rounds_store, store
from services.reporting.edition import Edition, canonical, digest_of
from services.reporting.editions_store import NO_HOME
from services.reporting.figures_read import Figures, read_figures
from services.reporting.footnotes import CorrectedCell, corrected_cells
from services.reporting.forms import json_of
from services.reporting.movement import State, movements_between
from services.reporting.notes import written_day
from services.reporting.partnership_document import document_of
from services.reporting.positions import Position
from services.reporting.publishable import faults_of_the_tables, gaps, out_of_balance
from services.reporting.rounds import Round, open_round
from services.reporting.rows import Selection
from services.reporting.table import Question, Table
from shared.clock import Clock, local_day, moment_text
from shared.database import Database
from shared.errors import Conflict, Fault, NotFound, Refused, Unavailable
from shared.figures import PARTNERSHIP, Scope
from shared.financial_year import FinancialYear
from shared.partnership import Partnership
from shared.principal import Principal, Role

#: How an edition's manifest is written; another way of writing it would be another number.
_MANIFEST_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Publication:
    """What the office asks to publish. Without councils it is for all of them; without ``as_at``, of all there is."""

    title: str
    meeting_date: date
    councils: tuple[str, ...] | None = None
    as_at: date | None = None
    notes: tuple[str, ...] = ()

    @property
    def hash(self) -> str:
        return digest_of(
            canonical(
                asdict(self)
                | {
                    "meeting_date": self.meeting_date.isoformat(),
                    "as_at": self.as_at.isoformat() if self.as_at else None,
                }
            )
        )


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Whether an edition can be rebuilt to the byte, by home council or ``none``, and by which code that was tried."""

    manifest_holds: bool
    tables: Mapping[str, bool]
    published_by_code: str
    rebuilt_by_code: str

    @property
    def holds(self) -> bool:
        return self.manifest_holds and all(self.tables.values())


@dataclass(frozen=True, slots=True)
class Corrections:
    """What was stated after an edition about the days before it, and changes what it printed."""

    edition: Edition
    cells: tuple[CorrectedCell, ...]


class Editions:
    """The editions of the partnership, in the service's database."""

    def __init__(self, partnership: Partnership, database: Database, clock: Clock, code_fingerprint: str) -> None:
        self._partnership = partnership
        self._database = database
        self._clock = clock
        self._code_version = f"{version_of('savings-tracker')}+{code_fingerprint[:12]}"
        self._known: Sequence[Edition] = ()

    async def all(self) -> Sequence[Edition]:
        """Every edition, in the order of publishing. They never change, so each is read once."""
        async with self._database.read() as connection:
            if await editions_store.count(connection) != len(self._known):
                self._known = await editions_store.all_editions(connection)
        return self._known

    async def get(self, number: int | None) -> Edition:
        """The edition of that number; without one, the latest.

        Raises:
            NotFound: saying which there are.
        """
        found = await self.all()
        for edition in reversed(found):
            if number in (None, edition.number):
                return edition
        there = "; ".join(edition.name for edition in found)
        raise NotFound(
            f"There is no edition {number}." if number is not None else "There is no edition yet.",
            f"There are: {there}." if there else "The programme office publishes the first; until then, ask the draft.",
        )

    async def publish(self, asked: Publication, by: Principal, key: str | None) -> tuple[Edition, bool]:
        """Freeze the draft as the next edition; with whether it had been published already under the same key.

        Raises:
            Forbidden: where the caller may not publish for those councils.
            Refused: where the arithmetic does not hold, a return is missing, or there is nothing to publish; it says
                where.
            Conflict: where there is an edition of that title and day, the key was used for another, or another edition
                was published meanwhile.
        """
        async with self._database.read() as connection:
            if (before := await self._published(connection, asked, by, key)) is not None:
                return before, True
            number = len(await editions_store.all_editions(connection)) + 1
            found = await editions_store.positions(connection)
            clocks = await editions_store.latest_clocks(connection)
            # No clock may stand behind what has been folded: what was known is all of it.
            known_at = max(self._clock(), clocks[1]) if clocks else self._clock()
            as_at = asked.as_at or (clocks[0] if clocks else local_day(known_at))
            councils = self._councils(asked, by)
            sums = await editions_store.movements_pence(connection)
            standing = await store.standing(connection)
            if as_at > local_day(known_at):
                raise _not_yet(as_at)
            faults = [*gaps(found), *out_of_balance(self._partnership, standing, sums)]
            round_ = open_round(await rounds_store.all_rounds(connection), known_at)
            figures = await read_figures(
                connection, self._partnership, _scopes(councils), as_at=as_at, known_at=None, round_=round_
            )
        tables = await asyncio.to_thread(_tables, figures, councils, as_at, known_at)
        faults += faults_of_the_tables(tables)
        if faults:
            raise Refused(f"{asked.title} is not published: {faults[0].detail}", faults)
        frozen = {home or NO_HOME: _frozen(table, figures.version.number) for home, table in tables.items()}
        edition = self._edition(number, asked, by, as_at, known_at, councils, figures, round_, found, frozen)

        async def work(connection: AsyncConnection) -> tuple[Edition, bool]:
            await editions_store.lock(connection)
            if (before := await self._published(connection, asked, by, key)) is not None:
                return before, True
            if len(there := await editions_store.all_editions(connection)) >= number:
                raise Conflict(
                    f"{there[-1].name} was published while this one was made.",
                    "Look at it first; then publish again, if this one is still wanted.",
                )
            await editions_store.keep(connection, edition, found, frozen, key, asked.hash)
            return edition, False

        return await self._database.in_transaction(work)

    async def frozen_table(self, edition: Edition, home: str | None) -> bytes:
        """The table as published for a home council, byte for byte.

        Raises:
            Refused: naming the councils that the edition is for.
        """
        async with self._database.read() as connection:
            content = await editions_store.frozen_table(connection, edition.number, home)
        if content is None:
            raise not_for(edition, home)
        return content

    async def figures(self, edition: Edition, home: str | None) -> Figures:
        """What the edition was built from, read from the history."""
        async with self._database.read() as connection:
            return await self._figures(connection, edition, [home])

    async def last_before(self, number: int, question: Question) -> Edition | None:
        """The edition with which a table is compared: the last before that number, for its home council among others,
        and not after the table's clocks.
        """
        as_at, known_at = question.as_at, question.known_at
        return max(
            (
                edition
                for edition in await self.all()
                if edition.number < number
                and (question.home is None or question.home in edition.councils)
                and (as_at is None or edition.as_at <= as_at)
                and (known_at is None or edition.known_at <= known_at)
            ),
            key=lambda edition: edition.number,
            default=None,
        )

    async def shown(self, edition: Edition, question: Question) -> State:
        """The edition's table, for whatever is drawn from one; where it was frozen, its figures are those frozen.

        Raises:
            Refused: where the edition was not published for the home council.
            Unavailable: where the history gives other figures than those that were published.
        """
        frozen = await self.frozen_table(edition, question.home)
        figures = await self.figures(edition, question.home)
        table = await asyncio.to_thread(figures.table, question)
        if question.selection == Selection() and _printed(json_of(table, edition.ledger_version)) != _printed(frozen):
            raise Unavailable(
                f"The history gives other figures than those published in {edition.name}.",
                "The JSON of the edition is as it was published; tell the programme office that the history is not.",
            )
        return State(edition.title, table, figures.posted, edition.number, edition.meeting_date)

    async def rebuild(self, edition: Edition) -> Mapping[str, bytes]:
        """The edition's tables built again from the history, by home council or ``none``."""
        async with self._database.read() as connection:
            figures = await self._figures(connection, edition, edition.councils)
        homes = [None, *edition.councils]
        tables = await asyncio.to_thread(
            lambda: {home or NO_HOME: figures.table(edition.question(home)) for home in homes}
        )
        return {home: json_of(table, edition.ledger_version) for home, table in tables.items()}

    async def rebuilt(self, edition: Edition) -> Rebuilt:
        """Whether what was frozen is still there to the byte, and comes out of the history again."""
        again = await self.rebuild(edition)
        async with self._database.read() as connection:
            manifest = await editions_store.manifest(connection, edition.number)
        kept = {home: await self.frozen_table(edition, None if home == NO_HOME else home) for home in again}
        return Rebuilt(
            manifest_holds=digest_of(manifest) == edition.digest,
            tables={
                home: content == kept[home] and digest_of(kept[home]) == edition.table_digests[home]
                for home, content in again.items()
            },
            published_by_code=edition.code_version,
            rebuilt_by_code=self._code_version,
        )

    async def state(self, edition: Edition | None, home: str | None, selection: Selection) -> State:
        """One end of a movement: an edition, or the draft as it stands now."""
        if edition is not None:
            figures = await self.figures(edition, home)
            question = Question(home, edition.as_at, edition.known_at, selection)
            table = await asyncio.to_thread(figures.table, question)
            return State(edition.title, table, figures.posted, edition.number, edition.meeting_date)
        async with self._database.read() as connection:
            figures = await read_figures(connection, self._partnership, _scopes([home]))
        return State("Draft", figures.table(Question(home=home, selection=selection)), figures.posted)

    async def corrections(self, edition: Edition, homes: Sequence[str | None]) -> Corrections:
        """What was printed in an edition's tables for these homes and would be another figure today, as at the same
        day; ``None`` is the table of the partnership alone.
        """
        async with self._database.read() as connection:
            then = await self._figures(connection, edition, homes)
            now = await read_figures(connection, edition.partnership, _scopes(homes), as_at=edition.as_at)
        return Corrections(edition, await asyncio.to_thread(_corrected, edition, homes, then, now))

    async def _published(
        self, connection: AsyncConnection, asked: Publication, by: Principal, key: str | None
    ) -> Edition | None:
        """The edition that was published under this key; raises Conflict where there is another in the way."""
        if key is not None and (found := await editions_store.under_key(connection, by.name, key)) is not None:
            edition, request_hash = found
            if request_hash != asked.hash:
                raise Conflict(
                    f"The key {key} was used to publish {edition.name}, and what is asked for now is not the same.",
                    "Use a new Idempotency-Key for another edition.",
                )
            return edition
        for edition in await editions_store.all_editions(connection):
            if (edition.title, edition.meeting_date) == (asked.title, asked.meeting_date):
                raise Conflict(
                    f"{edition.name} has been published for that day, and it does not change.",
                    "Give another title: 'Cabinet, 26 January 2012, revised'.",
                )
        return None

    async def _figures(self, connection: AsyncConnection, edition: Edition, homes: Iterable[str | None]) -> Figures:
        round_: Round | None = None
        if edition.round is not None:
            rounds = await rounds_store.all_rounds(connection)
            round_ = next(each for each in rounds if each.number == edition.round)
        return await read_figures(
            connection,
            edition.partnership,
            _scopes(homes),
            as_at=edition.as_at,
            edition=edition.number,
            round_=round_,
        )

    def _councils(self, asked: Publication, by: Principal) -> Sequence[str]:
        """Those asked for, in the partnership's order; where none is named, all for whom the caller may publish."""
        known = self._partnership.council_by_gss
        all_of_them = [by.council] if by.role is Role.AUTHOR else known
        councils = [each for each in known if each in (all_of_them if asked.councils is None else asked.councils)]
        by.require_may_publish_for(councils, self._partnership)
        return councils

    def _edition(
        self,
        number: int,
        asked: Publication,
        by: Principal,
        as_at: date,
        known_at: datetime,
        councils: Sequence[str],
        figures: Figures,
        round_: Round | None,
        found: Sequence[Position],
        frozen: Mapping[str, tuple[bytes, str]],
    ) -> Edition:
        document: dict[str, Any] = {
            "format": _MANIFEST_FORMAT,
            "number": number,
            "title": asked.title,
            "meeting_date": asked.meeting_date.isoformat(),
            "as_at": as_at.isoformat(),
            "known_at": moment_text(known_at),
            "published_by": by.name,
            "notes": list(asked.notes),
            "councils": list(councils),
            "ledger_version": figures.version.number,
            "code_version": self._code_version,
            "round": round_.number if round_ else None,
            "partnership": document_of(self._partnership),
            "positions": [
                {
                    "workstream": each.stream.workstream,
                    "scope": each.stream.scope,
                    "version": each.version,
                    "entry_number": each.entry_number,
                    "hash": each.hash,
                }
                for each in found
            ],
            "tables": {home: digest for home, (_, digest) in frozen.items()},
        }
        manifest = canonical(document)
        return Edition(number, asked.title, asked.meeting_date, as_at, known_at, by.name, manifest, digest_of(manifest))


def not_for(edition: Edition, home: str | None) -> Refused:
    """The refusal of a home council that an edition was not published for."""
    names = {gss: edition.partnership.council_by_gss[gss].name for gss in edition.councils}
    allowed = [NO_HOME, *(f"{gss} ({name})" for gss, name in names.items())]
    detail = f"{edition.name} was not published for {home}."
    return Refused(
        detail,
        [Fault("/query/council", "not-published-for", detail, "Choose one of the councils it is for.", home, allowed)],
    )


def _corrected(edition: Edition, homes: Iterable[str | None], then: Figures, now: Figures) -> tuple[CorrectedCell, ...]:
    found: dict[tuple[str, Scope, FinancialYear], CorrectedCell] = {}
    for question in map(edition.question, homes):
        since = movements_between(
            State(edition.title, then.table(question), then.posted), State("Now", now.table(question), now.posted)
        )
        # The partnership's rows stand in every council's table.
        for cell in corrected_cells(since):
            found.setdefault((cell.workstream.code, cell.scope, cell.year), cell)
    return tuple(found.values())


def _not_yet(as_at: date) -> Refused:
    detail = f"{written_day(as_at)} has not come yet, so nobody can say what will be true then."
    fault = Fault("/as_at", "in-the-future", detail, "Give a day that has come, or none.", as_at.isoformat())
    return Refused(detail, [fault])


def _printed(table: bytes) -> tuple[Any, Any]:
    """What is printed of a table, and its numbers: whatever else a later release may say of it."""
    document = json.loads(table)
    rows = [
        (row["workstream"], row["scope"], [(cell["in_year"], cell["printed"]) for cell in row["cells"]], row["total"])
        for row in document["rows"]
    ]
    return rows, [(total["scope"], total["total"]) for total in document["totals"]]


def _scopes(homes: Iterable[str | None]) -> Sequence[Scope]:
    return [PARTNERSHIP, *(Scope(home) for home in homes if home is not None)]


def _tables(figures: Figures, councils: Sequence[str], as_at: date, known_at: datetime) -> Mapping[str | None, Table]:
    return {home: figures.table(Question(home=home, as_at=as_at, known_at=known_at)) for home in (None, *councils)}


def _frozen(table: Table, ledger_version: int) -> tuple[bytes, str]:
    content = json_of(table, ledger_version)
    return content, digest_of(content)
