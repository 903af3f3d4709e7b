"""Compare hnswlib, faiss and usearch: `python -m benchmarks.index_libraries`.

128 dimensions, one thread, the same graph settings for all three. The
libraries take turns inside every round and the median round counts, and seconds
are those of the processor, so that a busy machine slows all of them alike and
little: read the ratios, not the absolute figures.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import faiss as faiss_untyped
import hnswlib
import numpy as np
from numpy.typing import NDArray
from usearch.index import Index as UsearchIndex

from benchmarks.index_catalogues import DIMENSIONS, Vectors, clustered, learned, tight
from retrieval.exact import ExactIndex

faiss: Any = faiss_untyped  # its stubs know neither HNSW's parameters nor the Python wrappers

Rows = NDArray[np.int64]
Widths = dict[str, dict[float, tuple[int, float]]]
Result = TypeVar("Result")

LINKS = 16
BUILD_WIDTH = 200
WIDTHS = (16, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 384)
TARGETS = (0.98, 0.99, 0.995)
K = 10
ALLOWED = (0.5, 0.1, 0.02)
"""Share of the catalogue that a filter leaves."""

FILTERED_QUERIES = 64
"""Queries in a round under a filter, where some libraries are slow."""


@dataclass(frozen=True)
class Measurement:
    """One line of the report."""

    library: str
    catalogue: str
    what: str
    value: float


@dataclass(frozen=True, eq=False)
class Contest:
    """All candidates built over one catalogue, and what they are asked."""

    catalogue: str
    built: "dict[str, Candidate]"
    oracle: ExactIndex
    asked: Vectors
    widths: Widths
    rounds: int


class Candidate(Protocol):
    """A library under test."""

    def build(self, vectors: Vectors) -> None:
        """Insert all vectors with one thread."""
        ...

    def search(self, vectors: Vectors, width: int) -> Rows:
        """Return (B, K) rows, -1 where there are fewer; `width` is ef, the search's beam."""
        ...

    def filtered(self, vectors: Vectors, width: int, allowed: NDArray[np.bool_]) -> Rows:
        """Do the same among the allowed rows, with a beam as much wider as rows are fewer."""
        ...

    def save(self, path: Path) -> None:
        """Write one file."""
        ...

    def load(self, path: Path) -> None:
        """Read it into memory."""
        ...

    def map(self, path: Path) -> None:
        """Open it without reading it into memory; load it where the library cannot."""
        ...


class _Hnswlib:
    """hnswlib, inner product; a filter is a Python function, which the beam does not count."""

    def __init__(self) -> None:
        self._index: Any = hnswlib.Index(space="ip", dim=DIMENSIONS)

    def build(self, vectors: Vectors) -> None:
        self._index.init_index(
            max_elements=len(vectors), M=LINKS, ef_construction=BUILD_WIDTH, random_seed=1
        )
        self._index.add_items(vectors, np.arange(len(vectors)), num_threads=1)

    def search(self, vectors: Vectors, width: int) -> Rows:
        self._index.set_ef(width)
        rows, _ = self._index.knn_query(vectors, k=K, num_threads=1)
        return np.asarray(rows, dtype=np.int64)

    def filtered(self, vectors: Vectors, width: int, allowed: NDArray[np.bool_]) -> Rows:
        self._index.set_ef(width)
        member = allowed.tolist().__getitem__
        found = np.full((len(vectors), K), -1, dtype=np.int64)
        for place, vector in enumerate(vectors):
            try:
                found[place] = self._index.knn_query(vector, K, num_threads=1, filter=member)[0]
            except RuntimeError:  # how hnswlib says that it has fewer than K
                continue
        return found

    def save(self, path: Path) -> None:
        self._index.save_index(str(path))

    def load(self, path: Path) -> None:
        self._index.load_index(str(path))

    def map(self, path: Path) -> None:
        self.load(path)


