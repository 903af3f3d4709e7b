"""Small configurations of towers, and a catalogue of which nothing is known that could help."""

from dataclasses import replace
from typing import Any

import torch

from models.config import TowerConfig
from training.catalogue import Catalogue

SMALL_TOWERS = TowerConfig(
    item_types=("book", "film"),
    countries=3,
    ages=4,
    genders=3,
    languages=2,
    genres=5,
    text_dimensions=6,
    known_dimensions=4,
    category_dimensions=2,
    hidden_dimensions=(8, 8),
    dimensions=8,
)

WIDTH = 6

TINY = TowerConfig(
    item_types=("book",),
    countries=1,
    ages=1,
    genders=1,
    languages=1,
    genres=0,
    text_dimensions=WIDTH,
    known_dimensions=WIDTH,
    hidden_dimensions=(16,),
    dimensions=16,
    dropout=0.0,
    shown_new=0.0,
    hidden=0.0,
)


def tiny_config(*, items: int, length: int, **changes: Any) -> TowerConfig:  # noqa: ANN401 (any field)
    """Size small towers for some items and histories of up to `length`."""
    return replace(TINY, familiar_items=items, history_length=length, **changes)


def blank_catalogue(items: int) -> Catalogue:
    """Draw vectors that mean nothing."""
    rng = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(items, WIDTH, generator=rng), dim=1)
    none = torch.zeros(items, dtype=torch.int64)
    return Catalogue(vectors, vectors, vectors, none, none, torch.zeros(items, 0))
