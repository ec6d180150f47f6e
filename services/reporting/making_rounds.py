"""Making reporting rounds, and reading what has come in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.reporting import editions_store, rounds_store
from services.reporting.figures_read import read_figures
from services.reporting.rounds import Round, RoundCoverage, expected_by_default
from shared.clock import Clock, end_of_local_day
from shared.database import Database
from shared.errors import Conflict, Fault, NotFound, Refused
from shared.figures import PARTNERSHIP, Stream
from shared.partnership import Partnership
from shared.principal import Principal


@dataclass(frozen=True, slots=True)
class Proposal:
    """A round that the office wants; without ``expected``, every figure of the table is expected in it."""

    name: str
    opens: date
    due: date
    closes: date
    expected: tuple[Stream, ...] | None = None


class Rounds:
    """The rounds of the partnership, in the service's database."""

    def __init__(self, partnership: Partnership, database: Database, clock: Clock) -> None:
        self._partnership = partnership
        self._database = database
        self._clock = clock

    async def all(self) -> Sequence[Round]:
        async with self._database.read() as connection:
            return await rounds_store.all_rounds(connection)

    async def make(self, proposal: Proposal, by: Principal) -> Round:
        """Make a round.

        Raises:
            Refused: where its days are not in order, or it expects what the partnership has not.
            Conflict: where there is one of that name.
        """
        if faults := _faults(self._partnership, proposal):
            raise Refused(f"The round {proposal.name} is not made: {faults[0].detail}", faults)
        expected = proposal.expected or expected_by_default(self._partnership, proposal.opens, proposal.closes)
        async with self._database.write() as connection:
            await editions_store.lock(connection)
            there = await rounds_store.all_rounds(connection)
            if any(each.name == proposal.name for each in there):
                raise Conflict(f"There is a round {proposal.name}, and it does not change.", "Give another name.")
            made = Round(
                number=len(there) + 1,
                name=proposal.name,
                opens=proposal.opens,
                due=proposal.due,
                closes=proposal.closes,
                made_at=self._clock(),
                expected=tuple(sorted(set(expected))),
            )
            await rounds_store.keep(connection, made, by.name)
        return made

    async def coverage(self, number: int) -> RoundCoverage:
        """What has come in a round, with what stood when it closed.

        Raises:
            NotFound: saying which there are.
        """
        async with self._database.read() as connection:
            rounds = await rounds_store.all_rounds(connection)
            for round_ in rounds:
                if round_.number == number:
                    break
            else:
                there = "; ".join(f"{each.number}: {each.name}" for each in rounds)
                fix = f"There are: {there}." if there else "The programme office makes them."
                raise NotFound(f"There is no round {number}.", fix)
            figures = await read_figures(
                connection,
                self._partnership,
                [PARTNERSHIP],
                known_at=end_of_local_day(round_.closes),
                round_=round_,
            )
        assert figures.round_coverage is not None  # noqa: S101 - a round was given
        return figures.round_coverage


def _faults(partnership: Partnership, proposal: Proposal) -> Sequence[Fault]:
    faults: list[Fault] = []
    days = (("opens", proposal.opens, "due", proposal.due), ("due", proposal.due, "closes", proposal.closes))
    for first, earlier, second, later in days:
        if later < earlier:
            detail = f"'{second}', {later}, is before '{first}', {earlier}."
            fix = "A round opens, is due and closes in that order; they may be one day."
            faults.append(Fault(f"/{second}", "not-in-order", detail, fix, later.isoformat()))
    workstreams = partnership.workstream_by_code
    scopes = [PARTNERSHIP, *(council.scope for council in partnership.councils)]
    for place, stream in enumerate(proposal.expected or ()):
        for name, given, allowed in (
            ("workstream", stream.workstream, list(workstreams)),
            ("scope", stream.scope, [str(scope) for scope in scopes]),
        ):
            if given not in allowed:
                detail = f"{partnership.name} has no {name} {given}."
                pointer = f"/expected/{place}/{name}"
                faults.append(Fault(pointer, f"unknown-{name}", detail, "Give one of those allowed.", given, allowed))
    return faults
