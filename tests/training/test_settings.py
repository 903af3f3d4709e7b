"""Settings files: every name and type is checked, and the message says where."""

import dataclasses
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.loop import LoopSettings
from training.settings import read_settings


def test_defaults_need_no_file() -> None:
    settings = read_settings(None)
    assert settings.seed == 0
    assert settings.foundation.loop.learning_rate == 1e-3


def test_file_changes_what_it_names_and_the_seed_reaches_the_trainers(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(
        "seed = 7\n[graph]\nmin_users = 3\nwindow_days = 90\n"
        "[foundation.loop]\nepochs = 2\n[adaptation]\ndecays = [0.5, 1]\n"
    )
    settings = read_settings(path)
    assert (settings.graph.min_users, settings.graph.window_days) == (3, 90.0)
    assert settings.foundation.loop.epochs == 2
    assert settings.adaptation.decays == (0.5, 1.0)
    assert (settings.foundation.seed, settings.adaptation.seed) == (7, 7)
    assert read_settings(path, seed=9).adaptation.seed == 9


def test_table_inside_a_table_leaves_what_it_does_not_name(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("[foundation.loop]\nepochs = 20\n[adaptation.loop]\nlearning_rate = 0.01\n")
    before, after = read_settings(None), read_settings(path)
    for settings in (before, after):
        assert settings.foundation.loop.patience != LoopSettings().patience
        assert settings.adaptation.loop.patience != LoopSettings().patience
    assert after.foundation.loop == dataclasses.replace(before.foundation.loop, epochs=20)
    assert after.adaptation.loop == dataclasses.replace(before.adaptation.loop, learning_rate=0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[graf]\n", "unknown 'graf'"),
        ("[graph]\nmin_user = 1\n", "graph: unknown 'min_user'"),
        ("[graph]\nmin_users = 'two'\n", "graph: min_users: expected int, got 'two'"),
        ("[graph]\nmin_users = true\n", "min_users: expected int, got True"),
        ("[graph]\nmin_users = 0\n", "min_users: expected at least 1, got 0"),
        ("[graph]\nwindow_days = 'all'\n", "window_days: expected float or NoneType"),
        ("[foundation]\nloss = 'hinge'\n", "loss: expected one of"),
        ("[adaptation]\ndecays = 0.5\n", "decays: expected a list, got 0.5"),
        ("foundation = 3\n", "foundation: expected a table, got 3"),
        ("[foundation.loop]\nepochs = 0\n", "foundation: loop: epochs: expected at least 1, got 0"),
        ("seed = \n", "expected TOML"),
        ("[foundation]\nseed = 4\n", "foundation: seed: expected no seed of its own"),
        ("[adaptation.loop]\nseed = 4\n", "adaptation: loop: seed: expected no seed of its own"),
        ("seed = -1\n", "seed: expected at least 0, got -1"),
        ("[foundation]\nfanout = 0\n", "foundation: fanout: expected at least 1, got 0"),
        ("[foundation]\nlayers = 0\n", "layers: expected at least 1, got 0"),
        ("[foundation]\nnegatives = 0\n", "negatives: expected at least 1, got 0"),
        ("[foundation]\nmargin = -0.1\n", "margin: expected at least 0, got -0.1"),
        ("[foundation]\ntemperature = 0\n", "temperature: expected a number above 0, got 0.0"),
        ("[foundation]\ntemperature = nan\n", "temperature: expected a number above 0, got nan"),
        ("[foundation]\nvalidation_share = 1\n", "expected a share in [0, 1), got 1.0"),
        ("[foundation]\nneighbourhood_dropout = -0.5\n", "neighbourhood_dropout: expected a share"),
        ("[adaptation]\nbatch_size = 0\n", "adaptation: batch_size: expected at least 1, got 0"),
        ("[adaptation]\nhistory_length = 0\n", "history_length: expected at least 1, got 0"),
        ("[adaptation]\nhidden_dimensions = [64, 0]\n", "expected at least 1, got (64, 0)"),
        ("[adaptation]\nexamples_per_user = 0\n", "examples_per_user: expected at least 1"),
        ("[adaptation]\nheads = 3\n", "heads: expected a divisor of dimensions, 128, got 3"),
        ("[adaptation]\ntemperature = -1\n", "temperature: expected a number above 0, got -1.0"),
        ("[adaptation]\ntemperature = inf\n", "temperature: expected a number above 0, got inf"),
        ("[adaptation]\ndecays = [0.5, 0]\n", "decays: expected numbers in (0, 1], got (0.5, 0.0)"),
    ],
)
def test_mistake_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(TrainingError, match=r"settings\.toml") as error:
        read_settings(path)
    assert message in str(error.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"none\.toml: no such file"):
        read_settings(tmp_path / "none.toml")
