"""What the foundation would say of items had nobody chosen them yet."""

import numpy as np
from numpy.typing import NDArray

from graph.borrowing import lend
from graph.unchosen import as_unchosen
from models.hgnn_checkpoint import load_hgnn
from training.inference import embed_catalogue
from training.material import Material


def draw_parts(people: NDArray[np.float32], parts: int, seed: int) -> list[NDArray[np.bool_]]:
    """Draw the items that somebody chose into parts of one size. Shapes: people, returns (N,)."""
    if not parts:
        return []
    drawn = np.random.default_rng([seed, 6]).permutation(np.flatnonzero(people > 0))
    return [np.isin(np.arange(len(people)), part) for part in np.array_split(drawn, parts)]


def known_of_unchosen(
    material: Material, items: NDArray[np.bool_], lenders: int
) -> NDArray[np.float32]:
    """Embed some items as if nobody had chosen them, and all others as they are.

    `lenders` is how many items lend neighbours to one without any, as when the foundation embedded
    the catalogue.

    Shapes:
        items: (N,), n of them. returns: (n, H), HGNN vectors of these.
    """
    hgnn = load_hgnn(material.folder / "foundation")
    graph = lend(as_unchosen(material.graph, items), material.text, lenders)
    return embed_catalogue(hgnn, graph, material.text)[-1][items]
