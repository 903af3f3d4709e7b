"""Where the residuals of familiar items begin: what people's choices say at a glance.

The rows are the items' places along the strongest directions of the matrix of people and items,

    (D_u + m_u)^(-1/2) X (D_i + m_i)^(-1/2) = U S V',       r = V S without its first column,

X being 1 where somebody chose something, D the numbers of ones of its rows and columns, and m the
means of these. The first direction says how popular an item is and nothing else. The products
r_i . r_j are the cosine of items by people, busy people counting less, without popularity and with
its noise left out. The means draw what few have chosen towards 0; without them each item that has
people of its own alone, of whom there are many in sparse data, would take a direction for itself.

Source: PureSVD (Cremonesi et al., RecSys 2010), by the scaling of spectral co-clustering (Dhillon,
KDD 2001), regularised (Qin and Rohe, NeurIPS 2013). As a beginning of towers ours.
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from training.histories import Sequences

_NOTHING = 1e-6
"""Less than this is rounding, where the strongest direction has a length of about 1."""


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
    by_user, by_item = (chosen.sum(axis=axis) for axis in (1, 0))
    over_user, over_item = (1 / np.sqrt(each + _mean(each)) for each in (by_user, by_item))
    scaled = sp.csr_array(sp.diags_array(over_user) @ chosen @ sp.diags_array(over_item))
    # The guess that it begins with is drawn; the same for every run.
    _, size, turned = randomized_svd(scaled, min(width + 1, *shape), random_state=0)
    told = size[1:] > _NOTHING
    placed = np.zeros((items, width), dtype=np.float32)
    placed[:, : told.sum()] = (size[1:, None] * turned[1:])[told].T
    placed[by_item == 0] = 0
    square = float((placed**2).sum()) / np.count_nonzero(by_item)
    return placed / np.float32(max(square, _NOTHING**2) ** 0.5)


def _mean(counts: NDArray[np.float64]) -> float:
    """Take the mean of those that are not 0."""
    return float(counts.sum() / np.count_nonzero(counts))
