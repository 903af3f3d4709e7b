"""How long the second channel takes on a drawn catalogue: `python -m benchmarks.evidence`.

One person at a time, one thread: what a history speaks for (reach), and the evidence of all that it
reaches and of 150 other items (gather), in numpy, as training does it; then the same without
columns, as serving does it: what a history says (listen), whom to compare (choose), the scores of
these (score). No generation is needed. Popular items stand in more lists and in more histories, as
a power of their rank.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from retrieval.evidence import EDGE_KINDS, NAMES, Catalogue, Person, gather, reach
from retrieval.fused import FusedRanker
from retrieval.pairwise import PairTable

VECTOR, KNOWN, TEXT = 128, 512, 384
TYPES = 2
NEAREST = 150
WARM_UP = 5
POPULARITY = 0.6
"""Chance of an item, as a power of its rank; 0 draws them all alike."""


class Draw:
    """A catalogue, and the people who listen to it."""

    def __init__(self, items: int, speakers: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        chance = np.arange(1, items + 1) ** -POPULARITY
        self._ends = np.cumsum(rng.permutation(chance / chance.sum()))
        self._rng = rng
        self.items = items
        owner = np.repeat(np.arange(items), speakers)
        said = rng.normal(size=(len(owner), len(EDGE_KINDS))).astype(np.float32)
        self.catalogue = Catalogue(
            PairTable.from_lists(owner, self._popular(len(owner)), said, items),
            self._unit_rows(VECTOR),
            self._unit_rows(KNOWN),
            TEXT,
            rng.integers(0, 1000, items).astype(np.float32),
            np.sort(rng.integers(0, TYPES, items)),
        )

    def people(self, length: int, count: int) -> Iterator[tuple[Person, NDArray[np.int64]]]:
        """Draw people with histories of one length, and what the index might find for them."""
        for _ in range(count):
            weight = self._rng.uniform(0.3, 1, length).astype(np.float32)
            vector = self.catalogue.item_vectors[int(self._rng.integers(self.items))]
            nearest = self._rng.integers(0, self.items, NEAREST)
            yield Person(vector, self._popular(length), weight), nearest

    def _popular(self, count: int) -> NDArray[np.int64]:
        drawn = np.searchsorted(self._ends, self._rng.random(count))
        return np.minimum(drawn, self.items - 1)

    def _unit_rows(self, width: int) -> NDArray[np.float32]:
        vectors = self._rng.normal(size=(self.items, width)).astype(np.float32)
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.evidence", description=__doc__)
    add = parser.add_argument
    add("--items", type=int, nargs="+", default=[4_000, 100_000], help="default %(default)s")
    add("--histories", type=int, nargs="+", default=[50, 200, 1000], help="default %(default)s")
    add("--speakers", type=int, default=120, help="of each item; default %(default)s")
    add("--calls", type=int, default=100, help="of each kind; default %(default)s")
    options = parser.parse_args()
    print("medians in µs; columns: as training, fused: as serving\n")
    print("| items | history | reached | reach | gather | listen | choose | score |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for items in options.items:
        draw = Draw(items, options.speakers, seed=0)
        for length in options.histories:
            reached, *taken = measure(draw, length, options.calls)
            row = " | ".join(f"{each:,.0f}" for each in taken)
            print(f"| {items:,} | {length} | {reached:,.0f} | {row} |")
    return 0


def measure(draw: Draw, length: int, calls: int) -> list[float]:
    """Give the median number of reached items, and those of the microseconds of all steps."""
    ranker = FusedRanker(draw.catalogue, _weights())
    taken = []
    for person, nearest in draw.people(length, calls + WARM_UP):
        clock = [time.perf_counter()]
        reached = reach(draw.catalogue, person)
        clock.append(time.perf_counter())
        gather(draw.catalogue, person, reached, np.union1d(nearest, reached.rows))
        clock.append(time.perf_counter())
        listener = ranker.listen(person)
        clock.append(time.perf_counter())
        rows, said = ranker.candidates(listener, np.unique(nearest))
        clock.append(time.perf_counter())
        ranker.score(listener, rows, said)
        clock.append(time.perf_counter())
        taken.append([len(reached.rows), *(np.diff(clock) * 1e6)])
    medians: list[float] = np.median(taken[WARM_UP:], axis=0).tolist()
    return medians


def _weights() -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Make up a scorer."""
    weight = np.random.default_rng(0).normal(size=len(NAMES)).astype(np.float32)

    def score(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = evidence @ weight
        return scores

    return score


if __name__ == "__main__":
    sys.exit(main())
