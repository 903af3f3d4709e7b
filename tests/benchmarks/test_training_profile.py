import json
import time
from pathlib import Path

import pytest
import torch

from benchmarks.parts import Part, PartClock
from benchmarks.training_profile.__main__ import main
from graph.worlds import two_communities
from tests.support.runs import QUICK, make_run
from training import foundation
from training.loop import fit

OUTER, INNER = Part("outer", "step"), Part("inner", "step")
WHOLE = Part("whole", "epoch", whole=True)


def test_both_trainings_are_taken_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path, two_communities(), settings=QUICK)
    report = tmp_path / "report.json"
    before = sorted(run.folder.rglob("*"))
    step = torch.optim.AdamW.step
    assert main(["--run", str(run.folder), "--steps", "3", "--json", str(report)]) == 0

    table = capsys.readouterr().out
    told = json.loads(report.read_text())["trainings"]
    assert [training["training"] for training in told] == ["foundation", "adaptation"]
    for training in told:
        assert f"{training['training']}: 3 steps measured" in table
        for part in ("forward", "backward", "optimizer and running mean"):
            assert training["step_ms"][part] > 0
        assert training["epoch_s"]["validation"] > 0
        assert 0 < training["outside_of_step"] < training["outside_of_epoch"] < 1
        assert training["kinds_ms"]["matrix products"] > 0
    sampled, cut = told
    assert sampled["step_ms"]["neighbour sampling"] > 0
    assert cut["step_ms"]["drawing the batch"] > 0
    assert cut["epoch_s"]["embedding the catalogue"] > 0
    assert sorted(run.folder.rglob("*")) == before, "the run is left as it was"
    assert (vars(foundation)["fit"], torch.optim.AdamW.step) == (fit, step), (
        "the code is left as it was"
    )


def test_a_folder_without_a_run_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--run", str(tmp_path)]) == 1
    assert str(tmp_path) in capsys.readouterr().err


def test_time_counts_for_the_innermost_part() -> None:
    clock = PartClock()
    with clock.inside(OUTER), clock.inside(INNER):
        time.sleep(0.05)
    assert clock.seconds[INNER] >= 0.05
    assert clock.seconds[OUTER] < 0.05


def test_a_whole_part_hides_what_is_inside_it() -> None:
    clock = PartClock()
    with clock.inside(WHOLE), clock.inside(INNER):
        time.sleep(0.05)
    assert clock.seconds[WHOLE] >= 0.05
    assert INNER not in clock.seconds
