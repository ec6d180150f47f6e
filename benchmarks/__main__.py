"""``python -m benchmarks [name ...]``: prints ours beside its floor, from one run. Never a test: it judges nothing."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import inspect
import os
import pkgutil
import platform
import sys
from pathlib import Path

_NOT_BENCHMARKS = {"__main__", "asking", "result", "returns"}
#: It measures what things take, for docs/scale.md, and takes long.
_ONLY_WHEN_NAMED = {"scale"}


def main() -> None:
    names = sorted(
        module.name
        for module in pkgutil.iter_modules([str(Path(__file__).parent)])
        if module.name not in _NOT_BENCHMARKS
    )
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"one of {', '.join(names)}; all but scale when none is named"
    )
    chosen = parser.parse_args().names or [name for name in names if name not in _ONLY_WHEN_NAMED]
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(names)}")
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.system()} {platform.machine()}")
    missed = 0
    for name in chosen:
        print(f"\n{name}", flush=True)
        results = importlib.import_module(f"benchmarks.{name}").run()
        for result in asyncio.run(results) if inspect.iscoroutine(results) else results:
            print(f"  {result}", flush=True)
            missed += not result.holds
    if missed:
        print(f"\n{missed} goal{'s' if missed > 1 else ''} missed.", file=sys.stderr)


if __name__ == "__main__":
    main()
