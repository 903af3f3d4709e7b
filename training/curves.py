"""Command line: quality on items nobody has chosen yet, and against the age of the foundation.

python -m training.curves unseen-items --data FOLDER --run FOLDER [--rows a,b,c] [--seeds 0,1,2]
python -m training.curves foundation-age --data FOLDER --run FOLDER [--windows 16] [--ages 0,1,2]
"""

import argparse
import sys
from collections.abc import Sequence
from pkgutil import resolve_name

from training.options import AGES, WINDOWS, add_comparison_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when done, 1 with a message on standard error when it cannot be."""
    options = _parser().parse_args(arguments)
    status: int = resolve_name("training.comparisons:draw_curve")(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.curves", description="The two curves that the papers lack."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("unseen-items", "ways to prepare for items that nobody has chosen yet"),
        ("foundation-age", "a foundation made with what was known some windows of time ago"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        add_comparison_options(command, "rows")
    command.add_argument(
        "--windows",
        type=_count,
        default=WINDOWS,
        help="equal shares of the interactions by time, the last held out; default: %(default)s",
    )
    command.add_argument(
        "--ages",
        type=_counts,
        default=AGES,
        help=f"in windows; default: {','.join(map(str, AGES))}",
    )
    return parser


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = -1
    if count < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 on, got {text!r}")
    return count


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(_count(each) for each in text.split(","))
    if len(set(counts)) < len(counts):
        raise argparse.ArgumentTypeError(f"expected distinct numbers, got {text!r}")
    return counts


if __name__ == "__main__":
    sys.exit(main())
