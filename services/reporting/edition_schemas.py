"""The API's models of editions, movements and corrections. Amounts are decimal strings of pounds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from services.reporting.changes import Change, MovementKind
from services.reporting.edition import Edition
from services.reporting.editions import Corrections, Rebuilt
from services.reporting.footnotes import CorrectedCell, footnote, touched_by
from services.reporting.movement import Movements, RowMovement, TotalMovement
from services.reporting.rows import EntryBehind, Posted
from shared.clock import moment_text
from shared.figures import Basis, Benefit, Flow, Recurrence, Status
from shared.money import Pence, pounds, short_text
from shared.plain_words import ONE_LINE

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=ONE_LINE)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


class PublicationIn(BaseModel):
    """What is to be published: ``Cabinet, 26 January 2012``.

    ``councils`` are the GSS codes of the home councils that it is for, all of the partnership's where it is left out;
    ``as_at`` is the last day of which it tells, that of the latest return where it is left out.
    """

    model_config = ConfigDict(extra="forbid")

    title: Title
    meeting_date: date
    councils: list[str] | None = Field(default=None, max_length=1000)
    as_at: date | None = None
    notes: list[Text] = Field(default=[], max_length=50)


class EditionOut(BaseModel):
    """An edition. ``digest`` is the SHA-256 of ``/v1/editions/{number}/manifest``, which holds that of every table."""

    number: int
    title: str
    meeting_date: date
    as_at: date
    known_at: str
    published_by: str
    councils: list[str]
    notes: list[str]
    round: int | None
    ledger_version: int
    code_version: str
    digest: str
    tables: dict[str, str]

    @classmethod
    def of(cls, edition: Edition) -> EditionOut:
        return cls(
            number=edition.number,
            title=edition.title,
            meeting_date=edition.meeting_date,
            as_at=edition.as_at,
            known_at=moment_text(edition.known_at),
            published_by=edition.published_by,
            councils=list(edition.councils),
            notes=list(edition.notes),
            round=edition.round,
            ledger_version=edition.ledger_version,
            code_version=edition.code_version,
            digest=edition.digest,
            tables=dict(edition.table_digests),
        )


class EditionsOut(BaseModel):
    editions: list[EditionOut]


class RebuiltOut(BaseModel):
    """Whether the edition comes out of the ledger's history again, to the byte. Another code may word a note anew."""

    edition: int
    holds: bool
    manifest_holds: bool
    tables: dict[str, bool]
    published_by_code: str
    rebuilt_by_code: str

    @classmethod
    def of(cls, edition: Edition, rebuilt: Rebuilt) -> RebuiltOut:
        return cls(
            edition=edition.number,
            holds=rebuilt.holds,
            manifest_holds=rebuilt.manifest_holds,
            tables=dict(rebuilt.tables),
            published_by_code=rebuilt.published_by_code,
            rebuilt_by_code=rebuilt.rebuilt_by_code,
        )


class BecauseOut(BaseModel):
    """The entry that made a change: its return, at ``submission``, who stated it, and the reason given."""

    submission_id: str
    submission: str
    as_at: date
    recorded_at: str
    stated_by: str
    stated_by_council: str
    reason: str | None

    @classmethod
    def of(cls, entry: EntryBehind) -> BecauseOut:
        return cls(
            submission_id=entry.submission_id,
            submission=f"/v1/submissions/{entry.submission_id}",
            as_at=entry.as_at,
            recorded_at=moment_text(entry.recorded_at),
            stated_by=entry.stated_by,
            stated_by_council=entry.stated_by_council,
            reason=entry.reason,
        )


class CorrectedCellOut(BaseModel):
    """A printed figure that would be another today."""

    workstream: str
    scope: str
    year: str
    printed: str
    would_be: str
    text: str
    because: list[BecauseOut]

    @classmethod
    def of(cls, cell: CorrectedCell) -> CorrectedCellOut:
        return cls(
            workstream=cell.workstream.code,
            scope=cell.scope,
            year=str(cell.year),
            printed=cell.printed,
            would_be=cell.would_be,
            text=cell.text,
            because=[BecauseOut.of(entry) for entry in cell.because],
        )


