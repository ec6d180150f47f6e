"""The named points at which a process is killed, hung on the product from outside: nothing in it knows of them.

Each is a boundary between two things that must not come apart (a commit and an answer, a send and its mark, ...). A
point takes hold of a method by its name; a method that has been renamed turns the tests red instead of being missed.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

import shared.bus.kafka
from services.intake.stating import Stating
from shared.bus.kafka import KafkaBus, KafkaConsumer
from shared.consuming import Consuming
from shared.outbox import Relay

#: Called each time the point is passed.
Reach = Callable[[], None]
#: ``setattr``, or a test's that is undone afterwards.
Put = Callable[[Any, str, Any], None]


class Point(StrEnum):
    """Where a process dies. Those of the relay are in intake and in the tracker, those of consuming in all three."""

    STATING = "stating: after effects, before commit"
    STATED = "stating: after commit, before answer"
    TAKEN = "relay: after commit, before send"
    FIRST_SENT = "relay: the first of a batch sent, the others not yet"
    SENT = "relay: after send, before mark"
    MARKING = "relay: marking, before its commit"
    EFFECTS = "consuming: after effects, before commit"
    COMMITTED = "consuming: after commit, before group commit"
    INFORMED = "consuming: after group commit"


_RELAYING: Final = (Point.TAKEN, Point.FIRST_SENT, Point.SENT, Point.MARKING)
_CONSUMING: Final = (Point.EFFECTS, Point.COMMITTED, Point.INFORMED)
#: The points of each service. Intake consumes the councils' topics.
POINTS: Final[Mapping[str, tuple[Point, ...]]] = {
    "intake": (Point.STATING, Point.STATED, *_RELAYING, *_CONSUMING),
    "tracker": (*_CONSUMING, *_RELAYING),
    "reporting": _CONSUMING,
}


def hang(point: Point, reach: Reach, put: Put = setattr) -> None:
    """Have ``reach`` called each time this process passes the point.

    Raises:
        LookupError: the method that the point hangs on is not there any more.
    """
    match point:
        case Point.STATING:
            around(Stating, "_in_transaction", lambda original: _with_work_then(original, reach), put)
        case Point.STATED:
            around(Stating, "_in_transaction", lambda original: _then(original, reach), put)
        case Point.TAKEN:
            around(Relay, "_next_batch", lambda original: _then(original, reach, lambda batch: bool(batch[0])), put)
        case Point.FIRST_SENT:
            _hang_within_a_batch(reach, put)
        case Point.SENT:
            around(KafkaBus, "publish", lambda original: _then(original, reach, bool), put)
        case Point.MARKING:
            # It has sent, and is in the transaction that marks.
            around(Relay, "_hold_lease", lambda original: _then(original, reach), put)
        case Point.EFFECTS:
            _hang_on_handling(reach, put)
        case Point.COMMITTED:
            around(Consuming, "_keep", lambda original: _then(original, reach), put)
        case Point.INFORMED:
            around(KafkaConsumer, "inform", lambda original: _then(original, reach), put)


def around(owner: Any, name: str, make: Callable[[Any], Any], put: Put = setattr) -> None:
    """Replace a coroutine function of a class or a module by what ``make`` makes of it.

    Raises:
        LookupError: there is none of that name.
    """
    original = vars(owner).get(name)
    if not inspect.iscoroutinefunction(original):
        raise LookupError(f"{owner.__name__}.{name} is not there any more; what hangs on it must be hung elsewhere")
    put(owner, name, functools.wraps(original)(make(original)))


def _then(original: Any, reach: Reach, is_passing: Callable[[Any], bool] = lambda _: True) -> Any:
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = await original(*args, **kwargs)
        if is_passing(result):
            reach()
        return result

    return wrapped


def _with_work_then(original: Any, reach: Reach) -> Any:
    """Reached in the transaction, once its work is done and before it commits."""

    async def wrapped(self: Any, work: Any) -> Any:
        return await original(self, _then(work, reach))

    return wrapped


def _hang_on_handling(reach: Reach, put: Put) -> None:
    original = Consuming.__init__
    if "handle" not in inspect.signature(original).parameters:
        raise LookupError("Consuming is no longer given its 'handle'; what hangs on it must be hung elsewhere")

    @functools.wraps(original)
    def made(self: Consuming, **given: Any) -> None:
        original(self, **{**given, "handle": _then(given["handle"], reach)})

    put(Consuming, "__init__", made)


def _hang_within_a_batch(reach: Reach, put: Put) -> None:
    several = False

    def noted(original: Any) -> Any:
        async def publish(self: Any, messages: Any) -> Any:
            nonlocal several
            several = len(messages) > 1
            return await original(self, messages)

        return publish

    around(KafkaBus, "publish", noted, put)
    around(shared.bus.kafka, "_outcome", lambda original: _then(original, reach, lambda _: several), put)
