"""People as the user tower sees them: demographics by row, histories gathered from vectors."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graph.cases import Cases
from models.towers import TwoTower
from training.catalogue import Catalogue
from training.histories import HistoryBatch, case_histories

EmbedUsers = Callable[[Cases], NDArray[np.float32]]
"""Cases -> user vectors (C, V)."""
_CHUNK = 512


class UserEmbedder:
    """Gathers a history's vectors and applies the user tower.

    Shapes:
        users: (U, 3) int64, country, age and gender of each person, 0 = unknown.
    """

    def __init__(self, towers: TwoTower, catalogue: Catalogue, users: Tensor) -> None:
        self.towers = towers
        self.catalogue = catalogue
        self.users = users

    def features(self, user: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give country, age and gender of people by row (B,); in training some are hidden."""
        country, age, gender = self.towers.hide(self.users[user]).unbind(dim=1)
        return country, age, gender

    def embed(self, user: Tensor, history: HistoryBatch, vectors: Tensor) -> Tensor:
        """Embed people with their histories.

        Shapes:
            user: (B,) int64. vectors: (B, L, H), of the history's items.
            returns: (B, D).
        """
        out: Tensor = self.towers.user(
            *self.features(user), vectors, self.catalogue.item_type[history.rows], history.weight
        )
        return out

    @torch.no_grad()
    def embed_cases(self, cases: Cases, items: Tensor) -> NDArray[np.float32]:
        """Embed the people of evaluation cases.

        Shapes:
            items: (N, D), the item tower's vectors. returns: (C, D).
        """
        self.towers.eval()
        config = self.towers.config
        vectors = items if config.user_tower == "sequence" else self.catalogue.known
        people = np.empty((len(cases), config.dimensions), dtype=np.float32)
        for start in range(0, len(cases), _CHUNK):
            part = slice(start, start + _CHUNK)
            user = torch.from_numpy(cases.user_row[part])
            history = case_histories(cases, part, config.history_length)
            people[part] = self.embed(user, history, vectors[history.rows]).numpy()
        return people
