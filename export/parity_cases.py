"""Calls on which torch and onnxruntime have to agree: the sizes and the emptiness that serve."""

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from export.parity import Case
from models.config import HGNNConfig, TowerConfig

UNTRACED_BATCH = 17
UNTRACED_LENGTH = 5
SIZES = (1, UNTRACED_BATCH)


def hgnn_cases(config: HGNNConfig, *, seed: int = 0) -> list[Case]:
    """Draw calls with one item and many, with neighbours, without, and with masked ones."""
    rng = Generator().manual_seed(seed)
    cases = []
    for batch in SIZES:
        for width, share, name in (
            (UNTRACED_LENGTH, 0.5, "some neighbours"),
            (1, 1.0, "one neighbour each"),
            (UNTRACED_LENGTH, 0.0, "all neighbours masked"),
            (0, 0.0, "no neighbours"),
        ):
            lists = (batch, config.num_slots, width)
            inputs = (
                _unit(batch, config.text_dimensions, rng=rng),
                _below(len(config.item_types), batch, rng=rng),
                tuple(_unit(*lists, size, rng=rng) for size in config.widths[:-1]),
                torch.rand(lists, generator=rng) < share,
            )
            cases.append(Case(f"batch {batch}, {name}", inputs))
    return cases


def user_tower_cases(config: TowerConfig, *, seed: int = 0) -> list[Case]:
    """Draw calls with one person and many, with a history, without, and with padding only."""
    rng = Generator().manual_seed(seed)
    cases = []
    for batch in SIZES:
        for length, share, name in (
            (UNTRACED_LENGTH, 0.7, "a padded history"),
            (1, 1.0, "one item heard"),
            (60, 1.0, "a long history"),
            (UNTRACED_LENGTH, 0.0, "padding only"),
            (0, 0.0, "no history"),
        ):
            heard = torch.rand(batch, length, generator=rng) < share
            inputs = (
                _below(config.countries, batch, rng=rng),
                _below(config.ages, batch, rng=rng),
                _below(config.genders, batch, rng=rng),
                _unit(batch, length, config.history_dimensions, rng=rng),
                _below(len(config.item_types), batch, length, rng=rng),
                torch.rand(batch, length, generator=rng) * heard,
            )
            cases.append(Case(f"batch {batch}, {name}", inputs))
    return cases


def item_tower_cases(config: TowerConfig, *, seed: int = 0) -> list[Case]:
    """Draw calls with one item and many."""
    rng = Generator().manual_seed(seed)
    return [
        Case(
            f"batch {batch}",
            (
                _unit(batch, config.text_dimensions, rng=rng),
                _unit(batch, config.known_dimensions, rng=rng),
                _below(len(config.item_types), batch, rng=rng),
                _below(config.languages, batch, rng=rng),
                torch.rand(batch, config.genres, generator=rng),
                torch.randn(batch, config.dimensions, generator=rng),
            ),
        )
        for batch in SIZES
    ]


def scorer_cases(scale: Tensor, *, seed: int = 0) -> list[Case]:
    """Draw calls with one candidate and many; `scale` (F,) is how far the columns stray."""
    rng = Generator().manual_seed(seed)
    return [
        Case(f"{count} candidates", (torch.randn(count, len(scale), generator=rng) * scale,))
        for count in SIZES
    ]


def _unit(*shape: int, rng: Generator) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=rng), dim=-1)


def _below(end: int, *shape: int, rng: Generator) -> Tensor:
    return torch.randint(end, shape, generator=rng)
