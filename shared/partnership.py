"""The partnership: its councils, workstreams, years and targets, read from one file.

The file is TOML (``deploy/partnerships/se7.toml`` is South East 7). Another partnership is another file; nothing in
the code names a council or a workstream.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from functools import cached_property
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from shared.figures import PARTNERSHIP, Scope, WorkstreamCode
from shared.financial_year import FinancialYear
from shared.money import Pence, parse_pounds


def _read_with(parse: Callable[[str], object]) -> BeforeValidator:
    def read(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("is written as text, in quotes")
        return parse(value)

    return BeforeValidator(read)


Year = Annotated[FinancialYear, _read_with(FinancialYear.parse)]
Pounds = Annotated[int, _read_with(parse_pounds), AfterValidator(Pence)]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
GssCode = Annotated[str, Field(pattern=r"^[A-Z]\d{8}$")]


class InvalidPartnershipFile(Exception):
    """The partnership file does not describe a partnership; the text names every fault and where it is."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Council(_Part):
    """A council, by its ONS GSS code; ``starts`` and ``ends`` are the first and last day it exists."""

    gss: GssCode
    register_code: Annotated[str, Field(pattern=r"^[A-Z]{3,4}$", alias="register")]
    name: str
    short_name: str
    starts: date | None = None
    ends: date | None = None

    @property
    def scope(self) -> Scope:
        return Scope(self.gss)


class Workstream(_Part):
    """A line of shared work; its lead council speaks for the whole partnership on it."""

    code: Code
    name: str
    lead: GssCode
    purpose: str = ""
    #: Printed under the table wherever the workstream's figures are (SEN: avoided costs, not baseline savings).
    note: str = ""
    initiatives: tuple[str, ...] = ()


class Projection(_Part):
    """What a workstream expects beyond the years of the table."""

    workstream: Code
    amount_pence: Pounds = Field(alias="amount")
    horizon: str
    confidence: str
    text: str = ""


class Headline(_Part):
    """The potential the partnership has named for the short, medium and long term."""

    short_term_pence: Pounds = Field(alias="short_term")
    medium_term_pence: Pounds = Field(alias="medium_term")
    long_term_pence: Pounds = Field(alias="long_term")


class Partnership(_Part):
    code: Code
    name: str
    short_name: str
    first_year: Year
    last_year: Year
    headline: Headline | None = None
    councils: tuple[Council, ...] = Field(min_length=2)
    workstreams: tuple[Workstream, ...] = Field(min_length=1)
    projections: tuple[Projection, ...] = ()

    @classmethod
    def parse(cls, toml_text: str) -> Partnership:
        """Read a partnership file.

        Raises:
            InvalidPartnershipFile: naming every fault in it.
        """
        try:
            return cls.model_validate(tomllib.loads(toml_text))
        except tomllib.TOMLDecodeError as error:
            raise InvalidPartnershipFile(f"the partnership file is not TOML: {error}") from error
        except ValidationError as error:
            faults = "; ".join(
                f"{'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}" for fault in error.errors()
            )
            raise InvalidPartnershipFile(f"the partnership file is not valid: {faults}") from error

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if self.last_year < self.first_year:
            raise ValueError("last_year is before first_year")
        for what, codes in (
            ("council gss", [council.gss for council in self.councils]),
            ("council register", [council.register_code for council in self.councils]),
            ("workstream code", [workstream.code for workstream in self.workstreams]),
        ):
            twice = sorted({code for code in codes if codes.count(code) > 1})
            if twice:
                raise ValueError(f"{what} given twice: {', '.join(twice)}")
        known = {council.gss for council in self.councils}
        for workstream in self.workstreams:
            if workstream.lead not in known:
                raise ValueError(
                    f"the lead of {workstream.code}, {workstream.lead}, is not a council of the partnership"
                )
        for projection in self.projections:
            if projection.workstream not in {workstream.code for workstream in self.workstreams}:
                raise ValueError(f"a projection names an unknown workstream, {projection.workstream}")
        return self

    @cached_property
    def years(self) -> tuple[FinancialYear, ...]:
        """The years of the table, in order."""
        return tuple(self.first_year.through(self.last_year))

    @cached_property
    def council_by_gss(self) -> Mapping[str, Council]:
        return {council.gss: council for council in self.councils}

    @cached_property
    def council_by_register_code(self) -> Mapping[str, Council]:
        return {council.register_code: council for council in self.councils}

    @cached_property
    def workstream_by_code(self) -> Mapping[str, Workstream]:
        return {workstream.code: workstream for workstream in self.workstreams}

    def led_by(self, gss: str) -> tuple[WorkstreamCode, ...]:
        """The codes of the workstreams that a council leads."""
        return tuple(WorkstreamCode(workstream.code) for workstream in self.workstreams if workstream.lead == gss)

    def scope_name(self, scope: str) -> str:
        """A scope in words: the partnership's name or the council's."""
        return self.name if scope == PARTNERSHIP else self.council_by_gss[scope].name
