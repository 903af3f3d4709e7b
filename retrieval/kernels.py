"""The inner loops of the second channel, compiled: what `retrieval.evidence` says, no columns.

The loops are plain Python over arrays, compiled by numba when they are first called and kept where
`retrieval.compiled` finds a place. They hold no lock of Python's, so threads run side by
side. Nothing here allocates in proportion to the catalogue: who calls lends a `place`, an array
with a number for each row that is -1 everywhere, and gets it back like that.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrieval import evidence
from retrieval.compiled import compiled, tell_places

KINDS = len(evidence.EDGE_KINDS)
DECAYS = len(evidence.DECAYS)
"""Constants, so that loops over them are unrolled."""

_compiled = compiled(nogil=True, fastmath={"contract", "reassoc", "nsz", "arcp"})
"""Sums may be taken in another order, as a matrix product would; NaN and infinity stay what they
are."""


def _say(weights: NDArray[np.float32], strength: np.float32, sums: NDArray[np.float32]) -> None:
    """Add what one edge says. Shapes: weights (K,), sums (K,), added to."""
    for kind in range(KINDS):
        sums[kind] += weights[kind] * strength


say: Any = _compiled(_say)


def load() -> None:
    """Load what numba imports when a kernel is first called: half of itself."""
    tell_places()
    say(np.zeros(KINDS, np.float32), np.float32(0), np.zeros(KINDS, np.float32))


def _add_up(
    indptr: NDArray[np.int64],
    targets: NDArray[np.int32],
    weights: NDArray[np.float32],
    history: NDArray[np.int64],
    strength: NDArray[np.float32],
    heard: NDArray[np.int64],
    place: NDArray[np.int32],
    rows: NDArray[np.int64],
    steady: NDArray[np.float32],
    fading: NDArray[np.float32],
) -> tuple[int, int]:
    """Sum up what a history says for each item that it reaches, as `PairTable.reach`.

    Under the last decay, which fades slowest, every entry of the history is heard; under the others
    only the newest few. What these reach comes first in `rows`, so that `fading` is short.

    Shapes:
        indptr, targets, weights: a `PairTable`. history: (L,) rows, newest first.
        strength: (L, D), weight times decay of each place. heard: (D,), places that count under
            each decay, never decreasing.
        place: (N,), -1 everywhere; left with the number of each reached row in `rows`.
        rows: room for as many rows as can be reached. steady: room for as many, (n, K).
            fading: room for as many as the newest heard[D - 2] reach, (m, D - 1, K). All are
            written to.
        returns: how many rows were reached, and how many of them have sums in `fading`.
    """
    count = 0
    recent = 0
    for p in range(len(history)):
        for entry in range(indptr[history[p]], indptr[history[p] + 1]):
            row = targets[entry]
            number = place[row]
            if number < 0:
                number = np.int32(count)
                place[row] = number
                rows[count] = row
                steady[count, :] = 0
                if p < heard[DECAYS - 2]:
                    fading[count, :, :] = 0
                count += 1
            say(weights[entry], strength[p, DECAYS - 1], steady[number])
            for decay in range(DECAYS - 1):
                if p < heard[decay]:
                    say(weights[entry], strength[p, decay], fading[number, decay])
        if p < heard[DECAYS - 2]:
            recent = count
    return count, recent


def _loudest(
    sums: NDArray[np.float32], asked: NDArray[np.bool_], largest: NDArray[np.float32]
) -> None:
    """Find the largest sum of each kind among the rows that count.

    Shapes:
        sums: (n, K). asked: (n,), or longer. largest: (K,), raised.
    """
    for number in range(len(sums)):
        if asked[number]:
            for kind in range(KINDS):
                largest[kind] = max(largest[kind], abs(sums[number, kind]))


def _weigh(
    steady: NDArray[np.float32],
    fading: NDArray[np.float32],
    new: NDArray[np.bool_],
    weight: NDArray[np.float32],
    weight_of_new: NDArray[np.float32],
    scores: NDArray[np.float32],
) -> None:
    """Weigh the sums of each row.

    Shapes:
        steady: (n, K). fading: (m, D - 1, K), of the first m rows. weight, weight_of_new: (D, K).
        new: (n,), whether nobody chose the item.
        scores: (n,), written to.
    """
    for number in range(len(steady)):
        chosen = weight_of_new if new[number] else weight
        total = np.float32(0)
        for kind in range(KINDS):
            total += chosen[DECAYS - 1, kind] * steady[number, kind]
        scores[number] = total
    for number in range(len(fading)):
        chosen = weight_of_new if new[number] else weight
        total = scores[number]
        for decay in range(DECAYS - 1):
            for kind in range(KINDS):
                total += chosen[decay, kind] * fading[number, decay, kind]
        scores[number] = total


def _dot(first: NDArray[np.float32], second: NDArray[np.float32]) -> np.float32:
    """Multiply two vectors. Shapes: both (n,)."""
    product = np.float32(0)
    for column in range(len(first)):
        product += first[column] * second[column]
    return product


dot: Any = _compiled(_dot)


def _kinship(
    rows: NDArray[np.int64],
    known: NDArray[np.float32],
    mean: NDArray[np.float32],
    graph_width: int,
    parts: NDArray[np.float32],
) -> None:
    """Compare the HGNN vectors of candidates with the mean of a history, where they stand.

    Shapes:
        rows: (n,). known: (N, H), of which the first `graph_width` columns are the graph part.
        mean: (H,). parts: (n, 2), written to: kinship, text kinship.
    """
    for number in range(len(rows)):
        vector = known[rows[number]]
        parts[number, 0] = dot(mean[:graph_width], vector[:graph_width])
        parts[number, 1] = dot(mean[graph_width:], vector[graph_width:])


def _leave(place: NDArray[np.int32], rows: NDArray[np.int64]) -> None:
    """Give a `place` back: -1 for some rows. Shapes: (N,), (n,)."""
    for number in range(len(rows)):
        place[rows[number]] = -1


def _enter(place: NDArray[np.int32], rows: NDArray[np.int64]) -> None:
    """Write the number of each row into `place`. Shapes: (N,), (n,)."""
    for number in range(len(rows)):
        place[rows[number]] = number


def _look_up(place: NDArray[np.int32], rows: NDArray[np.int64], found: NDArray[np.int64]) -> None:
    """Read the numbers of some rows, -1 where they have none. Shapes: (N,), (n,), (n,)."""
    for number in range(len(rows)):
        found[number] = place[rows[number]]


add_up: Any = _compiled(_add_up)
loudest: Any = _compiled(_loudest)
weigh: Any = _compiled(_weigh)
kinship: Any = _compiled(_kinship)
leave: Any = _compiled(_leave)
enter: Any = _compiled(_enter)
look_up: Any = _compiled(_look_up)
