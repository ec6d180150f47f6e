"""The guides for finance systems: every example does, as it is printed, what the guide says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from deploy.local.stack import Stack

pytestmark = pytest.mark.long

GUIDES = Path("docs/integrate")
DEADLINE_SECONDS = 30
Answer = Mapping[str, Any]


def examples(guide: str, language: str) -> list[str]:
    """The blocks of a guide in that language, as they are printed."""
    text = (GUIDES / guide).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def needed(program: str, package: str) -> None:
    """Skip without the program; in CI fail."""
    if shutil.which(program) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI runs the examples with {program}, and there is none")
        pytest.skip(f"no {program} on this machine: apt-get install {package}")


async def run(
    stack: Stack, folder: Path, example: str, shell: str = "exec sh -eu", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run an example in the folder as somebody would who has read the stack's variables in."""
    return await asyncio.to_thread(
        subprocess.run,
        ["sh", "-c", f"set -a; . {stack.env_file}; {shell}"],
        input=example,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


async def answer_to(stack: Stack, folder: Path, example: str, **environment: str) -> Answer:
    """What the example prints, which is JSON."""
    ran = await run(stack, folder, example, **environment)
    assert ran.returncode == 0, ran.stderr + ran.stdout
    answer: Answer = json.loads(ran.stdout)
    return answer


async def eventually(ask: Callable[[], Awaitable[Answer]], there: Callable[[Answer], bool]) -> Answer:
    """The first answer that has it; fails after a deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not there(answer := await ask()):  # noqa: ASYNC110 - a shell command calls nobody back
            await asyncio.sleep(0.1)
    return answer


async def test_curl_posts_a_return_as_the_guide_has_it(stack: Stack, http: httpx.AsyncClient, tmp_path: Path) -> None:
    needed("curl", "curl")
    prepare, dry_run, send, entries, listed = examples("http.md", "sh")
    assert (await run(stack, tmp_path, prepare)).returncode == 0
    assert (tmp_path / "key.header").stat().st_mode & 0o077 == 0

    before = (await http.get("/v1/submissions")).json()
    tried = await answer_to(stack, tmp_path, dry_run)
    assert (tried["kept"], tried["would_be"]) == (False, "accepted")
    assert (await http.get("/v1/submissions")).json() == before

    accepted = await answer_to(stack, tmp_path, send)
    assert [line["amount"] for line in accepted["lines"]] == ["250000.00", "1250000.00"]
    assert (await answer_to(stack, tmp_path, send))["id"] == accepted["id"]

    def its_entries(answer: Answer) -> list[Any]:
        return [one for one in answer["entries"] if one["submission_id"] == accepted["id"]]

    counted = await eventually(lambda: answer_to(stack, tmp_path, entries), lambda found: bool(its_entries(found)))
    assert [one["movement"] for one in its_entries(counted)] == ["250000.00", "1250000.00"]
    found = await answer_to(stack, tmp_path, listed)
    assert found["submissions"][0]["id"] == accepted["id"]
    assert len(found["submissions"]) == len(before["submissions"]) + 1


async def test_curl_tells_when_a_return_may_not_stand(stack: Stack, tmp_path: Path) -> None:
    needed("curl", "curl")
    prepare, _, send, *_ = examples("http.md", "sh")
    ran = await run(stack, tmp_path, prepare.replace("2012/13", "2031/32") + send.replace("P10", "wrong"))
    assert ran.returncode == 22
    assert [error["pointer"] for error in json.loads(ran.stdout)["errors"]] == ["/lines/0/year"]


async def counted_as_the_guide_asks(stack: Stack, folder: Path, event_id: str) -> Answer:
    needed("curl", "curl")
    *_, ask = examples("kafka.md", "sh")
    answer = await eventually(
        lambda: answer_to(stack, folder, ask, EVENT_ID=event_id),
        lambda answer: answer["event"]["counted"] or answer["event"]["rejections"],
    )
    assert answer["event"]["counted"], answer
    return answer


async def test_python_posts_a_return_on_kafka_as_the_guide_has_it(stack: Stack, tmp_path: Path) -> None:
    [example] = examples("kafka.md", "python")
    event_id = f"python-{uuid4().hex}"
    ran = await run(stack, tmp_path, example, f"exec {sys.executable} -", EVENT_ID=event_id)
    assert ran.returncode == 0, ran.stderr
    await counted_as_the_guide_asks(stack, tmp_path, event_id)


async def test_kcat_posts_a_return_on_kafka_as_the_guide_has_it(stack: Stack, tmp_path: Path) -> None:
    needed("kcat", "kcat")
    prepare, send, _ = examples("kafka.md", "sh")
    assert (await run(stack, tmp_path, prepare)).returncode == 0
    assert (tmp_path / "kcat.conf").stat().st_mode & 0o077 == 0

    event_id = f"kcat-{uuid4().hex}"
    library = str(recent_librdkafka(tmp_path))
    for _ in range(2):
        ran = await run(stack, tmp_path, send, EVENT_ID=event_id, LD_LIBRARY_PATH=library)
        assert ran.returncode == 0, ran.stderr
    answer = await counted_as_the_guide_asks(stack, tmp_path, event_id)
    assert len(answer["submissions"]) == 1

    elsewhere = send.replace("savings.inbox.ESX", "savings.inbox.KEN")
    ran = await run(stack, tmp_path, elsewhere, EVENT_ID=event_id, LD_LIBRARY_PATH=library)
    assert ran.returncode != 0
    assert "Topic authorization failed" in ran.stderr


def recent_librdkafka(folder: Path) -> Path:
    """Where kcat finds a librdkafka that signs in to Kafka 4, whatever the system has (the guide says why)."""
    [library] = [one for one in files("confluent-kafka") or [] if re.match(r"librdkafka.*\.so\b", one.name)]
    directory = folder / "librdkafka"
    directory.mkdir()
    (directory / "librdkafka.so.1").symlink_to(Path(str(library.locate())).resolve())
    return directory
