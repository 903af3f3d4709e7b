"""What the server bears: `python -m benchmarks.endurance fuzz | swaps | soak`.

Exit status: 0 where it held, 1 where it did not.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

WORK = Path("var/endurance")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one of the commands."""
    options = _parser().parse_args(arguments)
    status: int = resolve_name("benchmarks.endurance.run:run")(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.endurance", description=__doc__)
    parser.add_argument("--work", type=Path, default=WORK, help="for logs; default: %(default)s")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("fuzz", help="send what nobody would").add_argument
    add("--generation", type=Path, required=True, help="output folder; made up where empty")
    add("--calls", type=int, default=100_000, help="default: %(default)s")
    add("--seed", type=int, default=0, help="default: %(default)s")
    add = commands.add_parser("swaps", help="change generations under load").add_argument
    add("--generations", type=Path, required=True, help="output folder; made up where empty")
    add("--swaps", type=int, default=20, help="default: %(default)s")
    add("--per-s", type=float, help="calls per second; default: half of what is answered")
    add = commands.add_parser("soak", help="everything at once for a while").add_argument
    add("--generations", type=Path, required=True, help="output folder; made up where empty")
    add("--minutes", type=float, default=30.0, help="default: %(default)s")
    return parser


if __name__ == "__main__":
    sys.exit(main())
