"""Compile retrieval's kernels ahead, where an image is built: `python -m server.precompile FOLDER`.

Exit status: 0 when done, 1 for a generation that cannot be read, 2 for wrong options.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the folder's name, and compile."""
    parser = argparse.ArgumentParser(
        prog="python -m server.precompile",
        description="Compile the kernels of retrieval into NUMBA_CACHE_DIR.",
    )
    parser.add_argument("generation", type=Path, help="a small generation, or one of the tests'")
    options = parser.parse_args(arguments)
    status: int = resolve_name("server.kernels:compile_by")(options.generation)
    return status


if __name__ == "__main__":
    sys.exit(main())
