"""Where the time of one Recommend goes: `python -m benchmarks.serving.path --generation FOLDER`.

Each step of the server's own code by itself, one thread, processor time; then what a whole call
costs the processor of a worker under load, and of a server whose methods do nothing. The rest of a
call is gRPC and the event loop.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.path", description=__doc__)
    parser.add_argument("--generation", type=Path, required=True)
    parser.add_argument("--calls", type=int, default=10_000, help="default: %(default)s")
    options = parser.parse_args(arguments)
    status: int = resolve_name("benchmarks.serving.path.measure:report")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
