"""What comes after what in people's sequences.

For a choice at place p of somebody's sequence, what came before it is

    x_p = sum over k >= 1 of decay^(k - 1) * weight_{p - k} * onehot(item_{p - k})

so the newest item counts fully and older ones fade. Rows of X are the x_p of all choices, rows of
Y the chosen items; `graph.influence` learns from X'X and X'Y, and X'Y alone counts how often j
came after i, near ones more.

Source: the regression on faded history is SLIT's (Choi et al., WWW 2021, arXiv 2103.16104).
"""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.influence import Moments

FAINTEST = 0.01
"""What has faded below this is not counted any more."""
_BLOCK = 200_000  # choices whose histories are held at a time


def succession_moments(
    indptr: NDArray[np.int64],
    rows: NDArray[np.int64],
    weight: NDArray[np.float32],
    strong: NDArray[np.bool_],
    decay: float,
    num_items: int,
) -> Moments:
    """Sum up what came before each choice, and what was chosen then.

    Shapes:
        indptr: (U + 1,); rows, weight, strong: (E,), everybody's items, oldest first. Only the
            strong ones are choices; the others too are what came before.

    Raises:
        ValueError: `decay` is not between 0 and 1.
    """
    if not 0 < decay < 1:
        raise ValueError(f"decay: expected a number between 0 and 1, got {decay}")
    reach = 1 + int(np.log(FAINTEST) / np.log(decay))
    place = np.arange(len(rows)) - np.repeat(indptr[:-1], np.diff(indptr))
    chosen = np.flatnonzero(strong & (place > 0))
    among = sp.csr_array((num_items, num_items), dtype=np.float32)
    of = sp.csr_array((num_items, num_items), dtype=np.float32)
    for start in range(0, len(chosen), _BLOCK):
        part = chosen[start : start + _BLOCK]
        before = _before(part, place[part], rows, weight, decay, reach, num_items)
        ones = np.ones(len(part), dtype=np.float32)
        what = sp.csr_array((ones, (np.arange(len(part)), rows[part])), (len(part), num_items))
        turned = sp.csr_array(before.T)
        among = sp.csr_array(among + turned @ before)
        of = sp.csr_array(of + turned @ what)
    return Moments(among, of)


def _before(
    chosen: NDArray[np.int64],
    place: NDArray[np.int64],
    rows: NDArray[np.int64],
    weight: NDArray[np.float32],
    decay: float,
    reach: int,
    num_items: int,
) -> sp.csr_array:
    """Build X for some choices. Shapes: chosen, place (B,), returns (B, N)."""
    choice, back = np.nonzero(place[:, None] > np.arange(reach)[None, :])  # (n,), back from 0
    there = chosen[choice] - 1 - back
    faded = (weight[there] * np.float32(decay) ** back).astype(np.float32)
    matrix = sp.csr_array((faded, (choice, rows[there])), shape=(len(chosen), num_items))
    matrix.sum_duplicates()
    return matrix
