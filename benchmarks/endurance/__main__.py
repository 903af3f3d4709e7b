"""What the server bears: `python -m benchmarks.endurance fuzz | swaps | soak`.

Exit status: 0 where it held, 1 where it did not.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.endurance import fuzz, soak, swaps
from benchmarks.endurance.generations import two_generations
from benchmarks.serving.processes import ServerError

WORK = Path("var/endurance")


def main(arguments: list[str]) -> int:
    """Run one of the commands."""
    options = _parser().parse_args(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    try:
        held: bool = options.run(options)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="for logs; default: %(default)s")
    commands = parser.add_subparsers(required=True)
    add = commands.add_parser("fuzz", help="send what nobody would").add_argument
    add("--generation", type=Path, required=True, help="output folder; made up where empty")
    add("--calls", type=int, default=100_000, help="default: %(default)s")
    add("--seed", type=int, default=0, help="default: %(default)s")
    commands.choices["fuzz"].set_defaults(run=_fuzz)
    add = commands.add_parser("swaps", help="change generations under load").add_argument
    add("--generations", type=Path, required=True, help="output folder; made up where empty")
    add("--swaps", type=int, default=20, help="default: %(default)s")
    add("--per-s", type=float, help="calls per second; default: half of what is answered")
    commands.choices["swaps"].set_defaults(run=_swaps)
    add = commands.add_parser("soak", help="everything at once for a while").add_argument
    add("--generations", type=Path, required=True, help="output folder; made up where empty")
    add("--minutes", type=float, default=30.0, help="default: %(default)s")
    commands.choices["soak"].set_defaults(run=_soak)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
