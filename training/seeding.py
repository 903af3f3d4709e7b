"""Seeds of what torch draws, the same on any machine."""

import numpy as np
import torch

_STREAM = 5
"""Tells these draws from the generators of numpy that are seeded by the same numbers."""


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed what torch drops in an epoch by the run's seed and the epoch's number."""
    mixed = np.random.SeedSequence([seed, _STREAM, epoch]).generate_state(1, np.uint64)[0]
    torch.manual_seed(int(mixed >> np.uint64(1)))
