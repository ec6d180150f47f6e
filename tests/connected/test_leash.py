"""Nothing is left running: a server ends with the process that started it, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from deploy.local.processes import ServerFailed, end, spawn, wait_until

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 10

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")


def is_running(pid: int) -> bool:
    """A process that has ended and that nobody has waited for yet (a zombie) does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = f"""
import signal, sys, time
from pathlib import Path
from deploy.local.processes import spawn
here = Path({str(tmp_path)!r})
child = spawn(["sleep", "60"], log=here / "log", directory=here, death_signal=signal.SIGKILL)
print(child.pid, flush=True)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert parent.stdout is not None
        with parent.stdout:
            child_pid = int(parent.stdout.readline())
        assert is_running(child_pid)
    finally:
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while is_running(child_pid):
        if time.monotonic() > deadline:
            os.kill(child_pid, signal.SIGKILL)
            pytest.fail("the child outlived its parent")
        time.sleep(0.02)


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    """Linux ties the leash to the thread that forks; a fixture or a server may well be started from a passing one."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(spawn(["sleep", "60"], log=tmp_path / "log", directory=tmp_path, death_signal=signal.SIGKILL))

    passing = threading.Thread(target=start)
    passing.start()
    passing.join()
    [child] = started
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.3)
    assert end(child, signal.SIGTERM, DEADLINE_SECONDS)


def test_a_child_that_ends_before_it_is_ready_says_why(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = spawn(
        ["sh", "-c", "echo the port is taken; exit 3"], log=log, directory=tmp_path, death_signal=signal.SIGKILL
    )
    with pytest.raises(ServerFailed, match=r"(?s)ended with 3.*the port is taken"):
        wait_until(lambda: False, process=child, log=log, what="It", deadline_seconds=DEADLINE_SECONDS)


def test_a_child_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = spawn(
        ["sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"],
        log=log,
        directory=tmp_path,
        death_signal=signal.SIGKILL,
    )
    wait_until(lambda: "deaf" in log.read_text(), process=child, log=log, what="It", deadline_seconds=DEADLINE_SECONDS)
    assert not end(child, signal.SIGTERM, 0.2)
    assert child.returncode == -signal.SIGKILL
