"""The API's models of the tracker table. Amounts are decimal strings of pounds; ``printed`` is the table's own text."""

from __future__ import annotations

from datetime import date

from pydantic import BaseModel

from services.reporting.notes import NoteKind
from services.reporting.proof import Apportionment
from services.reporting.rows import Cell, CellStatus, Posted, Row, Total, TotalRow
from services.reporting.table import Narrative, Table, Update
from shared.best import BasisChoice, FlowChoice
from shared.clock import moment_text
from shared.figures import Basis, Benefit, Confidence, Flow, Recurrence, Status
from shared.money import pounds, short_text
from shared.partnership import Council


class CouncilOut(BaseModel):
    """A council, by its ONS GSS code and its register code."""

    gss: str
    register_code: str
    name: str
    short_name: str

    @classmethod
    def of(cls, council: Council) -> CouncilOut:
        return cls(
            gss=council.gss,
            register_code=council.register_code,
            name=council.name,
            short_name=council.short_name,
        )


class PartnershipOut(BaseModel):
    code: str
    name: str
    short_name: str


class QuestionOut(BaseModel):
    """What was asked for, with the defaults filled in; ``known_at`` is a moment in UTC."""

    council: str | None
    as_at: date | None
    known_at: str | None
    basis: BasisChoice
    benefit: Benefit | None
    recurrence: Recurrence | None
    flow: FlowChoice


class EntryOut(BaseModel):
    """An entry behind a cell: the figure that stands, and the return that stated it, at ``submission``."""

    initiative: str | None
    basis: Basis
    benefit: Benefit
    recurrence: Recurrence
    flow: Flow
    status: Status
    amount: str | None
    confidence: Confidence
    submission_id: str
    submission: str
    line: int
    number: int
    as_at: date
    recorded_at: str
    stated_by: str
    stated_by_council: str
    reason: str | None
    note: str | None

    @classmethod
    def of(cls, posted: Posted) -> EntryOut:
        account, figure, entry = posted.account, posted.figure, posted.entry
        return cls(
            initiative=account.initiative or None,
            basis=account.basis,
            benefit=account.benefit,
            recurrence=account.recurrence,
            flow=account.flow,
            status=figure.status,
            amount=_amount(figure.amount_pence),
            confidence=figure.confidence,
            submission_id=entry.submission_id,
            submission=f"/v1/submissions/{entry.submission_id}",
            line=entry.line,
            number=entry.number,
            as_at=entry.as_at,
            recorded_at=moment_text(entry.recorded_at),
            stated_by=entry.stated_by,
            stated_by_council=entry.stated_by_council,
            reason=entry.reason,
            note=entry.note,
        )


class CellOut(BaseModel):
    """One year of a row. ``in_year`` is null where nothing is stated for the year, ``cumulative`` where nothing is up
    to it; ``carried`` where the cell only repeats the cumulative of an earlier year; ``carried_forward`` where a round
    is open, nothing has come in it for this row, and the figure stands from before."""

    year: str
    in_year: str | None
    cumulative: str | None
    printed: str
    status: CellStatus
    carried: bool
    carried_forward: bool
    entries: list[EntryOut]

    @classmethod
    def of(cls, cell: Cell) -> CellOut:
        return cls(
            year=str(cell.year),
            in_year=_amount(cell.in_year_pence),
            cumulative=_amount(cell.cumulative_pence),
            printed=cell.text,
            status=cell.status,
            carried=cell.carried,
            carried_forward=cell.is_carried_forward,
            entries=[EntryOut.of(each) for each in cell.behind],
        )


class TotalOut(BaseModel):
    amount: str | None
    printed: str

    @classmethod
    def of(cls, total: Total) -> TotalOut:
        return cls(amount=_amount(total.pence), printed=total.text)


class RowOut(BaseModel):
    """A workstream in one scope: ``partnership``, or the home council's GSS code."""

    workstream: str
    workstream_name: str
    scope: str
    label: str
    cells: list[CellOut]
    total: TotalOut

    @classmethod
    def of(cls, row: Row) -> RowOut:
        return cls(
            workstream=row.workstream.code,
            workstream_name=row.workstream.name,
            scope=row.scope,
            label=row.label,
            cells=[CellOut.of(cell) for cell in row.cells],
            total=TotalOut.of(row.total),
        )


class YearTotalOut(BaseModel):
    year: str
    in_year: str
    cumulative: str


class TotalRowOut(BaseModel):
    """All workstreams in one scope; the years are not printed."""

    title: str
    scope: str
    label: str
    years: list[YearTotalOut]
    total: TotalOut

    @classmethod
    def of(cls, row: TotalRow) -> TotalRowOut:
        years = [
            YearTotalOut(
                year=str(year.year), in_year=pounds(year.in_year_pence), cumulative=pounds(year.cumulative_pence)
            )
            for year in row.years
        ]
        return cls(title=row.title, scope=row.scope, label=row.label, years=years, total=TotalOut.of(row.total))


class NoteOut(BaseModel):
    kind: NoteKind
    text: str
    workstream: str | None


class UpdateOut(BaseModel):
    """A written update, and the return that brought it."""

    text: str
    as_at: date
    recorded_at: str
    stated_by: str
    submission_id: str
    submission: str

    @classmethod
    def of(cls, update: Update) -> UpdateOut:
        return cls(
            text=update.text,
            as_at=update.as_at,
            recorded_at=moment_text(update.recorded_at),
            stated_by=update.stated_by,
            submission_id=update.submission_id,
            submission=f"/v1/submissions/{update.submission_id}",
        )


