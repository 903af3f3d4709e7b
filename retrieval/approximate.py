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
"""Rows that are scored exactly in the time in which a graph finds one more; measured, as the next
two (docs/performance.md, Filters)."""

AMPLE = 2
"""How many admitted rows a filtered search is to come across for each that it looks for, were the
filter the same everywhere."""

SOUND = 0.75
"""Which part of what a deep search finds, the nearest, can be relied on to be complete."""


class ApproximateIndex:
    """A graph over each large item type, and exact search for everything else.

    Requests ask for whole types, and a type is a slice of rows, so that a graph
    of its own makes the filter free (ADR 0004). These are searched exactly:

    - rows of types too small for a graph,
    - a type of which `allowed` leaves so few rows that these are scored sooner than the graph
      would come across them; else it is searched so much deeper, and what is not allowed dropped,
    - a type of which the graph finds too few allowed rows among the nearest, for single queries:
      a filter may let through what is near to the one and far from the other,
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
            allowed_rows = int(np.count_nonzero(part))
            if allowed_rows == len(graph) and 2 * self.settings.links * k < len(graph):
                found.append(self._search_graph(graph, queries, k))
                part[:] = False
            elif 0 < allowed_rows < len(graph):
                depth = max(self.settings.search_width, AMPLE * k) * len(graph) // allowed_rows
                if PRICE * depth < allowed_rows:
                    found.append(self._search_filtered(graph, queries, k, depth, part))
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

    def _search_graph(
        self, graph: Graph, queries: NDArray[np.float32], k: int
    ) -> NDArray[np.int64]:
        """Search one graph; search its slice exactly for queries that it leaves short."""
        width = max(self.settings.search_width, 2 * k)
        rows = graph.search(unit_rows(queries), k, width)  # (B, k)
        short = (rows == NO_ROW).any(axis=1)
        if short.any():
            rows[short] = self._search_slice(graph, queries[short], k, np.True_)
        return rows

    def _search_filtered(
        self,
        graph: Graph,
        queries: NDArray[np.float32],
        k: int,
        depth: int,
        allowed: NDArray[np.bool_],
    ) -> NDArray[np.int64]:
        """Search one graph deeply, and drop what is not allowed.

        faiss's own filter takes as long, and gives whatever allowed rows it comes across: where
        those are at the edge of what it looks at it finds eight of ten and does not tell.

        Shapes:
            allowed: (n,), by row of the graph. returns: (B, k).
        """
        deep = graph.search(unit_rows(queries), depth, depth)  # (B, depth)
        kept = (deep != NO_ROW) & allowed[np.maximum(deep - graph.first, 0)]
        short = np.count_nonzero(kept[:, : int(SOUND * depth)], axis=1) < k
        rows = np.full((len(queries), k), NO_ROW, dtype=np.int64)
        for place in np.flatnonzero(~short):
            rows[place] = deep[place, kept[place]][:k]
        if short.any():
            rows[short] = self._search_slice(graph, queries[short], k, allowed)
        return rows

    def _search_slice(
        self,
        graph: Graph,
        queries: NDArray[np.float32],
        k: int,
        allowed: NDArray[np.bool_] | np.bool_,
    ) -> NDArray[np.int64]:
        """Search the rows of one graph without it."""
        rows = np.zeros(len(self), dtype=np.bool_)
        rows[graph.first : graph.end] = allowed
        return self._exact.search(queries, k, allowed=rows).rows


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale each row to unit norm; a zero row stays as it is.

    Shapes:
        vectors: (B, D).
        returns: (B, D).
    """
    norms = np.sqrt(squared_norms(vectors))[:, np.newaxis]
    return (vectors / np.where(norms > 0, norms, 1)).astype(np.float32)
