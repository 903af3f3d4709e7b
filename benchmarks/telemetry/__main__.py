"""What telemetry costs each call: `python -m benchmarks.telemetry`.

Inside the process, on the thread that would be the event loop's, no wire: what is told of a call at
its beginning and its end. Lines of the log go to /dev/null through the thread that writes them;
metrics are those of one process of several. Time is that of the processor, all threads together, so
that others on the machine do not count.
"""

import argparse
import sys
from collections.abc import Sequence
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.telemetry", description=__doc__)
    parser.add_argument(
        "--calls", type=int, default=50_000, help="of each kind; default %(default)s"
    )
    options = parser.parse_args(arguments)
    status: int = resolve_name("benchmarks.telemetry.measure:report")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
