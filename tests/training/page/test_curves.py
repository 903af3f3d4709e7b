"""Logs of training as they are read back."""

from pathlib import Path

import numpy as np

from training.page.curves import STAGES, read_curves, trained_stages

LOG = "epoch,loss,score,seconds\n0,nan,0.10,0.00\n1,3.5,0.30,1.0\n2,3.0,0.30,1.0\n3,2.5,0.20,1.0\n"


def write_log(run: Path, stage: str, text: str = LOG) -> None:
    (run / stage).mkdir(parents=True)
    (run / stage / "log.csv").write_text(text)


def test_the_best_epoch_is_the_first_of_the_best_score(tmp_path: Path) -> None:
    write_log(tmp_path, "foundation")
    (curve,) = read_curves(tmp_path, STAGES[:1])
    assert curve.best == 1
    assert curve.epoch.tolist() == [0, 1, 2, 3]
    assert np.isnan(curve.loss[0])
    assert curve.loss[1:].tolist() == [3.5, 3.0, 2.5]


def test_without_validation_the_last_epoch_was_kept(tmp_path: Path) -> None:
    write_log(tmp_path, "foundation", "epoch,loss,score,seconds\n0,nan,,0.0\n1,3.5,,1.0\n")
    (curve,) = read_curves(tmp_path, STAGES[:1])
    assert curve.best == 1
    assert np.isnan(curve.score).all()


def test_only_stages_that_the_models_need_are_told_of(tmp_path: Path) -> None:
    for stage in ("foundation", "adaptation", "two_tower"):
        write_log(tmp_path, stage)

    def names(*models: str) -> list[str]:
        return [stage.folder for stage in trained_stages(tmp_path, models)]

    assert names("popularity", "text-knn") == []
    assert names("hgnn-knn") == ["foundation"]
    assert names("popularity", "nearfield") == ["foundation", "adaptation"]
    assert names("2t-hgnn", "2t") == ["foundation", "adaptation", "two_tower"]
    assert trained_stages(tmp_path / "none", ["nearfield"]) == ()
