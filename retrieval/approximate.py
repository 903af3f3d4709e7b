"""Search by neighbour graphs, one for each item type: faster than exact on large catalogues."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from retrieval.errors import CatalogueError, IndexDamagedError
from retrieval.exact import ExactIndex
from retrieval.header import BODY_FILE, IndexHeader, describe_body, fingerprint, write_header
from retrieval.hnsw import Graph, GraphSettings, map_graphs, write_graphs
from retrieval.index import NO_ROW, Hits, check_search, squared_norms
from retrieval.score import rank

UNIT_TOLERANCE = 1e-3
"""How far a squared norm may be from 1 for a vector to count as unit."""

PRICE = 20
"""Rows that are scored exactly in the time in which a filtered search of a graph looks at one
candidate; measured (docs/performance.md, Filters)."""


class ApproximateIndex:
    """A graph over each large item type, and exact search for everything else.

    Requests ask for whole types, and a type is a slice of rows, so that a graph
    of its own makes the filter free (ADR 0004). These are searched exactly:

    - rows of types too small for a graph,
    - a type of which `allowed` leaves so few rows that these are scored sooner than the graph
      would come across them,
    - a type of which so much is asked for that the graph would visit all of it,
    - for single queries, a type whose graph reaches fewer rows than were asked for and are there.

    So there are always as many hits as rows allow. Scores and the order of hits
    are those of `ExactIndex`; only membership in the top k is approximate.
    """

    kind = "hnsw"

    def __init__(
        self, vectors: NDArray[np.float32], graphs: Sequence[Graph], settings: GraphSettings
    ) -> None:
        self._exact = ExactIndex(vectors)
        self.graphs = tuple(graphs)
        self.settings = settings

    @classmethod
    def build(
        cls,
        vectors: NDArray[np.float32],
        item_type: NDArray[np.int64],
        settings: GraphSettings | None = None,
    ) -> Self:
        """Build the graphs; the same input gives the same graphs where `threads` is 1.

        Shapes:
            vectors: (N, D) float32, unit rows.
            item_type: (N,), never decreasing.

        Raises:
            CatalogueError: vectors of another norm, or rows not sorted by type.
        """
        settings = settings or GraphSettings()
        if item_type.shape != (len(vectors),) or (np.diff(item_type) < 0).any():
            raise CatalogueError("item_type: expected one for each row, rows sorted by type")
        odd = np.flatnonzero(~(np.abs(squared_norms(vectors) - 1) <= UNIT_TOLERANCE))
        if len(odd):
            raise CatalogueError(f"catalogue vectors: row {odd[0]} is not of unit norm")
        _, firsts, counts = np.unique(item_type, return_index=True, return_counts=True)
        graphs = [
            Graph.build(np.ascontiguousarray(vectors[first : first + count]), int(first), settings)
            for first, count in zip(firsts, counts, strict=True)
            if count >= settings.min_rows
        ]
        return cls(vectors, graphs, settings)

    @classmethod
    def map(cls, folder: Path, header: IndexHeader, vectors: NDArray[np.float32]) -> Self:
        """View a saved index whose header and files were checked; see `load_index`."""
        path = folder / BODY_FILE
        firsts = [first for first, _ in header.graphs]
        try:
            graphs = map_graphs(path, firsts) if header.body else []
            settings = GraphSettings(**header.settings)
        except (RuntimeError, TypeError) as error:
            raise IndexDamagedError(path, f"cannot be read here: {error}") from error
        got = tuple((graph.first, graph.end) for graph in graphs)
        if got != header.graphs or any(graph.dimensions != header.dimensions for graph in graphs):
            raise IndexDamagedError(path, f"holds graphs over {got}, expected {header.graphs}")
        return cls(vectors, graphs, settings)

    @property
    def dimensions(self) -> int:
        """Length of every vector."""
        return self._exact.dimensions

    @property
    def vectors(self) -> NDArray[np.float32]:
        """The catalogue, (N, D)."""
        return self._exact.vectors

    def __len__(self) -> int:
        return len(self._exact)

    def with_width(self, width: int) -> Self:
        """Return the same graphs, searched more or less widely."""
        settings = replace(self.settings, search_width=width)
        return type(self)(self.vectors, self.graphs, settings)

    def search(
        self, vectors: NDArray[np.float32], k: int, *, allowed: NDArray[np.bool_] | None = None
    ) -> Hits:
        """Find about the k best rows for each vector; see `VectorIndex.search`.

        A batch of more than one runs on OMP_NUM_THREADS threads.
        """
        queries = check_search(vectors, k, allowed, (len(self), self.dimensions))
        rest = np.ones(len(self), dtype=np.bool_) if allowed is None else allowed.copy()
        found = [np.empty((len(queries), 0), dtype=np.int64)]
        for graph in self.graphs:
            part = rest[graph.first : graph.end]
            width = self._width(len(graph), int(np.count_nonzero(part)), k)
            if width is not None:
                found.append(self._search_graph(graph, queries, k, width, part))
                part[:] = False
        if rest.any():
            found.append(self._exact.search(queries, k, allowed=rest).rows)
        return rank(self.vectors, np.concatenate(found, axis=1), queries, k)

    def save(self, folder: Path) -> None:
        """Write the graphs and, last, the header that vouches for them."""
        if self.graphs:
            write_graphs(folder / BODY_FILE, self.graphs)
        write_header(
            folder,
            IndexHeader(
                kind=self.kind,
                settings=asdict(self.settings),
                dimensions=self.dimensions,
                count=len(self),
                vectors=fingerprint(self.vectors),
                graphs=tuple((graph.first, graph.end) for graph in self.graphs),
                body=describe_body(folder / BODY_FILE) if self.graphs else None,
            ),
        )

    def _width(self, rows: int, allowed: int, k: int) -> int | None:
        """Tell how widely to search a graph of which some rows are allowed; None for not at all.

        A search that looks at w rows meets about w * allowed / rows of those that count, so it has
        to be as much wider as it would have to be deeper.
        """
        width = max(self.settings.search_width, 2 * k)
        if allowed == rows:
            return width if 2 * self.settings.links * k < rows else None
        width = -(-width * rows // max(allowed, 1))
        return width if PRICE * width < allowed else None

    def _search_graph(
        self,
        graph: Graph,
        queries: NDArray[np.float32],
        k: int,
        width: int,
        allowed: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Search one graph; search its slice exactly for queries that it leaves short.

        Shapes:
            allowed: (n,), by row of the graph. returns: (B, k).
        """
        there = int(np.count_nonzero(allowed))
        some = None if there == len(graph) else allowed
        rows = graph.search(unit_rows(queries), k, width, some)  # (B, k)
        short = np.count_nonzero(rows != NO_ROW, axis=1) < min(k, there)
        if short.any():
            everywhere = np.zeros(len(self), dtype=np.bool_)
            everywhere[graph.first : graph.end] = allowed
            rows[short] = self._exact.search(queries[short], k, allowed=everywhere).rows
        return rows


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to unit norm; a zero row stays as it is.

    Shapes:
        vectors: (B, D).
        returns: (B, D).
    """
    norms = np.sqrt(squared_norms(vectors))[:, np.newaxis]
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
