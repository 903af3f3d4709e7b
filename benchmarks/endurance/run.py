"""Run one of the commands of `python -m benchmarks.endurance`."""

import argparse
import sys
from collections.abc import Callable

from benchmarks.endurance import fuzz, soak, swaps
from benchmarks.endurance.generations import two_generations
from benchmarks.serving.processes import ServerError


def run(options: argparse.Namespace) -> int:
    """Run it; 0 where the server held, 1 where it did not."""
    options.work.mkdir(parents=True, exist_ok=True)
    try:
        held: bool = _COMMANDS[options.command](options)
    except ServerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0 if held else 1


def _fuzz(options: argparse.Namespace) -> bool:
    two_generations(options.generation, _say)
    done = fuzz.fuzz(options.generation, options.calls, options.seed, options.work / "fuzz.log")
    return fuzz.report(done, options.seed)


def _swaps(options: argparse.Namespace) -> bool:
    two_generations(options.generations, _say)
    done = swaps.swap(options.generations, options.swaps, options.per_s, options.work)
    return swaps.report(done)


def _soak(options: argparse.Namespace) -> bool:
    two_generations(options.generations, _say)
    return soak.report(soak.soak(options.generations, options.minutes, options.work))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_COMMANDS: dict[str, Callable[[argparse.Namespace], bool]] = {
    "fuzz": _fuzz,
    "swaps": _swaps,
    "soak": _soak,
}
