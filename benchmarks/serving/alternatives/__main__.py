"""Ways to serve that were chosen between, side by side.

    python -m benchmarks.serving.alternatives --generation FOLDER

uvloop is measured where it is installed (`make bench-venv`). Loads are of h2load, 32 calls at once
over 16 connections, so that both of two processes get some, and by turns: each figure is the median
of some rounds through all of a table.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serving.alternatives", description=__doc__
    )
    parser.add_argument("--generation", type=Path, required=True)
    parser.add_argument("--calls", type=int, default=4_000, help="default: %(default)s")
    options = parser.parse_args(arguments)
    status: int = resolve_name("benchmarks.serving.alternatives.measure:report")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
