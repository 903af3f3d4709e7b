"""Steps of the sequence tower: what they learn from, and that they learn."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.towers import TwoTower
from tests.support.cases import cases_of
from tests.support.sequences import sequences_of
from tests.support.towers import blank_catalogue, tiny_config
from training.adaptation import train_adaptation
from training.histories import Sequences
from training.loop import LoopSettings
from training.residual_start import choice_directions
from training.sequence_steps import SequenceSteps
from training.tower_settings import AdaptationSettings
from training.users import UserEmbedder
from training.windows import part_by_length

ITEMS, PEOPLE, LENGTH = 30, 60, 8
SETTINGS = AdaptationSettings(
    loop=LoopSettings(epochs=40, patience=40, learning_rate=3e-3),
    dimensions=16,
    hidden_dimensions=(16,),
    windows_per_step=8,
    history_length=LENGTH,
    dropout=0.0,
    shown_new=0.0,
)


def walks(rng: np.random.Generator) -> Sequences:
    """Everybody goes round and round from a start of their own: item n is followed by n + 7."""
    starts = rng.integers(0, ITEMS, PEOPLE)
    rows = (starts[:, None] + 7 * np.arange(LENGTH)) % ITEMS
    indptr = np.arange(PEOPLE + 1) * LENGTH
    return sequences_of(indptr, rows.ravel())


def steps_of(sequences: Sequences, settings: AdaptationSettings = SETTINGS) -> SequenceSteps:
    catalogue, towers = blank_catalogue(ITEMS), TwoTower(tiny_config(items=ITEMS, length=LENGTH))
    nobody = torch.zeros(len(sequences.indptr) - 1, 3, dtype=torch.int64)
    people = UserEmbedder(towers, catalogue, nobody)
    return SequenceSteps(towers, catalogue, people, sequences, settings)


@pytest.mark.parametrize("exact_up_to", [0, ITEMS])
@pytest.mark.parametrize(("learning_rate", "learned"), [(3e-3, True), (0.0, False)])
def test_order_that_nothing_but_the_sequence_tells_is_learned(
    tmp_path: Path, exact_up_to: int, learning_rate: float, learned: bool
) -> None:
    rng = np.random.default_rng(0)
    asked = [int(start) for start in rng.integers(0, ITEMS, 50)]
    valid = cases_of([[one] for one in asked], [(one + 7) % ITEMS for one in asked])
    loop = LoopSettings(epochs=40, patience=40, learning_rate=learning_rate)
    settings = AdaptationSettings(
        **{**vars(SETTINGS), "loop": loop, "exact_up_to": exact_up_to, "negatives": 20}
    )
    users = np.zeros((PEOPLE, 3), dtype=np.int64)
    _, progress = train_adaptation(
        tiny_config(items=ITEMS, length=LENGTH),
        blank_catalogue(ITEMS),
        users,
        walks(rng),
        valid,
        settings,
        tmp_path,
    )
    assert progress.best_score is not None
    assert (progress.best_score > 0.9) is learned
    assert (progress.best_score < 0.3) is not learned  # by chance about 0.13


@pytest.mark.parametrize("size", [0.0, 0.5])
def test_residuals_begin_with_what_people_chose(tmp_path: Path, size: float) -> None:
    sequences = walks(np.random.default_rng(0))
    still = LoopSettings(epochs=1, learning_rate=0.0)
    towers, _ = train_adaptation(
        tiny_config(items=ITEMS, length=LENGTH),
        blank_catalogue(ITEMS),
        np.zeros((PEOPLE, 3), dtype=np.int64),
        sequences,
        cases_of([], []),
        replace(SETTINGS, loop=still, residual_start=size),
        tmp_path,
    )
    expected = choice_directions(sequences, ITEMS, towers.config.dimensions) * size
    assert expected.any() == (size > 0)
    np.testing.assert_allclose(towers.residual.detach().numpy(), expected, atol=1e-6)


def test_weak_signals_alone_are_no_examples() -> None:
    sequences = walks(np.random.default_rng(0))
    weak = replace(sequences, strong=np.zeros_like(sequences.strong))
    weak.strong[:LENGTH] = True  # one person's
    losses = [float(loss.detach()) for loss in steps_of(weak).losses(0)]
    assert len(losses) == 1
    assert np.isfinite(losses).all()


def test_same_epoch_gives_the_same_losses() -> None:
    torch.manual_seed(0)
    steps = steps_of(walks(np.random.default_rng(0)))
    one, again, other = (
        [float(loss.detach()) for loss in steps.losses(epoch)] for epoch in (0, 0, 1)
    )
    assert one == again
    assert one != other


def test_items_of_weak_signals_alone_do_not_compete() -> None:
    sequences = walks(np.random.default_rng(0))
    watched = sequences.rows == 3
    steps = steps_of(replace(sequences, strong=~watched))
    assert watched.any()
    assert 3 not in steps.familiar
    assert all(np.isfinite(float(loss.detach())) for loss in steps.losses(0))


def test_items_that_nobody_chose_do_not_compete() -> None:
    sequences = walks(np.random.default_rng(0))
    assert set(steps_of(sequences).familiar.tolist()) == set(sequences.rows.tolist())


@pytest.mark.parametrize("exact_up_to", [0, ITEMS])
def test_parting_windows_by_length_does_not_change_the_loss(
    exact_up_to: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = np.array([2, 2, 3, 2, LENGTH, 2, 1, 3])
    indptr = np.concatenate(([0], np.cumsum(sizes)))
    rng = np.random.default_rng(0)
    rows = rng.integers(0, ITEMS, indptr[-1])
    sequences = sequences_of(indptr, rows)
    torch.manual_seed(0)
    steps = steps_of(sequences, replace(SETTINGS, exact_up_to=exact_up_to, negatives=5))
    parts = len(list(part_by_length(np.stack((indptr[:-1], indptr[1:]), axis=1))))
    (parted,) = [float(loss.detach()) for loss in steps.losses(0)]
    monkeypatch.setattr("training.windows._WORTH_IT", 0.0)
    (whole,) = [float(loss.detach()) for loss in steps.losses(0)]
    assert parts == 4
    assert parted == pytest.approx(whole, rel=1e-5)
