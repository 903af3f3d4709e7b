"""A trial that takes generations of the tests."""

import sys

from server.supervision.trial import main
from tests.server.work_tiny import read_tiny

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], read=read_tiny))
