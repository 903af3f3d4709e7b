"""Serves a generation of the tests as `python -m server` would, which itself refuses fakes."""

import sys

from server.__main__ import main
from server.supervision.process import Programs

TINY = Programs(worker="tests.server.work_tiny", trial="tests.server.try_tiny")

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], programs=TINY))
