"""What people are here by what the sign-in service says of them. Pure.

A file says it (``deploy/partnerships/se7-sign-in.toml``): each grant names a value of the role claim, and what a person
who has it is.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.partnership import Partnership
from shared.principal import Principal, Role


class InvalidSignIn(Exception):
    """People cannot sign in as the settings or the file of grants have it; the text names every fault."""


class _Grant(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    value: str = Field(min_length=1)
    role: Role
    council: str | None = None
    workstreams: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    grants: tuple[_Grant, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Grants:
    """The grants of a partnership, in the order of their file."""

    _grants: tuple[tuple[str, Principal], ...]

    @classmethod
    def parse(cls, text: str, partnership: Partnership) -> Grants:
        """Raises: InvalidSignIn, with all that is wrong."""
        try:
            given = _File.model_validate(tomllib.loads(text)).grants
        except tomllib.TOMLDecodeError as error:
            raise InvalidSignIn(f"It is no TOML: {error}.") from error
        except ValidationError as error:
            told = (f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors())
            raise InvalidSignIn(f"{'; '.join(told)}.") from error
        faults = [f"{grant.value}: {fault}" for grant in given for fault in _faults(grant, partnership)]
        values = [grant.value for grant in given]
        faults += [f"{value}: granted twice" for value in dict.fromkeys(values) if values.count(value) > 1]
        if faults:
            raise InvalidSignIn(f"{'; '.join(faults)}.")
        return cls(tuple((grant.value, _principal(grant, partnership)) for grant in given))

    def principal_of(self, name: str, values: Collection[str]) -> Principal | None:
        """Who a person of this name is, by the first grant that fits; ``None`` where none does."""
        for value, granted in self._grants:
            if value in values:
                return Principal(name, granted.role, granted.council, granted.workstreams)
        return None


def _faults(grant: _Grant, partnership: Partnership) -> Sequence[str]:
    found = []
    speaks_for_a_council = grant.role in (Role.LEAD, Role.FINANCE, Role.AUTHOR)
    gss = _gss_of(grant.council, partnership)
    if speaks_for_a_council and grant.council is None:
        found.append(f"the role {grant.role} speaks for a council, so it needs one")
    if not speaks_for_a_council and grant.council is not None:
        found.append(f"the role {grant.role} speaks for no council, so it takes none")
    if grant.council is not None and gss is None:
        found.append(f"{partnership.name} has no council {grant.council}")
    if grant.role is Role.LEAD and not grant.workstreams:
        found.append("a lead needs workstreams")
    if grant.role is not Role.LEAD and grant.workstreams:
        found.append("only a lead has workstreams")
    led = partnership.led_by(gss) if gss is not None else ()
    found += [f"{grant.council} does not lead {code}" for code in grant.workstreams if gss and code not in led]
    return found


def _gss_of(council: str | None, partnership: Partnership) -> str | None:
    if council is None:
        return None
    found = partnership.council_by_register_code.get(council) or partnership.council_by_gss.get(council)
    return None if found is None else found.gss


def _principal(grant: _Grant, partnership: Partnership) -> Principal:
    return Principal(grant.value, grant.role, _gss_of(grant.council, partnership), frozenset(grant.workstreams))
