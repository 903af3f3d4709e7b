"""A worker that takes generations of the tests, and whose event loop hangs at SIGUSR1."""

import signal
import sys
import time
from pathlib import Path

from export.generation import Generation, read
from server.supervision.worker import main


def read_tiny(path: Path, verify: bool) -> Generation:
    return read(path, verify=verify, allow_test_featurizer=True)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, lambda number, frame: time.sleep(3600))
    sys.exit(main(sys.argv[1:], read=read_tiny))
