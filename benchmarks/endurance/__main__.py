"""What the server bears: `python -m benchmarks.endurance fuzz | swaps | soak`.

Exit status: 0 where it held, 1 where it did not.
"""

import argparse
import sys
from pathlib import Path

from benchmarks.endurance.fuzz import fuzz, report
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
    done = fuzz(options.generation, options.calls, options.seed, options.work / "fuzz.log")
    return report(done, options.seed)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="for logs; default: %(default)s")
    commands = parser.add_subparsers(required=True)
    add = commands.add_parser("fuzz", help="send what nobody would").add_argument
    add("--generation", type=Path, required=True, help="output folder with a generation")
    add("--calls", type=int, default=100_000, help="default: %(default)s")
    add("--seed", type=int, default=0, help="default: %(default)s")
    commands.choices["fuzz"].set_defaults(run=_fuzz)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
