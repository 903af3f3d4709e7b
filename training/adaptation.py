"""Train the dynamic adaptation layer: the two towers, over a frozen foundation.

Source: De Nadai et al., arXiv 2403.05185, and Yi et al., RecSys 2019 (logQ), for the pooled user
tower; Kang and McAuley, ICDM 2018, arXiv 1808.09781, for the sequence tower, with the softmax over
the whole catalogue in place of one negative per place (Petrov and Macdonald, RecSys 2023,
arXiv 2308.07192, say why). Beyond them: uniformly drawn negatives mixed with those of the batch,
and a cap on what one person contributes to an epoch.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from graph.cases import Cases
from models.config import TowerConfig
from models.towers import TwoTower
from training.catalogue import Catalogue
from training.drawing import draw_evenly
from training.errors import TrainingError
from training.histories import Sequences
from training.loop import Progress, fit
from training.pooled_steps import PooledSteps
from training.residual_start import choice_directions
from training.sequence_steps import SequenceSteps
from training.tower_settings import AdaptationSettings
from training.users import UserEmbedder

_CHUNK = 2048
_SCORES = 2**26
"""Scores of a chunk of validation cases at most; memory does not grow with the catalogue."""
_VALIDATION_CASES = 4096
"""Cases at most that say when to stop, as many of every item type as there are."""
_SAMPLE = 50_000
"""Items whose vectors say what the principal directions are."""


def train_adaptation(
    config: TowerConfig,
    catalogue: Catalogue,
    users: NDArray[np.int64],
    sequences: Sequences,
    valid: Cases,
    settings: AdaptationSettings,
    folder: Path,
) -> tuple[TwoTower, Progress]:
    """Learn the towers from people's sequences; interrupted, it resumes from `folder`.

    `valid` says when to stop; where it is empty, as when nobody has two strong interactions,
    every epoch is trained.

    Shapes:
        users: (U, 3) int64, country, age and gender of each person, 0 = unknown.

    Raises:
        TrainingError: nothing to learn from, or the loss diverges or stays flat.
    """
    if not sequences.strong.any():
        raise TrainingError("interactions: expected at least one with a strong signal, got none")
    torch.manual_seed(settings.seed)
    towers = TwoTower(config)
    sample = np.random.default_rng([settings.seed, 3]).permutation(len(catalogue))[:_SAMPLE]
    towers.align(catalogue.known[torch.from_numpy(sample)])
    if config.familiar_items and settings.residual_start:
        towers.begin_residuals(
            torch.from_numpy(choice_directions(sequences, len(catalogue), config.dimensions))
            * settings.residual_start
        )
    people = UserEmbedder(towers, catalogue, torch.from_numpy(users))
    make_steps = SequenceSteps if config.user_tower == "sequence" else PooledSteps
    steps = make_steps(towers, catalogue, people, sequences, settings)
    types = catalogue.item_type.numpy()[valid.target]
    rng = np.random.default_rng([settings.seed, 1])
    asked = valid.take(draw_evenly(types, _VALIDATION_CASES, rng))

    def validate() -> float:
        """Score the held-out cases: mean reciprocal rank within the target's type."""
        items = catalogue.embed_all(towers)
        vectors = people.embed_cases(asked, items)
        return mean_reciprocal_rank(vectors, items.numpy(), asked, catalogue.item_type.numpy())

    progress = fit(
        towers,
        steps.losses,
        validate if len(valid) else None,
        settings.loop,
        folder,
        batches=steps.batches,
        title="adaptation",
    )
    return towers, progress


def mean_reciprocal_rank(
    people: NDArray[np.float32],
    items: NDArray[np.float32],
    cases: Cases,
    item_type: NDArray[np.int64],
) -> float:
    """Rank each case's target within its type by dot product and average 1 / rank.

    What is seen is no candidate, as in serving: otherwise vectors that know an item again would
    look worse than those that do not. A target that is barred itself counts 0.
    """
    total = 0.0
    chunk = max(1, min(_CHUNK, _SCORES // max(len(items), 1)))
    for start in range(0, len(cases), chunk):
        part = cases.take(np.arange(start, min(start + chunk, len(cases))))
        scores = people[start : start + chunk] @ items.T
        scores[item_type[None, :] != item_type[part.target][:, None]] = -np.inf
        scores[part.barred_places()] = -np.inf
        own = scores[np.arange(len(part)), part.target]
        rank = (scores >= own[:, None]).sum(axis=1)
        total += float((np.isfinite(own) / rank).sum())
    return total / max(len(cases), 1)
