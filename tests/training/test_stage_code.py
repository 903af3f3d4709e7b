"""Which edits make a stage anew: those of the code that it runs, and not others."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from graph.source import ROOT, importable, read_modules
from graph.stage import StageResult
from graph.worlds import two_communities, write_world
from tests.support.runs import QUICK, make_stages
from training.library_peers import LIBRARY_SCRIPT
from training.pipeline import Inputs, Run
from training.tripartite import make_tripartite

STAGES = ("dataset", "text", "graph", "foundation", "adaptation", "fusion", "tripartite")
WITHIN = {
    "dataset": ("tables.folder", "tables.check", "features.schema"),
    "text": ("features.text_cache", "features.vllm", "features.schema", "training.records"),
    "graph": ("graph.build", "graph.co_interaction", "graph.split", "training.view"),
    "foundation": (
        "graph.sample",
        "models.hgnn_layer",
        "models.losses",
        "training.founding",
        "training.loop",
        "training.material",
    ),
    "adaptation": (
        "features.encode",
        "graph.lending",
        "models.sequence_tower",
        "models.towers",
        "training.catalogue",
        "training.holdings",
        "training.loop",
        "training.sequence_steps",
        "training.tower_settings",
        "training.view",
    ),
    "fusion": (
        "graph.influence",
        "graph.succession",
        "models.scorer",
        "models.towers",
        "retrieval.evidence",
        "retrieval.pairwise",
        "training.fusion",
        "training.pairs",
    ),
    "tripartite": ("graph.with_people", "graph.sample", "training.foundation", "training.loop"),
}
_LATER = ("models.scorer", "retrieval.evidence", "training.fusion", "training.pairs")
BEYOND = {
    "dataset": ("graph", "models", "training.loop"),
    "text": ("graph", "models", "training.loop"),
    "graph": ("models", "training.loop", "training.foundation", *_LATER),
    "foundation": ("models.towers", "training.adaptation", "graph.influence", *_LATER),
    "adaptation": ("models.hgnn", "graph.sample", "training.foundation", "graph.build", *_LATER),
    "fusion": ("training.adaptation", "training.foundation", "training.loop"),
    "tripartite": ("models.towers", "training.adaptation", *_LATER),
}
NOWHERE = (
    "export",
    "server",
    "demo",
    "benchmarks",
    "nearfield",
    "training.__main__",
    "training.evaluate",
    "training.page",
    "training.peers",
    "training.pipeline",
    "training.ranking",
    "training.report",
    "training.settings",
    "training.tuning",
    "training.variants",
)
CASES = [(stage, name) for stage in STAGES for name in (*BEYOND[stage], *NOWHERE)]


def code_of(stage: str) -> tuple[str, ...]:
    return importable((f"training.stages.{stage}",))


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_what_decides_its_result(stage: str) -> None:
    assert set(WITHIN[stage]) <= set(code_of(stage))


@pytest.mark.parametrize(("stage", "other"), CASES)
def test_a_stage_stays_when_what_it_does_not_run_is_edited(stage: str, other: str) -> None:
    assert other in read_modules() or not other.count(".")
    below = [name for name in code_of(stage) if name == other or name.startswith(f"{other}.")]
    assert below == []


def test_peers_are_tuned_anew_for_their_own_code_alone() -> None:
    code = importable(("training.peers", LIBRARY_SCRIPT))
    assert {"training.lightgcn", "training.library_models", "training.tuning"} <= set(code)
    assert "features.supervise" in code
    assert not {"training.fusion", "training.adaptation", "training.pipeline"} & set(code)
    assert (ROOT / LIBRARY_SCRIPT.replace(".", "/")).with_suffix(".py").is_file()


IMPORT_EACH = """
import importlib, json, sys
packages, *stages = sys.argv[1:]
loaded = {}
for stage in stages:
    importlib.import_module(stage)
    ours = [name for name in sys.modules if name.partition(".")[0] in packages.split(",")]
    loaded[stage] = ours
    for name in ours:
        del sys.modules[name]
print(json.dumps(loaded))
"""


def test_all_that_stages_load_of_ours_was_found() -> None:
    """Import them for real, each as if it were the first."""
    packages = ",".join(name for name in read_modules() if "." not in name)
    stages = [f"training.stages.{stage}" for stage in STAGES]
    ask = [sys.executable, "-c", IMPORT_EACH, packages, *stages]
    told = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = json.loads(told.stdout)
    for stage in stages:
        assert {stage, "training.stages"} <= set(loaded[stage])
        assert set(loaded[stage]) <= set(importable((stage,)))
    assert "models.towers" in loaded["training.stages.adaptation"]
    assert "models.towers" not in loaded["training.stages.foundation"]


class Telling(Run):
    """Notes which code each stage names."""

    def __init__(self, folder: Path, inputs: Inputs) -> None:
        super().__init__(folder, inputs)
        self.told: dict[str, tuple[str, ...]] = {}

    def make(
        self,
        stage: str,
        made_from: Mapping[str, Any],
        work: Callable[[Path], dict[str, Any]],
        *,
        code: Sequence[str],
    ) -> StageResult:
        self.told[stage] = tuple(code)
        return super().make(stage, made_from, work, code=code)


def test_every_stage_names_the_module_that_does_its_work(tmp_path: Path) -> None:
    write_world(two_communities(people=20, items_per_type=8), tmp_path / "data")
    inputs = Inputs(data=tmp_path / "data", holding="test", settings=QUICK)
    run = Telling(tmp_path / "run", inputs)
    make_stages(run)
    make_tripartite(run)
    run.make_plain_two_tower()
    expected = {stage: (f"training.stages.{stage}",) for stage in STAGES}
    assert run.told == {**expected, "two_tower": expected["adaptation"]}
