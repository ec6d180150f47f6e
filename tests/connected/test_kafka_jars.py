"""Kafka's jars come into the cache once, whichever process asks first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.kafka_jars import kafka_jars
from deploy.local.processes import Unavailable

ROOT = Path(__file__).parents[2]

#: Stands in for Maven: takes a while, and notes that it was called.
MAVEN = """#!/bin/sh
echo called >> "$(dirname "$0")/calls"
for argument in "$@"; do
  case "$argument" in -DoutputDirectory=*) folder="${argument#-DoutputDirectory=}";; esac
done
mkdir -p "$folder"
sleep 0.5
echo jar > "$folder/kafka.jar"
"""
JAVA = """#!/bin/sh
echo 'openjdk version "17.0.1"' >&2
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder first on the PATH, with a Java and a Maven that do nothing real."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in {"mvn": MAVEN, "java": JAVA}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("SAVINGS_CACHE", str(tmp_path / "cache"))
    return folder


def test_processes_that_ask_at_once_fetch_once(tools: Path) -> None:
    ask = "from deploy.local.kafka_jars import kafka_jars; print(kafka_jars().class_path)"
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", ask], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    answers = [process.communicate(timeout=30) for process in asking]
    assert [process.returncode for process in asking] == [0, 0, 0], answers
    assert len({out for out, _ in answers}) == 1
    assert (tools / "calls").read_text().splitlines() == ["called"]


def test_a_fetch_that_failed_leaves_no_half_cache(tools: Path) -> None:
    (tools / "mvn").write_text("#!/bin/sh\necho 'no such artifact'; exit 1\n")
    with pytest.raises(Unavailable, match="no such artifact"):
        kafka_jars(lambda line: None)
    (tools / "mvn").write_text(MAVEN)
    assert kafka_jars(lambda line: None).class_path.endswith("kafka.jar")


def test_a_java_that_is_too_old_is_named(tools: Path) -> None:
    (tools / "java").write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    with pytest.raises(Unavailable, match=r"Java 17 or later; this is openjdk version .11\.0\.2"):
        kafka_jars(lambda line: None)


def test_without_maven_or_java_it_says_which(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tools))
    (tools / "mvn").unlink()
    with pytest.raises(Unavailable, match="no mvn"):
        kafka_jars(lambda line: None)
    (tools / "java").unlink()
    with pytest.raises(Unavailable, match="no java"):
        kafka_jars(lambda line: None)
