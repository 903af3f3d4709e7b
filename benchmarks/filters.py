"""What a filter costs and misses, by how many items it keeps: `python -m benchmarks.filters`.

One query at a time over catalogues that are drawn and have one type, so that nothing but the filter
divides them. A filter keeps items scattered at random, or those nearest to some item, as a genre
does: most queries are then far from all that it keeps. A query asks for the ten best, and for as
many as the scorer of Recommend chooses among. Recall is the share of the ten best of an exact
search. Also: what it takes to group a million items by their attributes, and what quotas, diversity
and exploration cost once the candidates are there.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.index_catalogues import DIMENSIONS, Vectors, clustered
from export.generation.texts import TextColumn
from retrieval.admission import Admission, union
from retrieval.approximate import ApproximateIndex
from retrieval.arrange import Arrangement, Pool, arrange
from retrieval.evidence import NEAREST
from retrieval.exact import ExactIndex
from retrieval.explore import Exploration
from retrieval.hnsw import GraphSettings
from retrieval.index import VectorIndex
from retrieval.query import Query
from retrieval.quota import Quota
from retrieval.select import Selector
from retrieval.store import load_index
from server.stores.groups import Groups

SHARES = (1.0, 0.5, 0.1, 0.01, 0.001, 0.0001)
DEPTH = 10
DRAWN = 300
"""Queries that are drawn, however many are asked: the catalogue is drawn with them."""


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.filters", description=__doc__)
    add = parser.add_argument
    add("--items", type=int, nargs="+", default=[250_000, 1_000_000], help="default %(default)s")
    add("--queries", type=int, default=50, help="at most 300; default %(default)s")
    add("--threads", type=int, default=2, help="of the build alone; default %(default)s")
    add("--keep", type=Path, help="folder for the graphs, found there by the next run")
    options = parser.parse_args()
    print("| items | kept | which | exact, ms | k = 10, ms | recall@10 | k = 150, ms |")
    print("|--:|--:|---|--:|--:|--:|--:|")
    for items in options.items:
        vectors, queries = clustered(items, DRAWN, seed=0)
        queries = queries[: options.queries]
        index = made(vectors, options.threads, options.keep)
        for share in SHARES:
            for which in ("scattered", "near") if share < 1 else ("all",):
                line(vectors, queries, index, share, which)
    groups()
    lists()
    return 0


def made(vectors: Vectors, threads: int, keep: Path | None) -> VectorIndex:
    """Build an index, or find the one that was kept."""
    folder = keep / f"{len(vectors)}" if keep else None
    if folder and folder.exists():
        return load_index(folder, vectors)
    one_type = np.zeros(len(vectors), dtype=np.int64)
    index = ApproximateIndex.build(vectors, one_type, GraphSettings(threads=threads))
    if folder:
        folder.mkdir(parents=True)
        index.save(folder)
    return index


def line(vectors: Vectors, queries: Vectors, index: VectorIndex, share: float, which: str) -> None:
    """Measure one filter and print its line."""
    one_type = np.zeros(len(vectors), dtype=np.int64)
    admitted = None if share == 1 else Admission(kept(vectors, share, which), len(vectors))
    count = len(vectors) if admitted is None else len(admitted.rows)
    if admitted is not None:
        assert admitted.mask.any()  # made once for a filter, not for a query
    ways = {
        "exact": (Selector(ExactIndex(vectors), vectors, one_type), DEPTH),
        "shallow": (Selector(index, vectors, one_type), DEPTH),
        "deep": (Selector(index, vectors, one_type), NEAREST),
    }
    times, found = {}, {}
    for way, (selector, k) in ways.items():
        asked = [Query(vector, k, admitted=admitted) for vector in queries]
        selector.select(asked[:1])
        began = time.process_time()
        found[way] = [selector.select([query])[0].rows for query in asked]
        times[way] = (time.process_time() - began) / len(asked) * 1e3
    for wanted, got in zip(found["exact"], found["shallow"], strict=True):
        assert len(got) == len(wanted) == min(DEPTH, count)
    recall = np.mean(
        [
            np.isin(wanted, got).mean()
            for wanted, got in zip(found["exact"], found["shallow"], strict=True)
        ]
    )
    print(
        f"| {len(vectors):,} | {count:,} | {which} | {times['exact']:.2f} | {times['shallow']:.2f} "
        f"| {recall:.3f} | {times['deep']:.2f} |",
        flush=True,
    )


def kept(vectors: Vectors, share: float, which: str) -> NDArray[np.int64]:
    """Draw the rows that a filter keeps. Shapes: returns (n,), ascending."""
    draw = np.random.default_rng(int(1 / share))
    count = round(share * len(vectors))
    if which == "scattered":
        rows = draw.choice(len(vectors), count, replace=False)
    else:
        likeness = vectors @ vectors[draw.integers(len(vectors))]
        rows = np.argpartition(-likeness, count - 1)[:count]
    return np.sort(rows).astype(np.int64)


def groups() -> None:
    """Measure how long a million items take to be grouped by their attributes."""
    draw = np.random.default_rng(0)
    items = 1_000_000
    genres = [f"genre number {number}" for number in range(300)]
    sets = ["|".join(draw.choice(genres, draw.integers(1, 5), False)) for _ in range(50_000)]
    skewed = draw.random(items) ** 3
    columns: dict[str, Callable[[], Groups]] = {
        "40 languages": grouped([f"l{number}" for number in range(40)], skewed),
        "300 genres in 50,000 sets": grouped(sets, skewed, "|"),
        "300,000 creators": grouped([f"Some Person {n}" for n in range(300_000)], skewed),
    }
    head = "| values of 1,000,000 items | seconds | MB kept | most frequent value | its rows, ms |"
    print(f"\n{head}\n|---|--:|--:|--:|--:|")
    for name, make in columns.items():
        began = time.process_time()
        result = make()
        took = time.process_time() - began
        value = result.keys[int(np.argmax(np.diff(result.starts)))]
        began = time.process_time()
        found = Admission(union(result.members([value]), items), items)
        count = int(found.mask.sum())
        rows_ms = (time.process_time() - began) * 1e3
        kept_mb = result.nbytes / 1e6
        print(f"| {name} | {took:.2f} | {kept_mb:.0f} | {count:,} | {rows_ms:.1f} |")


def lists() -> None:
    """Measure how long it takes to make lists of their candidates, which are of two types."""
    draw = np.random.default_rng(0)
    quotas = (Quota(0, 3), Quota(1, 0, 7))
    exploration = Exploration(1.0, 0)
    wishes = {
        "quotas": Arrangement(quotas),
        "exploration": Arrangement(exploration=exploration),
        "diversity": Arrangement(diversity=0.3),
        "all three": Arrangement(quotas, 0.3, exploration),
    }
    print("\n| ms for k = | 10 | 100 | 1,000 |\n|---|--:|--:|--:|")
    for name, wish in wishes.items():
        taken = []
        for k in (10, 100, 1000):
            size = wish.pool_size(k)
            vectors = draw.normal(size=(size, DIMENSIONS)).astype(np.float32)
            pool = Pool(
                rows=np.arange(size),
                item_type=draw.integers(0, 2, size),
                relevance=np.sort(draw.normal(size=size))[::-1],
                vectors=vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
            )
            began = time.process_time()
            for _ in range(10):
                arrange(pool, k, wish)
            taken.append((time.process_time() - began) * 100)
        print(f"| {name} | " + " | ".join(f"{each:.2f}" for each in taken) + " |")


def grouped(
    values: list[str], skewed: NDArray[np.float64], separator: str | None = None
) -> Callable[[], Groups]:
    """Draw a column of some values, and give what groups it."""
    column = TextColumn.from_texts(values[int(each * len(values))] for each in skewed)
    return lambda: Groups.of(column, separator)


if __name__ == "__main__":
    sys.exit(main())
