"""Train the dynamic adaptation layer: the two towers, over a frozen foundation.

Source: De Nadai et al., arXiv 2403.05185, and Yi et al., RecSys 2019 (logQ). Beyond them:
uniformly drawn negatives mixed with those of the batch, and a cap on what one person
contributes to an epoch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graph.cases import Cases
from models.config import TowerConfig
from models.losses import sampled_softmax
from models.towers import TwoTower, UserTower
from training.bounds import check_above_zero, check_least
from training.catalogue import Catalogue
from training.errors import TrainingError
from training.histories import HistoryBatch, Sequences, case_histories
from training.loop import LoopSettings, Progress, fit

_CHUNK = 2048
_VALIDATION_CASES = 4096
_SAMPLE = 50_000
"""Items whose vectors say what the principal directions are."""


@dataclass(frozen=True, kw_only=True)
class AdaptationSettings:
    """How the towers are trained; every field is a hyperparameter."""

    loop: LoopSettings = field(default_factory=lambda: LoopSettings(epochs=8, patience=2))
    hidden_dimensions: tuple[int, ...] = (512, 256)
    """Widths of the hidden layers of both towers."""
    dimensions: int = 128
    """Width of the common space."""
    decays: tuple[float, ...] = (0.5, 0.87, 1.0)
    """Pools of the history; see `TowerConfig.decays`."""
    pool_by_type: bool = True
    """One pool per item type (2T-HGNN) instead of one over all types (GFM)."""
    history_length: int = 50
    """Newest items that the user tower sees."""
    batch_size: int = 512
    """Targets per step."""
    negatives: int = 1024
    """Catalogue items drawn per step as negatives, shared by the batch."""
    temperature: float = 0.07
    """Of the softmax; smaller looks harder at the nearest negatives."""
    examples_per_user: int = 20
    """Targets per person and epoch, drawn afresh; a cap keeps busy people from dominating."""
    seed: int = 0
    """Of everything drawn: weights, targets, negatives."""

    def __post_init__(self) -> None:
        whole = ("hidden_dimensions", "dimensions", "history_length", "batch_size", "negatives")
        check_least(self, (*whole, "examples_per_user"), 1)
        check_least(self, ("seed",), 0)
        check_above_zero(self, ("temperature",))
        if not self.decays or not all(0 < decay <= 1 for decay in self.decays):
            raise ValueError(f"decays: expected numbers in (0, 1], got {self.decays}")


class UserEmbedder:
    """Gathers a history's vectors and applies the user tower."""

    def __init__(self, tower: UserTower, catalogue: Catalogue, users: Tensor) -> None:
        self.tower = tower
        self.vectors = catalogue.history_vectors
        self.item_type = catalogue.item_type
        self.users = users

    def embed(self, user: Tensor, history: HistoryBatch) -> Tensor:
        """Embed people by row (B,) with their histories and return (B, D)."""
        country, age, gender = self.users[user].unbind(dim=1)
        out: Tensor = self.tower(
            country,
            age,
            gender,
            self.vectors[history.rows],
            self.item_type[history.rows],
            history.weight,
        )
        return out

    @torch.no_grad()
    def embed_cases(self, cases: Cases) -> NDArray[np.float32]:
        """Embed the people of evaluation cases and return (C, D)."""
        self.tower.eval()
        config = self.tower.config
        people = np.empty((len(cases), config.dimensions), dtype=np.float32)
        for start in range(0, len(cases), _CHUNK):
            part = slice(start, start + _CHUNK)
            user = torch.from_numpy(cases.user_row[part])
            history = case_histories(cases, part, config.history_length)
            people[part] = self.embed(user, history).numpy()
        return people


