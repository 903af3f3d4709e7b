"""One hierarchical navigable small-world graph over a slice of the catalogue, by faiss.

The only module that knows faiss. A saved graph is not read but viewed: many
processes that open the same file share its memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import faiss as faiss_package
import numpy as np
from numpy.typing import NDArray

faiss: Any = faiss_package  # its stubs lack the parameters of HNSW and the Python wrappers

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class GraphSettings:
    """How a graph is built and searched; the defaults are measured, see ADR 0004."""

    links: int = 16
    """Neighbours kept for a row, twice as many on the lowest level. Larger: better recall,
    slower build, 8 bytes a row more for each."""

    build_width: int = 200
    """Candidates kept while a row is inserted. Larger: better recall, slower build."""

    search_width: int = 64
    """Candidates kept while searching, at least; twice k where that is more. Larger: better
    recall, slower search. `retrieval.tune` finds it."""

    min_rows: int = 4096
    """Item types with fewer rows get no graph: searching them exactly is as fast."""

    threads: int = 1
    """Threads of the build. With more than one, two builds give two different graphs."""


class Graph:
    """An approximate neighbour search over rows first .. end - 1 of the catalogue."""

    def __init__(
        self, first: int, native: faiss_package.Index, mapped: NDArray[np.uint8] | None = None
    ) -> None:
        self._native: Any = native
        self._mapped = mapped  # the memory that `native` points into must live as long
        self.first = first
        self.end = first + int(native.ntotal)

    @classmethod
    def build(cls, vectors: NDArray[np.float32], first: int, settings: GraphSettings) -> Self:
        """Insert some rows, in order.

        L2 distance is used because it orders unit vectors as their dot product does, and
        the graph's pruning rule needs a metric.

        Shapes:
            vectors: (n, D), unit rows; row 0 is row `first` of the catalogue.

        Source: Malkov and Yashunin, IEEE TPAMI 2020, arXiv:1603.09320.
        """
        native = faiss.IndexHNSWFlat(vectors.shape[1], settings.links)
        native.hnsw.efConstruction = settings.build_width
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(settings.threads)
        try:
            native.add(vectors)
        finally:
            faiss.omp_set_num_threads(threads)
        return cls(first, native)

    def __len__(self) -> int:
        return self.end - self.first

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return int(self._native.d)

    def search(self, queries: NDArray[np.float32], k: int, width: int) -> NDArray[np.int64]:
        """Find about the k nearest rows, best first.

        The graph may reach fewer than k of its rows, above all where many vectors are equal.

        Shapes:
            queries: (B, D), unit rows.
            returns: (B, k), catalogue rows; -1 where the graph found no more.
        """
        parameters = faiss.SearchParametersHNSW(efSearch=width)
        rows: NDArray[np.int64] = self._native.search(queries, k, params=parameters)[1]
        rows[rows >= 0] += self.first
        return rows

    def write(self, writer: Any) -> None:  # noqa: ANN401 - faiss has no types
        """Append the graph to an open file, by a writer of faiss."""
        faiss.write_index(self._native, writer)


def write_graphs(path: Path, graphs: Sequence[Graph]) -> None:
    """Write graphs one after the other into one file, beside its name and renamed."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as file:
        # faiss' own writer takes no notice of a disk that is full when it closes the file.
        writer = faiss.PyCallbackIOWriter(file.write, _BLOCK_BYTES)
        for graph in graphs:
            graph.write(writer)
    partial.replace(path)


def map_graphs(path: Path, firsts: Sequence[int]) -> list[Graph]:
    """View the graphs of a file that was checked, without reading it.

    Raises:
        RuntimeError: faiss does not understand the file.
    """
    content = np.memmap(path, dtype=np.uint8, mode="r")
    reader = faiss.ZeroCopyIOReader(faiss.swig_ptr(content), content.nbytes)
    return [Graph(first, faiss.read_index(reader), content) for first in firsts]
