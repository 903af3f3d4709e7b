"""Command line of the data contract: see whether a folder can be used, before anything is trained.

python -m tables check FOLDER
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

_ENDS = """
exit status: 0 the folder can be used, though rows may be set aside; 1 it cannot, or --strict and
rows would be set aside; 2 the command is not understood
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when the folder can be used, 1 with the reason when it cannot."""
    options = _parser().parse_args(arguments)
    # Not before the arguments are read: polars takes longer to load than help may.
    from tables.report import report_on  # noqa: PLC0415

    return report_on(options.folder, strict=options.strict)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tables", description="The data contract (docs/data.md)."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    text = "read and check a data folder, and say what would be set aside and why"
    check = commands.add_parser("check", help=text, description=text, epilog=_ENDS)
    check.add_argument("folder", type=Path, help="folder of the data set")
    check.add_argument("--strict", action="store_true", help="accept no bad row")
    return parser


if __name__ == "__main__":
    sys.exit(main())
