"""How long a recommendation takes inside the process: `python -m benchmarks.answers`.

One call at a time, one thread, no wire: the user tower on a full history, then whole
recommendations for known people, and in them the second channel. Then how many of the items
recommended are those that a ranking of the whole catalogue would give, which is what the
offline evaluation does.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.answers", description=__doc__)
    parser.add_argument(
        "--generation", type=Path, required=True, help="a generation, or a folder with `current`"
    )
    parser.add_argument("--calls", type=int, default=1000, help="of each kind; default %(default)s")
    options = parser.parse_args(arguments)
    status: int = resolve_name("benchmarks.answers.measure:report")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
