"""Command line of the offline rooms: build a run stage by stage, or evaluate.

python -m training all --data FOLDER --run FOLDER
python -m training adaptation --data FOLDER --run FOLDER      (on the foundation as it is)
python -m training evaluate --data FOLDER --run FOLDER        (with --seeds 0,1,2 under each)
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from pkgutil import resolve_name
from typing import get_args

from tables.roles import Rule
from training.options import MODELS, add_text_options, several_seeds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = _parser().parse_args(arguments)
    status: int = resolve_name("training.commands:work")(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="Data set -> text vectors -> graph -> foundation -> adaptation -> fusion. "
        "Each stage is a folder of the run and is kept when nothing it was made from changed. "
        "Exit status: 0 done, 1 it cannot be done, 2 wrong arguments, 3 the disk is full, 130 "
        "interrupted; after 3 and 130 the same command goes on.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("all", "every stage, on all of the data: what `python -m export` publishes"),
        ("foundation", "the stages up to the HGNN"),
        ("adaptation", "the two towers and the fusion anew, on the foundation as it is"),
        ("evaluate", "hold a part out, make what the models need of the rest, compare them"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        _add_options(command)
        if name != "adaptation":
            add_text_options(command)
        if name == "evaluate":
            command.add_argument(
                "--protocol",
                choices=get_args(Rule),
                help="how to hold out; default: the data set's own split, else as its "
                "dataset.toml says, else leave-last-out",
            )
            command.add_argument(
                "--models",
                help=f"comma-separated, of: {','.join(MODELS)}; default: all whose interpreter "
                "is there",
            )
            command.add_argument(
                "--seeds",
                type=several_seeds,
                help="evaluate under each of several, comma-separated, and tell how far the "
                "figures move",
            )
    return parser


def _add_options(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("--data", type=Path, required=True, help="folder of the data set (see the data contract)")
    add("--run", type=Path, required=True, help="folder for the stages")
    add("--settings", type=Path, help="TOML file with hyperparameters (see training/settings.py)")
    add("--seed", type=int, help="of everything drawn; default 0")
    add("--strict", action="store_true", help="refuse bad rows instead of setting them aside")
    add("--as-of", type=_moment, help="ISO 8601 moment; nothing later is read")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected an ISO 8601 moment such as 2026-05-31T18:00, got {text!r}"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