class _Steps:
    """The batches of the adaptation's epochs and its validation."""

    def __init__(
        self,
        towers: TwoTower,
        catalogue: Catalogue,
        users: NDArray[np.int64],
        sequences: Sequences,
        valid: Cases,
        settings: AdaptationSettings,
    ) -> None:
        self.towers = towers
        self.catalogue = catalogue
        self.sequences = sequences
        self.settings = settings
        self.embedder = UserEmbedder(towers.user, catalogue, torch.from_numpy(users))
        self.user = sequences.user
        self.targets = np.flatnonzero(sequences.strong)
        chosen = np.random.default_rng([settings.seed, 1]).permutation(len(valid))
        self.valid = valid.take(np.sort(chosen[:_VALIDATION_CASES]))

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        per_user = np.bincount(self.user[self.targets])
        examples = int(np.minimum(per_user, self.settings.examples_per_user).sum())
        return -(-examples // self.settings.batch_size)

    def losses(self, epoch: int) -> Iterator[Tensor]:
        """Yield the loss of each batch of an epoch."""
        rng = np.random.default_rng([self.settings.seed, 2, epoch])
        places = self._draw_targets(rng)
        count = np.bincount(self.sequences.rows[places], minlength=len(self.catalogue))
        rate = count / len(places)
        for start in range(0, len(places), self.settings.batch_size):
            yield self._loss(places[start : start + self.settings.batch_size], rate, rng)

    def validate(self) -> float:
        """Score the held-out cases: mean reciprocal rank within the target's type."""
        items = self.catalogue.embed_all(self.towers.item)
        people = self.embedder.embed_cases(self.valid)
        return mean_reciprocal_rank(people, items, self.valid, self.catalogue.item_type.numpy())

    def _draw_targets(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw each person's targets of this epoch, in random order."""
        user = self.user[self.targets]
        order = np.lexsort((rng.random(len(user)), user))
        first = np.searchsorted(user[order], user[order])
        kept = order[np.arange(len(order)) - first < self.settings.examples_per_user]
        return rng.permutation(self.targets[kept])

    def _loss(
        self, places: NDArray[np.int64], rate: NDArray[np.float64], rng: np.random.Generator
    ) -> Tensor:
        settings, size = self.settings, len(self.catalogue)
        user = torch.from_numpy(self.user[places])
        history = self.sequences.before(places, self.towers.config.history_length)
        people = self.embedder.embed(user, history)

        target = self.sequences.rows[places]
        drawn = rng.integers(0, size, settings.negatives)
        rows, place = np.unique(np.concatenate((target, drawn)), return_inverse=True)
        items = self.catalogue.embed(self.towers.item, torch.from_numpy(rows))
        items = items[torch.from_numpy(place)]
        return sampled_softmax(
            people,
            items[: len(target)],
            torch.from_numpy(target),
            items[len(target) :],
            torch.from_numpy(drawn),
            torch.from_numpy(np.log(rate[target] * len(target)).astype(np.float32)),
            torch.full((len(drawn),), float(np.log(len(drawn) / size))),
            temperature=settings.temperature,
        )


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
    towers.align(catalogue.history_vectors[torch.from_numpy(sample)])
    steps = _Steps(towers, catalogue, users, sequences, valid, settings)
    progress = fit(
        towers,
        steps.losses,
        steps.validate if len(valid) else None,
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

    Items of the history are no candidates, as in serving: otherwise vectors that know an item
    again would look worse than those that do not. A target in its own history counts 0.
    """
    total = 0.0
    for start in range(0, len(cases), _CHUNK):
        part = cases.take(np.arange(start, min(start + _CHUNK, len(cases))))
        scores = people[start : start + _CHUNK] @ items.T
        scores[item_type[None, :] != item_type[part.target][:, None]] = -np.inf
        case = np.repeat(np.arange(len(part)), np.diff(part.history_indptr))
        scores[case, part.history_rows] = -np.inf
        own = scores[np.arange(len(part)), part.target]
        rank = (scores >= own[:, None]).sum(axis=1)
        total += float((np.isfinite(own) / rank).sum())
    return total / max(len(cases), 1)
