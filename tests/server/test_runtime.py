import os

import numpy as np

from benchmarks.endurance.memory import memory
from export.generation import Generation
from server.runtime import Models, UserInputs

PEOPLE, EVENTS = 4000, 64


def compute(models: Models, generation: Generation) -> None:
    """Embed a large batch, which needs megabytes between one layer and the next."""
    width = generation.history_vectors.shape[1]
    models.embed_users(
        UserInputs(
            features=np.zeros((PEOPLE, 3), dtype=np.int64),
            history=np.ones((PEOPLE, EVENTS, width), dtype=np.float32),
            history_type=np.zeros((PEOPLE, EVENTS), dtype=np.int64),
            history_weight=np.ones((PEOPLE, EVENTS), dtype=np.float32),
        )
    )


def test_networks_of_all_generations_compute_in_one_arena(generation: Generation) -> None:
    opened = []
    own = [memory(os.getpid()).own]
    for _ in range(5):
        opened.append(Models(generation, choice="cpu", threads=1))
        compute(opened[-1], generation)
        own.append(memory(os.getpid()).own)
    first, others = own[1] - own[0], own[-1] - own[1]
    assert first > 4_000_000
    assert others < first