class CorrectionsOut(BaseModel):
    """What reaches back behind an edition: stated after it, about the days before it, and changing what it printed."""

    edition: int
    title: str
    footnote: str | None
    submissions: list[str]
    cells: list[CorrectedCellOut]

    @classmethod
    def of(cls, corrections: Corrections) -> CorrectionsOut:
        edition, cells = corrections.edition, corrections.cells
        return cls(
            edition=edition.number,
            title=edition.title,
            footnote=footnote(edition.title, cells),
            submissions=list(touched_by(cells)),
            cells=[CorrectedCellOut.of(cell) for cell in cells],
        )


class AllCorrectionsOut(BaseModel):
    """The editions that later returns reach behind."""

    editions: list[CorrectionsOut]


class StatedOut(BaseModel):
    basis: Basis
    status: Status
    amount: str | None

    @classmethod
    def of(cls, posted: Posted) -> StatedOut:
        amount = posted.figure.amount_pence
        return cls(
            basis=posted.account.basis,
            status=posted.figure.status,
            amount=None if amount is None else pounds(amount),
        )


class ChangeOut(BaseModel):
    """A figure, or the part of it, that moved for one reason; ``movement`` is what it adds."""

    kind: MovementKind
    year: str
    initiative: str | None
    benefit: Benefit
    recurrence: Recurrence
    flow: Flow
    old: StatedOut | None
    new: StatedOut | None
    movement: str
    reasons: list[str]
    because: list[BecauseOut]

    @classmethod
    def of(cls, change: Change) -> ChangeOut:
        account = change.account
        return cls(
            kind=change.kind,
            year=str(account.year),
            initiative=account.initiative or None,
            benefit=account.benefit,
            recurrence=account.recurrence,
            flow=account.flow,
            old=StatedOut.of(change.before) if change.before else None,
            new=StatedOut.of(change.after) if change.after else None,
            movement=pounds(change.pence),
            reasons=list(change.reasons),
            because=[BecauseOut.of(entry) for entry in change.because],
        )


class PartsOut(BaseModel):
    """The movement, split by why; what was re-profiled between years comes to nothing in a row."""

    new: str
    reprofiled: str
    corrected: str
    changed_basis: str

    @classmethod
    def of(cls, parts: Mapping[MovementKind, Pence]) -> PartsOut:
        return cls(**{kind.value: pounds(pence) for kind, pence in parts.items()})


class RowMovementOut(BaseModel):
    workstream: str
    workstream_name: str
    scope: str
    label: str
    old: str
    new: str
    movement: str
    printed: str
    parts: PartsOut
    holds: bool
    changes: list[ChangeOut]

    @classmethod
    def of(cls, row: RowMovement) -> RowMovementOut:
        return cls(
            workstream=row.workstream.code,
            workstream_name=row.workstream.name,
            scope=row.scope,
            label=row.label,
            old=pounds(row.old_pence),
            new=pounds(row.new_pence),
            movement=pounds(row.pence),
            printed=short_text(row.pence),
            parts=PartsOut.of(row.parts),
            holds=row.holds,
            changes=[ChangeOut.of(change) for change in row.changes],
        )


class TotalMovementOut(BaseModel):
    """All workstreams in one scope: new less old = ``movement``; ``rows`` adds up the rows, ``parts`` their changes."""

    scope: str
    label: str
    old: str
    new: str
    movement: str
    printed: str
    rows: str
    parts: PartsOut
    holds: bool

    @classmethod
    def of(cls, total: TotalMovement) -> TotalMovementOut:
        return cls(
            scope=total.scope,
            label=total.label,
            old=pounds(total.old_pence),
            new=pounds(total.new_pence),
            movement=pounds(total.pence),
            printed=short_text(total.pence),
            rows=pounds(total.rows_pence),
            parts=PartsOut.of(total.parts),
            holds=total.holds,
        )


class MovementsOut(BaseModel):
    """What moved from one edition to another, or to the draft (``to`` is null)."""

    from_edition: int
    from_title: str
    to_edition: int | None
    to_title: str
    council: str | None
    holds: bool
    rows: list[RowMovementOut]
    totals: list[TotalMovementOut]

    @classmethod
    def of(cls, movements: Movements, start: Edition, end: Edition | None) -> MovementsOut:
        return cls(
            from_edition=start.number,
            from_title=movements.before.title,
            to_edition=end.number if end else None,
            to_title=movements.after.title,
            council=movements.after.table.question.home,
            holds=movements.holds,
            rows=[RowMovementOut.of(row) for row in movements.rows],
            totals=[TotalMovementOut.of(total) for total in movements.totals],
        )
