"""The ``savings`` command, killed at a named point or broken on purpose:

    python -m tests.faults.process --point SENT --nth 3 --reached FILE -- serve intake --port 8001

What it does is the real command's doing, up to the moment at which it dies.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import signal
from pathlib import Path
from typing import Final

import shared.bus.kafka
from savings.commands import app
from tests.faults import points, sabotage
from tests.faults.points import Point, Reach
from tests.faults.sabotage import Sabotage

#: A reader that was killed is missed by its group after this time instead of 10 s, so that many can be killed.
SESSION_TIMEOUT_MS: Final = 2_000
HEARTBEAT_INTERVAL_MS: Final = 500


def killed_at(nth: int, told: Path) -> Reach:
    """Ends this process without warning at the nth passing, having written that it did."""
    left = nth

    def reach() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            with told.open("a") as file:
                file.write(f"{os.getpid()}\n")
            os.kill(os.getpid(), signal.SIGKILL)

    return reach


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--point", type=lambda name: Point[name])
    parser.add_argument("--nth", type=int, default=1)
    parser.add_argument("--reached", type=Path)
    parser.add_argument("--sabotage", type=lambda name: Sabotage[name])
    parser.add_argument("--slowly", nargs=2, metavar=("WORKSTREAM", "SECONDS"))
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    # What the client of Kafka says tells where a process stood that did not get where it should.
    logging.basicConfig(format="%(asctime)s %(process)d %(name)s %(message)s", level=logging.INFO)
    shared.bus.kafka.AIOKafkaConsumer = functools.partial(
        shared.bus.kafka.AIOKafkaConsumer,
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=HEARTBEAT_INTERVAL_MS,
    )
    if given.slowly is not None:
        workstream, seconds = given.slowly
        sabotage.slowly(workstream, float(seconds))
    # Points lie within what is sabotaged: a transaction that is answered too early is still killed before it commits.
    if given.point is not None:
        points.hang(given.point, killed_at(given.nth, given.reached))
    if given.sabotage is not None:
        sabotage.commit(given.sabotage)
    app(given.command)


if __name__ == "__main__":
    main()
