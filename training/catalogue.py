"""The catalogue as the towers see it: one row of inputs per item."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from features.encode import ItemEncoder, UserEncoder
from models.towers import TwoTower
from training.records import item_records, user_records

_CHUNK = 8192


@dataclass(frozen=True)
class Catalogue:
    """Inputs of the item tower, frozen while the towers learn.

    Shapes:
        text: (N, F) unit rows, text vectors and years. known: (N, G) unit rows, the HGNN vectors,
            or without a graph the same as text but centred. unchosen: (N, G), known had nobody
            chosen the item yet.
        item_type, language: (N,) int64; genres: (N, number of genres).
    """

    text: Tensor
    known: Tensor
    unchosen: Tensor
    item_type: Tensor
    language: Tensor
    genres: Tensor

    def __len__(self) -> int:
        return len(self.text)

    def embed(self, towers: TwoTower, rows: Tensor) -> Tensor:
        """Apply the item tower to `rows` (B,) int64 and return (B, D).

        In training some are shown as new: without residual, and as if nobody had chosen them; and
        of some the language is hidden.
        """
        new = towers.draw_new(len(rows))
        out: Tensor = towers.item(
            self.text[rows],
            torch.where(new, self.unchosen[rows], self.known[rows]),
            self.item_type[rows],
            towers.hide(self.language[rows, None]).squeeze(1),
            self.genres[rows],
            towers.residual_of(rows).masked_fill(new, 0),
        )
        return out

    def embed_all(self, towers: TwoTower) -> Tensor:
        """Apply the item tower to the whole catalogue and return (N, D)."""
        return self.embed_rows(towers, torch.arange(len(self)))

    @torch.no_grad()
    def embed_rows(self, towers: TwoTower, rows: Tensor) -> Tensor:
        """Apply the item tower to many items (B,), a chunk at a time, and return (B, D)."""
        towers.eval()
        return torch.cat([self.embed(towers, part) for part in torch.split(rows, _CHUNK)])


def build_catalogue(
    items: pl.DataFrame,
    encoder: ItemEncoder,
    text: NDArray[np.float32],
    known: NDArray[np.float32],
    unchosen: NDArray[np.float32] | None = None,
) -> Catalogue:
    """Encode the items; towers that learn need `unchosen` too, where it is not the same.

    Shapes:
        text: (N, F). known, unchosen: (N, G).
    """
    arrays = encoder.encode(item_records(items))
    return Catalogue(
        text=torch.from_numpy(text),
        known=torch.from_numpy(known),
        unchosen=torch.from_numpy(known if unchosen is None else unchosen),
        item_type=torch.from_numpy(arrays.item_type),
        language=torch.from_numpy(arrays.language),
        genres=torch.from_numpy(arrays.genres),
    )


def encode_users(users: pl.DataFrame, encoder: UserEncoder) -> NDArray[np.int64]:
    """Encode country, age and gender of the users table as (U, 3), 0 = unknown."""
    arrays = encoder.encode(user_records(users))
    return np.stack((arrays.country, arrays.age, arrays.gender), axis=1)
