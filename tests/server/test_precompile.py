"""Kernels that were compiled ahead are those that a server then looks for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.kernels import DONE, WRONG_GENERATION
from server.precompile import main

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "generation_2"
SERVE = """
import asyncio, sys
from pathlib import Path
from export.generation import read
from nearfield.v1 import recommendation_pb2
from server.engine import Engine
from server.limits import Limits
from tests.server.support import running

async def ask(folder):
    engine = Engine(read(folder, allow_test_featurizer=True), Limits(), choice="cpu", threads=1)
    async with running(engine) as client:
        for events in (0, 1, 5, 12):
            for types in ((), ("podcast",)):
                request = recommendation_pb2.RecommendRequest(k=3)
                request.user.user_id = "user-1"
                for place in range(events):
                    request.user.history.add(item_id=f"podcast-{place:02d}")
                request.filter.item_types.extend(types)
                answer = await client.recommendation.Recommend(request, timeout=60)
                assert len(answer.recommendation.hits) == 3

asyncio.run(ask(Path(sys.argv[1])))
"""


def run(cache: Path, *command: str) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr


def kept(cache: Path) -> dict[str, int]:
    """List compiled kernels and when they were written."""
    files = (path for path in cache.rglob("*") if path.is_file())
    return {path.name: path.stat().st_mtime_ns for path in files}


def test_server_finds_every_kernel_compiled(folder: Path, tmp_path: Path) -> None:
    run(tmp_path, "-m", "server.precompile", str(GOLDEN))
    before = kept(tmp_path)
    names = {name.partition("-")[0] for name in before}
    assert names >= {"kernels._add_up", "kernels._weigh", "kernels._kinship", "kernels._look_up"}
    run(tmp_path, "-c", SERVE, str(folder))
    assert kept(tmp_path) == before


def test_one_folder_has_to_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([])
    assert "usage: python -m server.precompile" in capsys.readouterr().err


def test_folder_without_a_generation_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / "nothing")]) == WRONG_GENERATION
    assert "nothing" in capsys.readouterr().err


def test_generation_of_the_tests_will_do() -> None:
    assert main([str(GOLDEN)]) == DONE
