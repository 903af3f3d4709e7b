"""What the fields of a request cost, and what diversity trades: `python -m benchmarks.requests`.

Recommendations inside the process, one at a time, one thread, no wire, for known people of a
generation; processor time. Below it, for a row of trade-offs, how alike the ten hits are and how
well they score.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.requests", description=__doc__)
    add = parser.add_argument
    add("--generation", type=Path, required=True, help="a generation, or the folder of some")
    add("--people", type=int, default=200, help="default %(default)s")
    options = parser.parse_args(arguments)
    status: int = resolve_name("benchmarks.requests.measure:report")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
