"""What speaks for a candidate: one row of numbers per item, the same in training and in serving.

Columns, in the order of `NAMES`:

- for each kind of edge and each decay, what the history's items say for the candidate
  (`retrieval.pairwise`)
- likeness: dot product of the user vector and the item vector
- closest: largest dot product of the item vector with those of the newest `CLOSEST_AMONG` items of
  the history
- kinship: dot product of what is known of the item (its HGNN vector) with the mean of that of
  the history, each newer item halving the weight of the one before by `KINSHIP_DECAY`
- popularity: log(1 + people who chose it)
- affinity: log of the share of the history that has the candidate's type, smoothed

`models.scorer` weighs them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retrieval.pairwise import PairTable, Reached

EDGE_KINDS = ("influence", "succession", "following", "together", "content")
"""Kinds of edge weight, from i to j: learned from what people chose beside j, and from what they
chose before it; counted, how often j came after i and how many people chose both; by content."""
DECAYS = (0.3, 0.8, 1.0)
CLOSEST_AMONG = 20
KINSHIP_DECAY = 0.7
HISTORY_LENGTH = 200
"""Newest items of a history that are listened to."""
_SMOOTHING = 1.0
_DENSE = 2.5
"""Rows per candidate up to which those in between are multiplied along; measured."""
_CHUNK = 256  # rows copied at a time; with more of them a processor's cache overflows

NAMES: tuple[str, ...] = (
    *(f"{kind} {decay}" for kind in EDGE_KINDS for decay in DECAYS),
    "likeness",
    "closest",
    "kinship",
    "popularity",
    "affinity",
)


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody who is to be shown something.

    Shapes:
        vector: (V,), unit norm. history: (L,) int64 rows, newest first. weight: (L,) float32.
    """

    vector: NDArray[np.float32]
    history: NDArray[np.int64]
    weight: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What is known of the candidates.

    Shapes:
        item_vectors: (N, V). known: (N, H). people: (N,) float32. item_type: (N,) int64.
    """

    pairs: PairTable
    item_vectors: NDArray[np.float32]
    known: NDArray[np.float32]
    people: NDArray[np.float32]
    item_type: NDArray[np.int64]

    @cached_property
    def popularity(self) -> NDArray[np.float32]:
        """Log of one more than the people of each item. Shapes: returns (N,)."""
        return np.log1p(self.people)


def reach(catalogue: Catalogue, person: Person) -> Reached:
    """Find the items that a person's history speaks for."""
    return catalogue.pairs.reach(
        person.history[:HISTORY_LENGTH],
        person.weight[:HISTORY_LENGTH],
        np.array(DECAYS, dtype=np.float32),
    )


def gather(
    catalogue: Catalogue, person: Person, reached: Reached, rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Put together what speaks for some candidates.

    Shapes:
        rows: (M,). returns: (M, F), columns as in `NAMES`.
    """
    edges = len(EDGE_KINDS) * len(DECAYS)
    columns = np.empty((len(NAMES), len(rows)), dtype=np.float32)
    columns[:edges] = reached.of(rows).T
    newest = catalogue.item_vectors[person.history[:CLOSEST_AMONG]]
    alike = _products(catalogue.item_vectors, rows, np.vstack((person.vector, newest)))
    columns[edges] = alike[0]
    columns[edges + 1] = alike[1:].max(axis=0) if len(newest) else 0
    columns[edges + 2] = _products(catalogue.known, rows, _mean_known(catalogue, person)[None])[0]
    columns[edges + 3] = catalogue.popularity[rows]
    columns[edges + 4] = _affinity(catalogue, person)[catalogue.item_type[rows]]
    return np.ascontiguousarray(columns.T)


def _products(
    vectors: NDArray[np.float32], rows: NDArray[np.int64], others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Multiply some of many vectors with a few others.

    To copy the wide rows would take longer than to multiply them. Where the rows lie close
    together they are multiplied where they stand, with those in between; else they are copied a
    few at a time.

    Shapes:
        vectors: (N, D). rows: (n,). others: (q, D). returns: (q, n).
    """
    if not len(rows):
        return np.zeros((len(others), 0), dtype=np.float32)
    first, last = int(rows.min()), int(rows.max())
    if last - first < _DENSE * len(rows):
        return (others @ vectors[first : last + 1].T).take(rows - first, axis=1)
    products = np.empty((len(others), len(rows)), dtype=np.float32)
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, start + _CHUNK)
        products[:, part] = others @ vectors.take(rows[part], axis=0).T
    return products


def _mean_known(catalogue: Catalogue, person: Person) -> NDArray[np.float32]:
    length = min(len(person.history), HISTORY_LENGTH)
    if not length:
        return np.zeros(catalogue.known.shape[1], dtype=np.float32)
    weight = person.weight[:length] * np.float32(KINSHIP_DECAY) ** np.arange(length)
    mean = weight @ catalogue.known[person.history[:length]] / max(float(weight.sum()), 1e-9)
    return np.asarray(mean, dtype=np.float32)


def _affinity(catalogue: Catalogue, person: Person) -> NDArray[np.float32]:
    """Log share of each type in a history; (T,), T the number of types of the catalogue."""
    types = int(catalogue.item_type[-1]) + 1
    count = np.bincount(
        catalogue.item_type[person.history[:HISTORY_LENGTH]],
        weights=person.weight[:HISTORY_LENGTH],
        minlength=types,
    )
    share = (count + _SMOOTHING / types) / (count.sum() + _SMOOTHING)
    affinity: NDArray[np.float32] = np.log(share).astype(np.float32)
    return affinity
