"""What speaks for a candidate: one row of numbers per item, the same in training and in serving.

Columns, in the order of `NAMES`:

- for each kind of edge and each decay, what the history's items say for the candidate
  (`retrieval.pairwise`), over the `loudness` of that kind
- likeness: dot product of the user vector and the item vector
- closest: largest dot product of the item vector with those of the newest `CLOSEST_AMONG` items of
  the history
- kinship, text kinship: dot product of the graph part, or the text part, of the item's HGNN vector
  with the mean of that of the history, each item weighing `KINSHIP_DECAY` times the next newer one
- popularity: log(1 + people who chose it)
- affinity: log of the share of the history that has the candidate's type, smoothed

and of an item that nobody has chosen yet, 0 for any other:

- new: 1
- for each of `OF_NEW` what its column says once more, so that it may weigh differently there: what
  people did says nothing of such an item, and for want of it other things have to say more
- closest text: as closest, with the text parts of the HGNN vectors

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
NEAREST = 150
"""Items nearest to the user vector among which the scorer chooses, in fitting and in serving."""
HISTORY_LENGTH = 1000
"""Newest items of a history that are listened to."""
_SMOOTHING = 1.0
_DENSE = 2.5
"""Rows per candidate up to which those in between are multiplied along; measured."""
_CHUNK = 256  # rows copied at a time; with more of them a processor's cache overflows

_GENERAL: tuple[str, ...] = (
    *(f"{kind} {decay}" for kind in EDGE_KINDS for decay in DECAYS),
    "likeness",
    "closest",
    "kinship",
    "text kinship",
    "popularity",
    "affinity",
)
OF_NEW: tuple[str, ...] = (
    *(f"content {decay}" for decay in DECAYS),
    "likeness",
    "closest",
    "kinship",
    "text kinship",
)
NAMES: tuple[str, ...] = (
    *_GENERAL,
    "new",
    *(f"{name}, new" for name in OF_NEW),
    "closest text, new",
)
_AGAIN = np.array([_GENERAL.index(name) for name in OF_NEW])


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
        item_vectors: (N, V). known: (N, H), HGNN vectors. people: (N,) float32, how many chose
            each item. item_type: (N,) int64.
    """

    pairs: PairTable
    item_vectors: NDArray[np.float32]
    known: NDArray[np.float32]
    text_width: int
    """How many of the H columns, the last, are the text part."""
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
    catalogue: Catalogue,
    person: Person,
    reached: Reached,
    rows: NDArray[np.int64],
    *,
    heard: Catalogue | None = None,
) -> NDArray[np.float32]:
    """Put together what speaks for some candidates.

    `heard` says what is known of the history's items where that is more than is known of them as
    candidates.

    Shapes:
        rows: (M,). returns: (M, F), columns as in `NAMES`.
    """
    edges, graph = len(EDGE_KINDS) * len(DECAYS), catalogue.known.shape[1] - catalogue.text_width
    columns = np.zeros((len(NAMES), len(rows)), dtype=np.float32)
    columns[:edges] = reached.of(rows).T
    columns[:edges] /= loudness(reached, person.history)[:, None]
    heard = heard or catalogue
    newest = person.history[:CLOSEST_AMONG]
    vectors = np.vstack((person.vector, heard.item_vectors[newest]))
    alike = _products(catalogue.item_vectors, rows, vectors)
    columns[edges] = alike[0]
    if len(newest):
        columns[edges + 1] = alike[1:].max(axis=0)
    mean = _mean_known(heard, person)
    columns[edges + 2] = _products(catalogue.known[:, :graph], rows, mean[None, :graph])
    columns[edges + 3] = _products(catalogue.known[:, graph:], rows, mean[None, graph:])
    columns[edges + 4] = catalogue.popularity[rows]
    columns[edges + 5] = affinity(catalogue, person)[catalogue.item_type[rows]]
    new = np.flatnonzero(catalogue.people[rows] == 0)
    if len(new):
        columns[len(_GENERAL), new] = 1
        say_again(columns, new)
    if len(new) and len(newest):
        texts = heard.known[newest, graph:]
        columns[-1, new] = _products(catalogue.known[:, graph:], rows[new], texts).max(axis=0)
    return np.ascontiguousarray(columns.T)


def loudness(reached: Reached, history: NDArray[np.int64]) -> NDArray[np.float32]:
    """Tell how loud each kind of edge speaks to a person: the root of the largest of its sums.

    The sums of one person may be many times those of another. A scorer has one weight for both;
    one that suits the loud would not hear the quiet, and one that suits these would make too much
    of the others. In a root half of the difference, in logarithms, is left, for loud is also sure
    (ADR 20). What the history's items say for each other is no measure, for they are not asked.

    Shapes:
        history: (L,) rows. returns: (K * D,), alike for all decays of a kind, 1 where it says
            nothing.
    """
    asked = np.ones(len(reached.rows), dtype=np.bool_)
    known = reached.place[history]
    asked[known[known >= 0]] = False
    of_column = np.abs(reached.sums).max(axis=0, initial=0, where=asked[:, None])
    largest = of_column.reshape(-1, len(DECAYS)).max(axis=1)
    loud: NDArray[np.float32] = np.sqrt(np.where(largest > 0, largest, 1))
    return loud.repeat(len(DECAYS))


def say_again(columns: NDArray[np.float32], new: NDArray[np.int64]) -> None:
    """Copy what is said of new items into the columns that are for them alone.

    Shapes:
        columns: (F, M), written to. new: (n,), which of the M.
    """
    first = len(_GENERAL) + 1
    columns[first : first + len(_AGAIN), new] = columns[np.ix_(_AGAIN, new)]


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
        products[:, part] = others @ vectors[rows[part]].T
    return products


def _mean_known(catalogue: Catalogue, person: Person) -> NDArray[np.float32]:
    length = min(len(person.history), HISTORY_LENGTH)
    if not length:
        return np.zeros(catalogue.known.shape[1], dtype=np.float32)
    weight = person.weight[:length] * np.float32(KINSHIP_DECAY) ** np.arange(length)
    mean = weight @ catalogue.known[person.history[:length]] / max(float(weight.sum()), 1e-9)
    return np.asarray(mean, dtype=np.float32)


def affinity(catalogue: Catalogue, person: Person) -> NDArray[np.float32]:
    """Take the log of the share of each type in a history.

    Shapes:
        returns: (T,), T the number of types of the catalogue.
    """
    types = int(catalogue.item_type[-1]) + 1
    count = np.bincount(
        catalogue.item_type[person.history[:HISTORY_LENGTH]],
        weights=person.weight[:HISTORY_LENGTH],
        minlength=types,
    )
    share = (count + _SMOOTHING / types) / (count.sum() + _SMOOTHING)
    logarithm: NDArray[np.float32] = np.log(share).astype(np.float32)
    return logarithm
