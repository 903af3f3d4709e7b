"""Where the time of training goes: steps of both trainings of a run, by what they do."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training_profile", description=__doc__
    )
    add = parser.add_argument
    add("--run", type=Path, required=True, help="a run that has a foundation")
    add("--settings", type=Path, help="TOML file with the hyperparameters to train by")
    add("--steps", type=int, default=40, help="of each training; default: %(default)s")
    add("--json", type=Path, help="file for the same figures")
    options = parser.parse_args(arguments)
    if options.steps < 1:
        parser.error("--steps: expected at least 1")
    status: int = resolve_name("benchmarks.training_profile.measure:profile")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
