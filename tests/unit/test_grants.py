"""What people are here by what their sign-in service says of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.reporting.grants import Grants, InvalidSignIn
from shared.principal import Principal, Role
from tests.reporting_figures import EAST_SUSSEX, SE7

EXAMPLE = Path("deploy/partnerships/se7-sign-in.toml")


def grants(*lines: str) -> Grants:
    return Grants.parse("\n".join(("[[grants]]", *lines)), SE7)


def test_the_example_grants_what_it_says() -> None:
    found = Grants.parse(EXAMPLE.read_text(encoding="utf-8"), SE7)
    assert found.principal_of("jo@a", ["other", "se7-savings-author-esx"]) == Principal(
        "jo@a", Role.AUTHOR, EAST_SUSSEX
    )
    lead = found.principal_of("jo@a", ["se7-savings-lead-sen"])
    assert lead == Principal("jo@a", Role.LEAD, EAST_SUSSEX, frozenset({"sen"}))
    assert found.principal_of("jo@a", ["se7-savings-auditor"]) == Principal("jo@a", Role.AUDITOR)


def test_of_several_grants_the_first_of_the_file_stands() -> None:
    found = Grants.parse(EXAMPLE.read_text(encoding="utf-8"), SE7)
    principal = found.principal_of("jo@a", ["se7-savings-author-esx", "se7-savings-lead-sen"])
    assert principal is not None
    assert principal.role is Role.LEAD


@pytest.mark.parametrize("values", [[], ["se7-savings"], ["SE7-SAVINGS-OFFICE"]])
def test_what_is_not_granted_is_nothing(values: list[str]) -> None:
    assert Grants.parse(EXAMPLE.read_text(encoding="utf-8"), SE7).principal_of("jo@a", values) is None


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['value = "a"', 'role = "king"'], "Input should be"),
        (['value = ""', 'role = "office"'], "at least 1 character"),
        (['value = "a"', 'role = "office"', "more = 1"], "Extra inputs"),
        (['value = "a"', 'role = "author"'], "a: the role author speaks for a council, so it needs one"),
        (['value = "a"', 'role = "office"', 'council = "ESX"'], "a: the role office speaks for no council"),
        (['value = "a"', 'role = "author"', 'council = "XXX"'], "a: South East 7 has no council XXX"),
        (['value = "a"', 'role = "lead"', 'council = "ESX"'], "a: a lead needs workstreams"),
        (
            ['value = "a"', 'role = "lead"', 'council = "ESX"', 'workstreams = ["waste"]'],
            "a: ESX does not lead waste",
        ),
        (
            ['value = "a"', 'role = "author"', 'council = "ESX"', 'workstreams = ["sen"]'],
            "a: only a lead has workstreams",
        ),
        (['value = "a"', 'role = "office"', "[[grants]]", 'value = "a"', 'role = "auditor"'], "a: granted twice"),
        (["value = "], "It is no TOML"),
    ],
)
def test_a_file_that_grants_what_nobody_can_be_is_refused_by_name(lines: list[str], told: str) -> None:
    with pytest.raises(InvalidSignIn, match=told):
        grants(*lines)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(InvalidSignIn) as caught:
        grants('value = "a"', 'role = "author"', "[[grants]]", 'value = "b"', 'role = "lead"', 'council = "XXX"')
    assert all(told in str(caught.value) for told in ("a: ", "b: ", "XXX", "workstreams"))
