"""What is dropped in an epoch depends on the seed and the epoch alone, so that resuming is safe."""

from typing import Literal

import numpy as np
import pytest
import torch

from models.towers import TwoTower
from tests.support.sequences import sequences_of
from tests.support.towers import blank_catalogue, tiny_config
from training.pooled_steps import PooledSteps
from training.seeding import seed_epoch
from training.sequence_steps import SequenceSteps
from training.tower_settings import AdaptationSettings
from training.users import UserEmbedder

ITEMS, PEOPLE, LENGTH = 20, 12, 6


def test_seeds_tell_epochs_and_runs_apart() -> None:
    drawn = []
    for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0)):
        seed_epoch(seed, epoch)
        drawn.append(torch.rand(4).tolist())
    assert drawn[0] == drawn[3]
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]


@pytest.mark.parametrize(("tower", "steps"), [("sequence", SequenceSteps), ("pooled", PooledSteps)])
def test_losses_of_an_epoch_do_not_depend_on_what_was_drawn_before(
    tower: Literal["sequence", "pooled"], steps: type[SequenceSteps] | type[PooledSteps]
) -> None:
    torch.manual_seed(0)
    config = tiny_config(items=ITEMS, length=LENGTH, user_tower=tower, shown_new=0.5)
    towers = TwoTower(config)
    torch.nn.init.normal_(towers.residual)
    catalogue = blank_catalogue(ITEMS)
    rows = np.random.default_rng(0).integers(0, ITEMS, PEOPLE * LENGTH)
    sequences = sequences_of(np.arange(PEOPLE + 1) * LENGTH, rows)
    people = UserEmbedder(towers, catalogue, torch.zeros(PEOPLE, 3, dtype=torch.int64))
    learning = steps(towers, catalogue, people, sequences, AdaptationSettings())
    towers.train()
    first = [float(loss.detach()) for loss in learning.losses(3)]
    torch.rand(5)
    again = [float(loss.detach()) for loss in learning.losses(3)]
    other = [float(loss.detach()) for loss in learning.losses(4)]
    assert first == again
    assert first != other
