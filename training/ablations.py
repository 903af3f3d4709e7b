"""Command line: the ablations of the papers, each against the default on the same cases.

python -m training.ablations --data FOLDER --run FOLDER [--ablations a,b,c] [--seeds 0,1,2]
"""

import argparse
import sys
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import get_args

from tables.roles import Rule
from training.options import add_comparison_options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when done, 1 with a message on standard error when it cannot be."""
    options = _parser().parse_args(arguments)
    status: int = resolve_name("training.comparisons:ablate")(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.ablations",
        description="Take one thing away at a time, and say what that changes. Stages made from "
        "the same are made once; ablations.json and ablations.md come last.",
    )
    add_comparison_options(parser, "ablations")
    parser.add_argument(
        "--protocol",
        choices=get_args(Rule),
        help="how to hold out; default: as `python -m training evaluate`",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
