"""The server beside its limits, on one machine, in one run: `make bench`.

Prints a table, and writes it as JSON with what the machine is. Generations are made up once and
kept in `--out`; the largest takes some minutes to build. The part new-items starts a vLLM.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

PARTS = ("calls", "sdk", "catalogues", "new-items", "overload")


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    add = parser.add_argument
    add("--out", type=Path, default=Path("var/bench"), help="default: %(default)s")
    sizes = [10_000, 250_000, 1_000_000]
    add("--items", type=int, nargs="+", default=sizes, help="default: %(default)s")
    add("--parts", choices=PARTS, nargs="+", default=PARTS, help="default: all")
    add("--calls", type=int, default=10_000, help="of each load; default: %(default)s")
    options = parser.parse_args(arguments)
    status: int = resolve_name("benchmarks.serving.run:run")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
