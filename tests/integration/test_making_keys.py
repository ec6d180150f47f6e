"""``savings keys create``: a name stands for one role of one council, and for nobody else ever after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from savings.commands import app

Run = Callable[..., Result]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.setenv("SAVINGS_DATA_DIRECTORY", str(tmp_path))
    assert CliRunner().invoke(app, ["migrate"]).exit_code == 0

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["keys", *arguments])

    return run


def said_by(result: Result) -> str:
    return " ".join(result.stderr.split())


def test_a_key_is_rotated_under_its_name(keys: Run) -> None:
    first, second = (keys("create", "finance", "--role", "finance", "--council", code) for code in ("ESX", "E10000011"))
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stdout.startswith("sav_")
    assert first.stdout != second.stdout


def test_a_lead_s_key_may_be_rotated_with_other_workstreams(keys: Run) -> None:
    create = ("create", "lead", "--role", "lead", "--council", "HAM", "--workstream")
    assert (keys(*create, "property").exit_code, keys(*create, "procurement").exit_code) == (0, 0)


@pytest.mark.parametrize(
    "other", [("finance", "--council", "KEN"), ("author", "--council", "ESX"), ("office",)], ids=lambda one: one[0]
)
def test_a_name_that_stands_for_somebody_is_nobody_elses_even_when_revoked(keys: Run, other: tuple[str, ...]) -> None:
    made = keys("create", "finance", "--role", "finance", "--council", "ESX")
    key_id = said_by(made).split()[1]
    for revoked in (False, True):
        refused = keys("create", "finance", "--role", *other)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "The name finance stands for finance of E10000011" in said_by(refused)
        assert "choose another name" in said_by(refused)
        if not revoked:
            assert keys("revoke", key_id).exit_code == 0


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "letters, digits"),
        ("finance ESX", "letters, digits"),
        ("finance\n", "letters, digits"),
        ("n" * 101, "1 to 100"),
        ("inbox-ESX", "own topic"),
        ("Inbox-ESX", "own topic"),
        ("jo@example.gov.uk", "signs in with an account"),
    ],
)
def test_a_name_is_short_and_plain_and_not_that_of_a_topic_or_a_person(keys: Run, name: str, reason: str) -> None:
    refused = keys("create", name, "--role", "finance", "--council", "ESX")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert reason in said_by(refused)
