"""Item vectors -> a map of some of them in two dimensions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

MOST = 3000
"""Items on a map; time grows somewhat faster than their number."""
LEAST = 10
"""With fewer items there is nothing to map."""
_PERPLEXITY = 30.0


_NAMED = 3
"""Most items of each type that are named."""
_KNOWN = 12
"""Only among that many most popular ones of each type."""
_ROOM = np.array([0.2, 0.035])
"""Share of the map's width and height that a name takes."""


@dataclass(frozen=True)
class ItemMap:
    """Where the drawn items lie; near each other means alike, distances far apart mean little.

    Shapes:
        rows: (n,), ascending item rows. points: (n, 2).
    """

    rows: NDArray[np.int64]
    points: NDArray[np.float32]


def map_items(vectors: NDArray[np.float32], *, seed: int, most: int = MOST) -> ItemMap | None:
    """Draw at most `most` items, each with the same chance, and lay them out.

    None if there are too few. t-SNE by the cosine, begun from the two principal components; the
    seed decides the draw.

    Shapes:
        vectors: (N, V), rows of unit norm.

    Source: van der Maaten and Hinton, JMLR 9 (2008).
    """
    drawn = np.random.default_rng(seed).permutation(len(vectors))[:most]
    if len(drawn) < LEAST:
        return None
    rows = np.sort(drawn)
    layout = TSNE(
        metric="cosine",
        init="pca",
        perplexity=min(_PERPLEXITY, (len(rows) - 1) / 3),
        random_state=seed,
        n_jobs=1,
    )
    points: NDArray[np.float32] = layout.fit_transform(vectors[rows])
    return ItemMap(rows, points)


def pick_landmarks(
    drawn: ItemMap, item_type: NDArray[np.int64], popularity: NDArray[np.int64]
) -> list[int]:
    """Pick the most popular drawn items of each type whose names do not lie on each other.

    Shapes:
        item_type, popularity: (N,). returns: positions among the drawn items.
    """
    place = drawn.points / np.maximum(np.ptp(drawn.points, axis=0), 1e-9)
    own, liked = item_type[drawn.rows], popularity[drawn.rows]
    picked: list[int] = []
    for number in np.unique(own):
        named = 0
        of_type = np.flatnonzero(own == number)
        for one in of_type[np.argsort(-liked[of_type], kind="stable")[:_KNOWN]]:
            near = np.abs(place[picked] - place[one]) < _ROOM
            if named < _NAMED and not near.all(axis=1).any():
                picked.append(int(one))
                named += 1
    return picked