class _Faiss:
    """faiss IndexHNSWFlat, L2 (the same order on unit vectors); a filter is a bitmap."""

    def __init__(self) -> None:
        self._index: Any = faiss.IndexHNSWFlat(DIMENSIONS, LINKS)
        faiss.omp_set_num_threads(1)

    def build(self, vectors: Vectors) -> None:
        self._index.hnsw.efConstruction = BUILD_WIDTH
        self._index.add(vectors)

    def search(self, vectors: Vectors, width: int) -> Rows:
        parameters = faiss.SearchParametersHNSW(efSearch=width)
        rows: Rows = self._index.search(vectors, K, params=parameters)[1]
        return rows

    def filtered(self, vectors: Vectors, width: int, allowed: NDArray[np.bool_]) -> Rows:
        selector = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        wider = int(width / allowed.mean())
        parameters = faiss.SearchParametersHNSW(efSearch=wider, sel=selector)
        rows: Rows = self._index.search(vectors, K, params=parameters)[1]
        return rows

    def save(self, path: Path) -> None:
        faiss.write_index(self._index, str(path))

    def load(self, path: Path) -> None:
        self._index = faiss.read_index(str(path))

    def map(self, path: Path) -> None:
        self._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


class _Usearch:
    """usearch, inner product; it has no filter, so it looks twice as deep as needed and drops."""

    def __init__(self) -> None:
        self._index: Any = UsearchIndex(
            ndim=DIMENSIONS,
            metric="ip",
            dtype="f32",
            connectivity=LINKS,
            expansion_add=BUILD_WIDTH,
            enable_key_lookups=False,
        )

    def build(self, vectors: Vectors) -> None:
        self._index.add(np.arange(len(vectors)), vectors, threads=1)

    def search(self, vectors: Vectors, width: int) -> Rows:
        self._index.expansion_search = width
        keys: Any = self._index.search(vectors, K, threads=1).keys
        return np.asarray(keys, dtype=np.int64).reshape(len(vectors), K)

    def filtered(self, vectors: Vectors, width: int, allowed: NDArray[np.bool_]) -> Rows:
        deeper = int(2 * K / allowed.mean())
        self._index.expansion_search = int(width / allowed.mean())
        found = np.full((len(vectors), K), -1, dtype=np.int64)
        for place, vector in enumerate(vectors):
            keys = np.asarray(self._index.search(vector, deeper, threads=1).keys, dtype=np.int64)
            kept = keys[allowed[keys]][:K]
            found[place, : len(kept)] = kept
        return found

    def save(self, path: Path) -> None:
        self._index.save(str(path))

    def load(self, path: Path) -> None:
        self._index.load(str(path))

    def map(self, path: Path) -> None:
        self._index.view(str(path))


CANDIDATES: dict[str, Callable[[], Candidate]] = {
    "hnswlib": _Hnswlib,
    "faiss": _Faiss,
    "usearch": _Usearch,
}


def recall(found: Rows, truth: Rows) -> float:
    """Return the share of the true rows that were found."""
    hits = [np.isin(right, row).mean() for right, row in zip(truth, found, strict=True)]
    return float(np.mean(hits))


def rate(search: Callable[[Vectors], object], queries: Vectors, batch: int) -> float:
    """Return the queries answered per second of processor time, in batches."""
    start = time.process_time()
    for first in range(0, len(queries), batch):
        search(queries[first : first + batch])
    return len(queries) / (time.process_time() - start)


