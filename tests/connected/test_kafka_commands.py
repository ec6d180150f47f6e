"""``savings kafka apply``, on a real broker: what it shows, asks, does, and does not do twice."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from deploy.kafka.cluster import administer, may_sign_in
from deploy.local.kafka_broker import KafkaBroker
from savings.kafka_commands import kafka_app

PARTNERSHIP = """
code = "two"
name = "Two Councils"
short_name = "TWO"
first_year = "2011/12"
last_year = "2014/15"

[[councils]]
gss = "E10000011"
register = "TWA"
name = "The one"
short_name = "A"

[[councils]]
gss = "E10000016"
register = "TWB"
name = "The other"
short_name = "B"

[[workstreams]]
code = "ict"
name = "ICT"
lead = "E10000011"
purpose = "To share."
"""
USERS = ("intake", "tracker", "reporting", "council-TWA", "council-TWB")

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def broker(kafka_broker: KafkaBroker) -> Iterator[KafkaBroker]:
    """A broker with nothing on it yet: what other tests have put on theirs would show in the plan."""
    with KafkaBroker(progress=lambda _: None) as broker:
        yield broker


@pytest.fixture
def run(broker: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command, as the administrator of the broker, for a partnership of two councils."""
    (tmp_path / "two.toml").write_text(PARTNERSHIP)
    monkeypatch.setenv("SAVINGS_PARTNERSHIP_FILE", str(tmp_path / "two.toml"))
    monkeypatch.setenv("SAVINGS_KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
    monkeypatch.setenv("SAVINGS_KAFKA_USER", broker.admin.username)
    monkeypatch.setenv("SAVINGS_KAFKA_PASSWORD", broker.admin.password)

    def invoke(*arguments: str, answer: str | None = None) -> Result:
        return CliRunner().invoke(kafka_app, ["apply", "--replication-factor", "1", *arguments], input=answer)

    return invoke


async def users_of(broker: KafkaBroker) -> set[str]:
    async with administer(broker.admin) as cluster:
        return set(await cluster.users())


def test_without_a_password_for_a_new_user_it_names_the_user_and_does_nothing(run: Run, broker: KafkaBroker) -> None:
    result = run("--yes")
    assert result.exit_code == 1
    assert "council-TWA" in result.stderr
    assert asyncio.run(users_of(broker)) == {"admin"}


def test_it_shows_the_plan_and_does_nothing_when_told_not_to(run: Run, broker: KafkaBroker, tmp_path: Path) -> None:
    passwords = tmp_path / "passwords.json"
    result = run("--passwords", str(passwords), "--generate", answer="n\n")
    assert result.exit_code == 1
    assert "create topic savings.inbox.TWA" in result.stdout
    assert "create ACL: allow User:council-TWB WRITE topic savings.inbox.TWB" in result.stdout
    assert asyncio.run(users_of(broker)) == {"admin"}
    assert not passwords.exists()


def test_it_makes_everything_once_and_the_second_time_has_nothing_to_do(
    run: Run, broker: KafkaBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords, folder = tmp_path / "passwords.json", tmp_path / "secrets"
    passwords.write_text(json.dumps({"council-TWB": "known before"}))
    folder.mkdir()
    (folder / "savings_kafka_password_tracker").write_text("from a file\n")
    monkeypatch.setenv("SAVINGS_SECRETS_DIRECTORY", str(folder))
    monkeypatch.setenv("SAVINGS_KAFKA_PASSWORD_INTAKE", "from the environment")

    first = run("--yes", "--passwords", str(passwords), "--generate")
    assert first.exit_code == 0, first.stderr
    assert "the broker holds what the files say" in first.stdout

    kept = json.loads(passwords.read_text())
    assert set(kept) == {"council-TWA", "council-TWB", "reporting"}
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600
    everyone = {**kept, "intake": "from the environment", "tracker": "from a file"}
    assert set(everyone) == set(USERS)
    for user, password in everyone.items():
        assert password not in first.stdout + first.stderr
        assert asyncio.run(may_sign_in(broker.admin.as_user(user, password))), user
    assert kept["council-TWB"] == "known before"

    second = run("--passwords", str(passwords), "--generate")
    assert (second.exit_code, second.stdout) == (0, "nothing to do\n")
    assert json.loads(passwords.read_text()) == kept


def test_who_is_no_administrator_is_told_so_in_a_sentence(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAVINGS_KAFKA_PASSWORD", "a guess")
    result = run("--yes")
    assert result.exit_code == 1
    assert "Kafka does not answer" in result.stderr
    assert "Traceback" not in result.stdout + result.stderr
