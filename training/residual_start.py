"""Where the residuals of familiar items begin: what people's choices say at a glance.

The rows are the items' places along the strongest directions of the matrix of people and items,

    D_u^(-1/2) X D_i^(-1/2) = U S V',       r = V S - q (q' V S),

X being 1 where somebody chose something and D the numbers of ones of its rows and columns. q, the
square roots of the items' numbers at unit length, is the strongest direction of all, which says how
popular an item is and nothing else. The products r_i . r_j are the cosine of items by people,
busy people counting less, without popularity and with its noise left out.

Source: PureSVD (Cremonesi et al., RecSys 2010), by the scaling of spectral co-clustering (Dhillon,
KDD 2001). As a beginning of towers ours.
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from training.histories import Sequences

_NOTHING = 1e-6
"""Less than this is rounding, where the strongest direction has length 1."""


def choice_directions(sequences: Sequences, items: int, width: int) -> NDArray[np.float32]:
    """Place each item along the directions; the mean square length of chosen ones is 1.

    What nobody chose lies at 0. Where there are fewer directions than `width`, the last columns are
    0.

    Shapes:
        returns: (items, width).
    """
    strong = sequences.strong
    shape = (len(sequences.indptr) - 1, items)
    where = (sequences.user[strong], sequences.rows[strong])
    chosen = sp.csr_array((np.ones(len(where[0])), where), shape)
    chosen.sum_duplicates()
    chosen.data[:] = 1
    by_user, by_item = (np.sqrt(chosen.sum(axis=axis)) for axis in (1, 0))
    over_user, over_item = (1 / np.maximum(each, 1) for each in (by_user, by_item))
    scaled = sp.csr_array(sp.diags_array(over_user) @ chosen @ sp.diags_array(over_item))
    # The guess that it begins with is drawn; the same for every run.
    _, size, turned = randomized_svd(scaled, min(width + 1, *shape), random_state=0)
    popular = by_item / np.linalg.norm(by_item)
    along = (size[:, None] * turned).T
    along -= popular[:, None] * (popular @ along)
    along[by_item == 0] = 0
    length = np.linalg.norm(along, axis=0)
    strongest = np.argsort(-length, kind="stable")[:width]
    strongest = strongest[length[strongest] > _NOTHING]
    placed = np.zeros((items, width), dtype=np.float32)
    placed[:, : len(strongest)] = along[:, strongest]
    square = float((placed**2).sum()) / np.count_nonzero(by_item)
    return placed / np.float32(max(square, _NOTHING**2) ** 0.5)