def private_bytes() -> int:
    """Return the memory that no other process can share: what is not a mapped file (Linux)."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return sizes["Anonymous"]


def open_cost(
    library: str, path: Path, queries: Vectors, *, mapped: bool
) -> tuple[float, int, float]:
    """Open a saved index and search: seconds, private bytes gained, queries per second."""
    faiss.omp_set_num_threads(1)
    before = private_bytes()
    candidate = CANDIDATES[library]()
    start = time.perf_counter()
    (candidate.map if mapped else candidate.load)(path)
    seconds = time.perf_counter() - start
    speed = max(rate(partial(candidate.search, width=64), queries, 1) for _ in range(5))
    return seconds, private_bytes() - before, speed


def measure(
    catalogue: str, draw: Callable[[], tuple[Vectors, Vectors]], rounds: int
) -> list[Measurement]:
    """Measure all candidates over one catalogue."""
    vectors, asked = draw()
    oracle = ExactIndex(vectors)
    truth = oracle.search(asked, K).rows
    report: list[Measurement] = []
    built: dict[str, Candidate] = {}
    for name, create in CANDIDATES.items():
        before, start = private_bytes(), time.process_time()
        built[name] = create()
        built[name].build(vectors)
        report.append(Measurement(name, catalogue, "build, s", time.process_time() - start))
        grown = (private_bytes() - before) / 2**20
        report.append(Measurement(name, catalogue, "memory built, MB", grown))
    widths = {name: pick_widths(built[name], asked, truth) for name in built}
    for name, chosen in widths.items():
        for target, (width, reached) in chosen.items():
            report.append(Measurement(name, catalogue, f"width for recall {target}", width))
            report.append(Measurement(name, catalogue, f"recall reached for {target}", reached))
    contest = Contest(catalogue, built, oracle, asked, widths, rounds)
    report += [*throughput(contest), *filters(contest), *own_graphs(contest)]
    return report + files(built, catalogue, asked)


def pick_widths(
    candidate: Candidate, asked: Vectors, truth: Rows
) -> dict[float, tuple[int, float]]:
    """Find the narrowest beam that reaches each recall; the widest where none does."""
    reached = {width: recall(candidate.search(asked, width), truth) for width in WIDTHS}
    return {
        target: next(
            ((width, found) for width, found in reached.items() if found >= target),
            (WIDTHS[-1], reached[WIDTHS[-1]]),
        )
        for target in TARGETS
    }


def throughput(contest: Contest) -> Iterator[Measurement]:
    """Time unfiltered searches, the libraries taking turns."""
    seen: dict[tuple[str, str], list[float]] = {}
    for _ in range(contest.rounds):
        for batch in (1, 256):
            for target in TARGETS:
                for name, candidate in contest.built.items():
                    width = contest.widths[name][target][0]
                    speed = rate(partial(candidate.search, width=width), contest.asked, batch)
                    what = f"queries/s, batch {batch}, recall {target}"
                    seen.setdefault((name, what), []).append(speed)
            few = contest.asked[: 32 if batch == 1 else 256]
            speed = rate(partial(contest.oracle.search, k=K), few, batch)
            seen.setdefault(("exact", f"queries/s, batch {batch}"), []).append(speed)
    for (name, what), speeds in seen.items():
        yield Measurement(name, contest.catalogue, what, float(np.median(speeds)))


def filters(contest: Contest) -> list[Measurement]:
    """Search under filters by each library's own means, at the beam for recall 0.99.

    A slice of rows, which is what an item type is, can also have a graph of its
    own: that is the last way tried.
    """
    asked = contest.asked[:FILTERED_QUERIES]
    rows = len(contest.oracle)
    report: list[Measurement] = []
    for share in ALLOWED:
        scattered = np.random.default_rng(0).permutation(rows) < share * rows
        for shape, allowed in (("slice", np.arange(rows) < share * rows), ("scattered", scattered)):
            truth = contest.oracle.search(asked, K, allowed=allowed).rows
            what = f"{share:.0%} allowed, {shape}"
            speeds: dict[str, list[float]] = {name: [] for name in (*contest.built, "exact")}
            for _ in range(contest.rounds):
                for name, candidate in contest.built.items():
                    width = contest.widths[name][0.99][0]
                    search = partial(candidate.filtered, width=width, allowed=allowed)
                    speeds[name].append(rate(search, asked, 1))
                search_all = partial(contest.oracle.search, k=K, allowed=allowed)
                speeds["exact"].append(rate(search_all, asked, 1))
            for name, candidate in contest.built.items():
                found = candidate.filtered(asked, contest.widths[name][0.99][0], allowed)
                report.append(
                    Measurement(name, contest.catalogue, f"recall, {what}", recall(found, truth))
                )
                full = float((found >= 0).mean())
                report.append(Measurement(name, contest.catalogue, f"places filled, {what}", full))
            for name, seen in speeds.items():
                speed = float(np.median(seen))
                report.append(Measurement(name, contest.catalogue, f"queries/s, {what}", speed))
    return report


def own_graphs(contest: Contest) -> list[Measurement]:
    """Search slices by a graph that holds nothing else, at the beam for recall 0.99."""
    asked, vectors = contest.asked[:FILTERED_QUERIES], contest.oracle.vectors
    report: list[Measurement] = []
    for share in ALLOWED:
        part = vectors[: int(share * len(vectors))]
        truth = ExactIndex(part).search(asked, K).rows
        built = {name: create() for name, create in CANDIDATES.items()}
        for candidate in built.values():
            candidate.build(part)
        speeds: dict[str, list[float]] = {name: [] for name in built}
        for _ in range(contest.rounds):
            for name, candidate in built.items():
                search = partial(candidate.search, width=contest.widths[name][0.99][0])
                speeds[name].append(rate(search, asked, 1))
        what = f"{share:.0%} slice, own graph"
        for name, candidate in built.items():
            found = recall(candidate.search(asked, contest.widths[name][0.99][0]), truth)
            speed = float(np.median(speeds[name]))
            report.append(Measurement(name, contest.catalogue, f"recall, {what}", found))
            report.append(Measurement(name, contest.catalogue, f"queries/s, {what}", speed))
    return report


def files(built: dict[str, Candidate], catalogue: str, asked: Vectors) -> list[Measurement]:
    """Save each index, then open it in processes of their own."""
    report: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, candidate in built.items():
            path = Path(folder) / name
            start = time.perf_counter()
            candidate.save(path)
            report.append(Measurement(name, catalogue, "save, s", time.perf_counter() - start))
            report.append(Measurement(name, catalogue, "file, MB", path.stat().st_size / 2**20))
            for mapped, verb in ((False, "load"), (True, "map")):
                opening = partial(open_cost, name, path, asked[:256], mapped=mapped)
                seconds, private, speed = in_fresh_process(opening)
                report.append(Measurement(name, catalogue, f"{verb}, s", seconds))
                report.append(Measurement(name, catalogue, f"memory {verb}, MB", private / 2**20))
                report.append(Measurement(name, catalogue, f"best queries/s after {verb}", speed))
    return report


def in_fresh_process(work: Callable[[], Result]) -> Result:
    """Run some work in a new interpreter, which takes its memory with it when it ends."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work).result()