class NarrativeOut(BaseModel):
    """A workstream in words: its lead council, its purpose, what the lead and the home council last wrote."""

    workstream: str
    name: str
    lead: CouncilOut
    purpose: str
    update: UpdateOut | None
    home_update: UpdateOut | None

    @classmethod
    def of(cls, narrative: Narrative) -> NarrativeOut:
        return cls(
            workstream=narrative.workstream.code,
            name=narrative.workstream.name,
            lead=CouncilOut.of(narrative.lead),
            purpose=narrative.workstream.purpose,
            update=UpdateOut.of(narrative.update) if narrative.update else None,
            home_update=UpdateOut.of(narrative.home_update) if narrative.home_update else None,
        )


class ProjectionOut(BaseModel):
    """What a workstream expects beyond the table's years."""

    workstream: str
    amount: str
    printed: str
    horizon: str
    confidence: str
    text: str


class PotentialOut(BaseModel):
    amount: str
    printed: str

    @classmethod
    def of(cls, pence: int) -> PotentialOut:
        return cls(amount=pounds(pence), printed=short_text(pence))


class HeadlineOut(BaseModel):
    short_term: PotentialOut
    medium_term: PotentialOut
    long_term: PotentialOut


class CoverageOut(BaseModel):
    """Who has been heard: workstreams by their codes, councils by their GSS codes; ``round`` is that open, if any."""

    text: str
    with_partnership_figure: list[str]
    without_partnership_figure: list[str]
    councils_with_shares: list[str]
    councils_without_shares: list[str]
    latest_as_at: date | None
    round: int | None


class ApportionmentOut(BaseModel):
    """shares + unapportioned = partnership, in a workstream or, where that is null, in all of them."""

    workstream: str | None
    shares: str
    unapportioned: str
    partnership: str
    partnership_is_stated: bool
    over_claimed: bool
    holds: bool

    @classmethod
    def of(cls, part: Apportionment) -> ApportionmentOut:
        return cls(
            workstream=part.workstream.code if part.workstream else None,
            shares=pounds(part.shares_pence),
            unapportioned=pounds(part.unapportioned_pence),
            partnership=pounds(part.partnership_pence),
            partnership_is_stated=part.partnership_is_stated,
            over_claimed=part.over_claimed,
            holds=part.holds,
        )


class AdditionOut(BaseModel):
    """sum of workstreams = total, in one scope."""

    scope: str
    workstreams: str
    total: str
    holds: bool


class ProofOut(BaseModel):
    holds: bool
    apportionments: list[ApportionmentOut]
    additions: list[AdditionOut]


class TableOut(BaseModel):
    """The tracker table. The same state gives the same bytes: there is no time of answering in it.

    ``ledger_version`` is the number of returns that the table has been folded from.
    """

    title: str
    partnership: PartnershipOut
    home_council: CouncilOut | None
    question: QuestionOut
    ledger_version: int
    years: list[str]
    rows: list[RowOut]
    totals: list[TotalRowOut]
    notes: list[NoteOut]
    projections: list[ProjectionOut]
    headline: HeadlineOut | None
    narratives: list[NarrativeOut]
    coverage: CoverageOut
    proof: ProofOut

    @classmethod
    def of(cls, table: Table, ledger_version: int) -> TableOut:
        partnership, question, selection = table.partnership, table.question, table.question.selection
        coverage, headline = table.coverage, table.headline
        return cls(
            title=table.title,
            partnership=PartnershipOut(code=partnership.code, name=partnership.name, short_name=partnership.short_name),
            home_council=CouncilOut.of(table.home) if table.home else None,
            question=QuestionOut(
                council=question.home,
                as_at=question.as_at,
                known_at=moment_text(question.known_at) if question.known_at else None,
                basis=selection.basis,
                benefit=selection.benefit,
                recurrence=selection.recurrence,
                flow=selection.flow,
            ),
            ledger_version=ledger_version,
            years=[str(year) for year in table.years],
            rows=[RowOut.of(row) for row in table.rows],
            totals=[TotalRowOut.of(row) for row in table.totals],
            notes=[NoteOut(kind=note.kind, text=note.text, workstream=note.workstream) for note in table.notes],
            projections=[
                ProjectionOut(
                    workstream=projection.workstream,
                    amount=pounds(projection.amount_pence),
                    printed=short_text(projection.amount_pence),
                    horizon=projection.horizon,
                    confidence=projection.confidence,
                    text=projection.text,
                )
                for projection in table.projections
            ],
            headline=HeadlineOut(
                short_term=PotentialOut.of(headline.short_term_pence),
                medium_term=PotentialOut.of(headline.medium_term_pence),
                long_term=PotentialOut.of(headline.long_term_pence),
            )
            if headline
            else None,
            narratives=[NarrativeOut.of(narrative) for narrative in table.narratives],
            coverage=CoverageOut(
                text=coverage.text,
                with_partnership_figure=[each.code for each in coverage.with_partnership_figure],
                without_partnership_figure=[each.code for each in coverage.without_partnership_figure],
                councils_with_shares=[each.gss for each in coverage.councils_with_shares],
                councils_without_shares=[each.gss for each in coverage.councils_without_shares],
                latest_as_at=coverage.latest_as_at,
                round=coverage.round.round.number if coverage.round else None,
            ),
            proof=ProofOut(
                holds=table.proof.holds,
                apportionments=[ApportionmentOut.of(part) for part in table.proof.apportionments],
                additions=[
                    AdditionOut(
                        scope=part.scope,
                        workstreams=pounds(part.workstreams_pence),
                        total=pounds(part.total_pence),
                        holds=part.holds,
                    )
                    for part in table.proof.additions
                ],
            ),
        )


def _amount(pence: int | None) -> str | None:
    return None if pence is None else pounds(pence)
