"""What the foundation would say of items had nobody chosen them yet."""

import numpy as np
from numpy.typing import NDArray

from graph.unchosen import as_unchosen, draw_parts
from models.hgnn import HGNN
from training.foundation import FoundationSettings
from training.founding import embed_founded
from training.material import Material

_PARTS = 5
"""An item is described as new in a catalogue where four in five others are not."""


def known_of_unchosen(
    hgnn: HGNN, material: Material, items: NDArray[np.bool_], settings: FoundationSettings
) -> NDArray[np.float32]:
    """Embed some items as if nobody had chosen them, and all others as they are.

    Shapes:
        items: (N,), n of them. returns: (n, H), HGNN vectors of these.
    """
    graph = as_unchosen(material.graph, items)
    return embed_founded(hgnn, graph, material.content, settings)[-1][items]


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
