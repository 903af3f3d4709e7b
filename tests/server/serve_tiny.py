"""Serves a generation of the tests as `python -m server` would, which itself refuses fakes."""

import sys

import server.__main__ as program
from export.generation import Generation, read
from server.settings import Settings


def open_tiny(settings: Settings) -> Generation:
    return read(settings.generation, verify=settings.verify, allow_test_featurizer=True)


if __name__ == "__main__":
    sys.exit(program.main(sys.argv[1:], open_generation=open_tiny))
