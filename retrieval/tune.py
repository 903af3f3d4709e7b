"""Find how widely the graphs must be searched, by asking questions with known answers."""

import numpy as np
from numpy.typing import NDArray

from retrieval.approximate import ApproximateIndex
from retrieval.exact import ExactIndex

WIDTHS = (32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Tried in this order. Beyond the last, a graph has lost its lead over exact search."""

DEPTH = 10
"""Recall is the share of the true best rows of this many that are found."""

QUESTIONS = 256
"""How many are made up: a recall near 0.99 is then known to within 0.004."""


def tune(
    index: ApproximateIndex, questions: NDArray[np.float32], *, recall: float
) -> ApproximateIndex | None:
    """Return the index with the narrowest search that reaches a recall in every graph.

    Recall depends on the vectors far more than on the library: where they spread
    in many directions the same width finds less. None where no width reaches the
    recall: such a catalogue is to be searched exactly.

    Shapes:
        questions: (Q, D), of any norm; each is asked of every graph.
        recall: between 0 and 1, at depth 10.
    """
    exact = ExactIndex(index.vectors)
    width = WIDTHS[0]
    for graph in index.graphs:
        allowed = np.zeros(len(index), dtype=np.bool_)
        allowed[graph.first : graph.end] = True
        wanted = exact.search(questions, DEPTH, allowed=allowed).rows
        while True:
            found = index.with_width(width).search(questions, DEPTH, allowed=allowed).rows
            if recall_of(found, wanted) >= recall:
                break
            if width == WIDTHS[-1]:
                return None
            width = WIDTHS[WIDTHS.index(width) + 1]
    return index.with_width(width)


def between_rows(vectors: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """Make up questions: points half-way between two random rows.

    It is where a person with two tastes would be. They are harder to answer than
    the rows themselves, so the width that they ask for is ample.

    Shapes:
        vectors: (N, D), N at least 1.
        returns: (256, D).
    """
    rows = np.random.default_rng(seed).integers(0, len(vectors), (2, QUESTIONS))
    questions: NDArray[np.float32] = vectors[rows].mean(axis=0)
    return questions


def recall_of(found: NDArray[np.int64], wanted: NDArray[np.int64]) -> float:
    """Return the share of the wanted rows that were found.

    Shapes:
        found, wanted: (B, k), each row once for an element.
    """
    hits = (found[:, :, np.newaxis] == wanted[:, np.newaxis, :]).any(axis=1)  # (B, k)
    return float(hits.mean())