def table(report: list[Measurement]) -> str:
    """Lay the measurements out as Markdown: one line for each figure, one column a library."""
    names = (*CANDIDATES, "exact")
    values = {(line.catalogue, line.what, line.library): line.value for line in report}
    lines = [f"| catalogue | figure | {' | '.join(names)} |", "|---|---|" + "---|" * len(names)]
    for catalogue, what in dict.fromkeys((line.catalogue, line.what) for line in report):
        cells = [
            f"{values[catalogue, what, name]:.4g}" if (catalogue, what, name) in values else ""
            for name in names
        ]
        lines.append(f"| {catalogue} | {what} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Read the command line, measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 50_000, 200_000])
    parser.add_argument("--data", type=Path, nargs="*", default=[], help="data set folders")
    parser.add_argument("--queries", type=int, default=1024, help="queries timed in each round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds; the median counts")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=Path("index_libraries.json"))
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the libraries when the new process loads them
    seeded = {"queries": options.queries, "seed": options.seed}
    catalogues = {f"clustered {rows}": partial(clustered, rows, **seeded) for rows in options.rows}
    catalogues["tight 20000"] = partial(tight, 20_000, **seeded)
    catalogues |= {folder.name: partial(learned, folder, **seeded) for folder in options.data}
    report: list[Measurement] = []
    for name, draw in catalogues.items():
        report += in_fresh_process(partial(measure, name, draw, options.rounds))
        partial_file = options.out.with_name(f"{options.out.name}.partial")
        partial_file.write_text(json.dumps([asdict(line) for line in report], indent=1) + "\n")
        partial_file.replace(options.out)
        print(f"{name} measured", flush=True)
    print(table(report))


if __name__ == "__main__":
    main()
