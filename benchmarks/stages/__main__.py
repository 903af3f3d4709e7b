"""Time and peak memory of each offline stage, each in a process of its own.

    python -m benchmarks.stages --data var/movielens --out var/stages

A vLLM server is started for the text stage and not counted in its memory; the time it takes
to start is a line of its own. The folder `--out` must not hold a run, or there is nothing to
measure. Prints a table and writes stages.json into `--out`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stages", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data set")
    parser.add_argument("--out", type=Path, required=True, help="folder to build in")
    options = parser.parse_args(arguments)
    status: int = resolve_name("benchmarks.stages.measure:measure")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
