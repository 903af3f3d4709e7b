"""How many rows a network had better compute at once: `python -m benchmarks.at_once`.

256 people with histories as long as the user tower reads, 256 with histories of any length up to
that, and 256 new items with related ones, each computed in parts of so many, one thread; the median
over some rounds. Each number has a process of its own, and "kept" is what that holds more at the
end, onnxruntime's arena in it. Serving's number is `server.runtime.ROWS_AT_ONCE`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.at_once", description=__doc__)
    parser.add_argument(
        "--generation", type=Path, required=True, help="a generation, or a folder with `current`"
    )
    parser.add_argument("--rounds", type=int, default=20, help="default: %(default)s")
    options = parser.parse_args(arguments)
    status: int = resolve_name("benchmarks.at_once.measure:report")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
