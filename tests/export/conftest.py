"""A small run of the real training, and its networks exported once for all tests."""

from dataclasses import replace
from pathlib import Path

import pytest

from export.networks import Networks, export_networks
from export.run import RunParts, read_run
from graph.worlds import two_communities
from tests.support.once import made_once, run_folder
from tests.support.runs import SMALL, make_run
from training.loop import LoopSettings

EPOCHS = LoopSettings(epochs=40, patience=40, learning_rate=3e-3)
LONGER = replace(
    SMALL,
    foundation=replace(SMALL.foundation, loop=EPOCHS),
    adaptation=replace(SMALL.adaptation, loop=EPOCHS),
)
"""Until the towers tell the two communities apart."""


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, the same for all test processes; copy it before changing anything."""

    def make(folder: Path) -> None:
        make_run(folder, two_communities(), holding="nothing", settings=LONGER)

    return made_once(run_folder(tmp_path_factory) / "export", make) / "run"


@pytest.fixture(scope="session")
def parts(run: Path) -> RunParts:
    return read_run(run)


@pytest.fixture(scope="session")
def networks(parts: RunParts) -> Networks:
    return export_networks(parts, lambda line: None)
