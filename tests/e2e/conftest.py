"""One generation for all tests of the whole path."""

from pathlib import Path

import pytest

from graph.worlds import write_world
from tests.e2e.support import SETTINGS, WORLD, build


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory, vllm_url: str) -> Path:
    """Build a generation of the world; it lies in `current`."""
    made = tmp_path_factory.mktemp("whole")
    write_world(WORLD, made / "data")
    (made / "settings.toml").write_text(SETTINGS)
    build(made, vllm_url)
    return made
