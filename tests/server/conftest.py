from pathlib import Path

import pytest

from export.generation import Generation, read
from server.engine import Engine
from server.limits import Limits
from tests.support.generation import TinyWorld, tiny_world, write_tiny_generation


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_generation(tmp_path_factory.mktemp("generations"))


@pytest.fixture(scope="session")
def generation(folder: Path) -> Generation:
    return read(folder, allow_test_featurizer=True)


@pytest.fixture(scope="session")
def world() -> TinyWorld:
    return tiny_world()


@pytest.fixture(scope="session")
def engine(generation: Generation) -> Engine:
    return Engine(generation, Limits(), choice="cpu", threads=1)
