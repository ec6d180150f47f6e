"""``savings rebuild``: replay the topics into a fresh database, prove it equal, and put it in place when asked to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from savings.places import InUse
from savings.rebuilding import NotCurrent, Rebuilder
from shared.bus.port import BusUnavailable
from shared.database import DatabaseUnavailable
from shared.partnership import InvalidPartnershipFile
from shared.rebuilding import Verdict
from shared.replaying import LogIncomplete, Progress
from shared.settings import Settings

console = Console()
complaints = Console(stderr=True)


class RebuildChoice(StrEnum):
    TRACKER = "tracker"
    REPORTING = "reporting"


def rebuild(
    service: Annotated[RebuildChoice, typer.Argument(help="Whose database to build again.")],
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Begin anew, and not with what an earlier rebuild has replayed.")
    ] = False,
    swap: Annotated[
        bool, typer.Option("--swap", help="Put the rebuilt database in place of the live one; stop the service first.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Swap without asking, even where the two differ.")] = False,
) -> None:
    """Replay the topics from the start beside the live database, and prove the two equal or name what differs."""
    rebuilder = Rebuilder(Settings.read(), service.value)
    try:
        if swap:
            verdict, aside = asyncio.run(_swap(rebuilder, fresh, yes))
            if aside is None:
                _fail("Nothing was changed.")
            console.print(
                f"The rebuilt database is in place. The old one is {aside}. Start {service}.", highlight=False
            )
            return
        verdict = asyncio.run(_prove(rebuilder, fresh))
    except (InUse, NotCurrent, LogIncomplete, InvalidPartnershipFile, OSError) as error:
        _fail(str(error))
    except (BusUnavailable, DatabaseUnavailable) as error:
        _fail(f"{error}. Run it again: it goes on from where it stopped.")
    except KeyboardInterrupt:
        complaints.print("Stopped. Run it again: it goes on from here.")
        raise typer.Exit(130) from None
    if not _told(verdict):
        raise typer.Exit(1)


async def _prove(rebuilder: Rebuilder, fresh: bool) -> Verdict:
    with _shown() as (replaying, comparing, _):
        return await rebuilder.prove(fresh=fresh, replaying=replaying, comparing=comparing)


async def _swap(rebuilder: Rebuilder, fresh: bool, yes: bool) -> tuple[Verdict, str | None]:
    if fresh:
        await rebuilder.place.clear()
    with _shown() as (replaying, comparing, stop):

        def agreed(verdict: Verdict) -> bool:
            stop()
            equal = _told(verdict)
            return yes or equal or typer.confirm("The rebuilt database differs from the live one. Put it in place?")

        return await rebuilder.exchange(replaying=replaying, comparing=comparing, agreed=agreed)


def _told(verdict: Verdict) -> bool:
    if verdict.difference is None:
        console.print(f"{verdict.events} events replayed, {verdict.rows} rows compared: equal.", highlight=False)
        return True
    complaints.print(f"[red]Differs[/] {verdict.difference}", highlight=False, soft_wrap=True)
    return False


@contextmanager
def _shown() -> Iterator[tuple[Progress, Progress, Callable[[], None]]]:
    """A bar for the replay and one for the comparison, and what stops them."""
    with Bars(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=complaints,
    ) as bars:
        tasks = [bars.add_task(text, total=None) for text in ("Replaying events", "Comparing")]

        def bar(task: int) -> Progress:
            return lambda done, total: bars.update(tasks[task], completed=done, total=total)

        yield bar(0), bar(1), bars.stop


def _fail(reason: str) -> NoReturn:
    complaints.print(f"[red]{reason}[/]", highlight=False, soft_wrap=True)
    raise typer.Exit(1)
