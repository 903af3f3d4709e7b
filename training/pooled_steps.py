"""The batches from which the towers learn where the user tower reads means of a history."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.losses import sampled_softmax
from models.towers import TwoTower
from training.catalogue import Catalogue
from training.histories import Sequences
from training.seeding import seed_epoch
from training.tower_settings import AdaptationSettings
from training.users import UserEmbedder


class PooledSteps:
    """Each step: some targets, the histories before them, and mixed negatives.

    Drawn negatives are items that somebody chose, as in `SequenceSteps`: the residual of any other
    would only learn to be absent.
    """

    def __init__(
        self,
        towers: TwoTower,
        catalogue: Catalogue,
        people: UserEmbedder,
        sequences: Sequences,
        settings: AdaptationSettings,
    ) -> None:
        self.towers = towers
        self.catalogue = catalogue
        self.people = people
        self.sequences = sequences
        self.settings = settings
        self.user = sequences.user
        self.familiar = np.unique(sequences.rows[sequences.strong])

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        per_user = np.bincount(self.user[self.sequences.strong])
        examples = int(np.minimum(per_user, self.settings.examples_per_user).sum())
        return -(-examples // self.settings.batch_size)

    def losses(self, epoch: int) -> Iterator[Tensor]:
        """Yield the loss of each batch of an epoch."""
        seed_epoch(self.settings.seed, epoch)
        rng = np.random.default_rng([self.settings.seed, 2, epoch])
        sequences = self.sequences.redrawn(np.random.default_rng([self.settings.seed, 8, epoch]))
        places = self._draw_targets(sequences, rng)
        count = np.bincount(sequences.rows[places], minlength=len(self.catalogue))
        rate = count / len(places)
        for start in range(0, len(places), self.settings.batch_size):
            part = places[start : start + self.settings.batch_size]
            yield self._loss(sequences, part, rate, rng)

    def _draw_targets(self, sequences: Sequences, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw each person's targets of this epoch, in random order."""
        targets = np.flatnonzero(sequences.strong)
        user = self.user[targets]
        order = np.lexsort((rng.random(len(user)), user))
        first = np.searchsorted(user[order], user[order])
        kept = order[np.arange(len(order)) - first < self.settings.examples_per_user]
        return rng.permutation(targets[kept])

    def _loss(
        self,
        sequences: Sequences,
        places: NDArray[np.int64],
        rate: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> Tensor:
        settings, size = self.settings, len(self.familiar)
        user = torch.from_numpy(self.user[places])
        history = sequences.before(places, self.towers.config.history_length)
        people = self.people.embed(user, history, self.catalogue.known[history.rows])

        target = sequences.rows[places]
        drawn = rng.choice(self.familiar, settings.negatives)
        rows, place = np.unique(np.concatenate((target, drawn)), return_inverse=True)
        items = self.catalogue.embed(self.towers, torch.from_numpy(rows))
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
