"""Command line: publish a run, look at what was published, go back to an earlier one.

python -m export --run FOLDER --out FOLDER [--metrics FILE]
python -m export verify GENERATION
python -m export list OUT
python -m export use NAME --out OUT
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

from retrieval.defaults import APPROXIMATE_FROM, LISTED

PUBLISH = "publish"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or (given[0].startswith("-") and given[0] not in ("-h", "--help")):
        given.insert(0, PUBLISH)
    options = _parser().parse_args(given)
    status: int = resolve_name("export.commands:work")(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export",
        description="Turn a run of `python -m training` into a generation, the folder that "
        "`python -m server` serves. Without a command: publish. Exit status: 0 done, 1 it cannot "
        "be done, 2 wrong arguments, 3 the disk is full, 130 interrupted; nothing is published but "
        "by 0.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    text = "write a run's generation to OUT/generations and point OUT/current to it"
    command = commands.add_parser(PUBLISH, help=text, description=text)
    add = command.add_argument
    add("--run", type=Path, required=True, help="folder that `python -m training all` filled")
    add("--out", type=Path, required=True, help="folder for generations; made if need be")
    add(
        "--approximate-from",
        type=int,
        default=APPROXIMATE_FROM,
        metavar="ITEMS",
        help="catalogue size from which search is approximate; default: %(default)s",
    )
    add(
        "--listed",
        type=int,
        default=LISTED,
        metavar="ITEMS",
        help="items kept ready for each user, 0 for none; default: %(default)s",
    )
    add(
        "--metrics",
        type=Path,
        metavar="FILE",
        help="metrics.json that `python -m training evaluate` wrote for the same data and "
        "settings; what it says of the served model goes into the manifest",
    )
    add("--aside", action="store_true", help="leave OUT/current as it is")
    text = "read every file of a generation and compare it with its manifest"
    command = commands.add_parser("verify", help=text, description=text)
    command.add_argument("generation", type=Path, help="a generation, or a folder with `current`")
    _add_allowance(command)
    text = "list the generations of a folder; * marks the current one"
    command = commands.add_parser("list", help=text, description=text)
    command.add_argument("out", type=Path, help="folder that was given as --out")
    text = "make an earlier generation current again"
    command = commands.add_parser("use", help=text, description=text)
    command.add_argument("name", help="its name, as `list` shows it")
    command.add_argument("--out", type=Path, required=True, help="folder of the generations")
    _add_allowance(command)
    return parser


def _add_allowance(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--allow-test-featurizer",
        action="store_true",
        help="accept text vectors of a fake, which no server does",
    )


if __name__ == "__main__":
    sys.exit(main())
