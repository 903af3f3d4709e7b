"""What the foundation would say of items had nobody chosen them yet."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from graph.unchosen import as_unchosen
from models.hgnn import HGNN
from training.foundation import FoundationSettings
from training.founding import embed_founded
from training.material import Material

_PARTS = 5
"""An item is described as new in a catalogue where four in five others are not."""


def draw_parts(people: NDArray[Any], parts: int, seed: int) -> list[NDArray[np.bool_]]:
    """Draw the items that somebody chose into parts of one size. Shapes: people, returns (N,)."""
    if not parts:
        return []
    drawn = np.random.default_rng([seed, 6]).permutation(np.flatnonzero(people > 0))
    return [np.isin(np.arange(len(people)), part) for part in np.array_split(drawn, parts)]


def known_of_unchosen(
    hgnn: HGNN, material: Material, items: NDArray[np.bool_], settings: FoundationSettings
) -> NDArray[np.float32]:
    """Embed some items as if nobody had chosen them, and all others as they are.

    Shapes:
        items: (N,), n of them. returns: (n, H), HGNN vectors of these.
    """
    graph = as_unchosen(material.graph, items)
    return embed_founded(hgnn, graph, material.text, settings)[-1][items]


def all_unchosen(
    hgnn: HGNN, material: Material, z: NDArray[np.float32], settings: FoundationSettings
) -> NDArray[np.float32]:
    """Embed every item as if nobody had chosen it, a part of the items at a time.

    Shapes:
        z: (N, H), the items as they are. returns: (N, H).
    """
    unchosen = z.copy()
    for part in draw_parts(material.graph.people, _PARTS, settings.seed):
        unchosen[part] = known_of_unchosen(hgnn, material, part, settings)
    return unchosen
