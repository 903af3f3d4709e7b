"""The batches from which the towers learn where the user tower reads a history as a sequence."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.losses import catalogue_softmax, drawn_softmax
from models.sequence_tower import SequenceUserTower
from models.towers import TwoTower
from training.catalogue import Catalogue
from training.histories import Sequences
from training.seeding import seed_epoch
from training.tower_settings import AdaptationSettings
from training.users import UserEmbedder
from training.windows import WindowBatch, cut_windows, draw_windows, part_by_length


class SequenceSteps:
    """Each step: some windows, every place of which is compared with what came next.

    Only items that somebody chose compete: any other would be a negative in every step and an
    answer in none, and only learn to be absent.
    """

    def __init__(
        self,
        towers: TwoTower,
        catalogue: Catalogue,
        people: UserEmbedder,
        sequences: Sequences,
        settings: AdaptationSettings,
    ) -> None:
        assert isinstance(towers.user, SequenceUserTower)
        self.towers = towers
        self.user_tower = towers.user
        self.catalogue = catalogue
        self.people = people
        self.sequences = sequences
        self.settings = settings
        self.familiar = np.unique(sequences.rows[sequences.strong])

    @property
    def batches(self) -> int:
        """Batches of an epoch, about: the cuts are drawn afresh."""
        windows = self._draw(0)
        return -(-len(windows) // self.settings.windows_per_step)

    def losses(self, epoch: int) -> Iterator[Tensor]:
        """Yield the loss of each batch of an epoch."""
        seed_epoch(self.settings.seed, epoch)
        rng = np.random.default_rng([self.settings.seed, 4, epoch])
        windows = self._draw(epoch)
        sequences = self.sequences.redrawn(np.random.default_rng([self.settings.seed, 8, epoch]))
        for start in range(0, len(windows), self.settings.windows_per_step):
            part = windows[start : start + self.settings.windows_per_step]
            length = self.towers.config.history_length
            batches = [cut_windows(sequences, each, length) for each in part_by_length(part)]
            if any(batch.is_target.any() for batch in batches):  # weak ones alone are no examples
                yield self._loss(batches, rng)

    def _draw(self, epoch: int) -> NDArray[np.int64]:
        """Draw the windows of an epoch."""
        rng = np.random.default_rng([self.settings.seed, 2, epoch])
        return draw_windows(
            self.sequences,
            self.towers.config.history_length,
            self.settings.windows_per_person,
            rng,
        )

    def _loss(self, batches: list[WindowBatch], rng: np.random.Generator) -> Tensor:
        """Take one loss over all the windows of a step; a batch holds those of about one length."""
        settings = self.settings
        target = torch.cat([batch.target[batch.is_target] for batch in batches])
        heard = [batch.history.rows.flatten() for batch in batches]
        exact = len(self.familiar) <= settings.exact_up_to
        rivals = self.familiar
        if not exact:
            rivals = rng.choice(self.familiar, settings.negatives)
        needed = torch.cat((torch.from_numpy(rivals), target, *heard))
        rows, place = torch.unique(needed, return_inverse=True)
        items = self.catalogue.embed(self.towers, rows)
        at_rivals, at_target, *at_heard = place.split(
            [len(rivals), len(target), *(len(each) for each in heard)]
        )
        people = torch.cat(
            [
                self._people(batch, items[at.view(batch.history.rows.shape)])
                for batch, at in zip(batches, at_heard, strict=True)
            ]
        )
        if exact:
            chosen = torch.searchsorted(torch.from_numpy(self.familiar), target)
            return catalogue_softmax(
                people, items[at_rivals], chosen, temperature=settings.temperature
            )
        return drawn_softmax(
            people,
            items[at_target],
            items[at_rivals],
            at_target[:, None] == at_rivals[None, :],
            len(self.familiar),
            temperature=settings.temperature,
        )

    def _people(self, batch: WindowBatch, history: Tensor) -> Tensor:
        """Embed people as of each of T places. Shapes: history (B, L, D), returns (T, D)."""
        places = self.user_tower.embed_every_place(
            *self.people.features(batch.user),
            history,
            self.catalogue.item_type[batch.history.rows],
            batch.history.weight,
        )
        return places[batch.is_target]
