"""A worker that takes generations of the tests."""

import sys
from pathlib import Path

from export.generation import Generation, read
from server.supervision.worker import main


def read_tiny(path: Path, verify: bool) -> Generation:
    return read(path, verify=verify, allow_test_featurizer=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], read=read_tiny))
