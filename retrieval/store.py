"""Choose the index that a catalogue deserves, and open one that was saved."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retrieval.approximate import ApproximateIndex
from retrieval.defaults import APPROXIMATE_FROM
from retrieval.errors import IndexDamagedError
from retrieval.exact import ExactIndex
from retrieval.header import HEADER_FILE, check_header, read_header
from retrieval.index import VectorIndex, check_catalogue
from retrieval.tune import between_rows, tune

RECALL = 0.99
"""Share of the true best ten rows that the approximate index is to find in every type."""


def build_index(
    vectors: NDArray[np.float32],
    item_type: NDArray[np.int64],
    *,
    questions: NDArray[np.float32] | None = None,
    recall: float = RECALL,
    approximate_from: int = APPROXIMATE_FROM,
) -> VectorIndex:
    """Build the exact index for a small catalogue and the approximate one for a large one.

    Large is a catalogue of `approximate_from` rows or more. The approximate index is
    searched as widely as `recall` needs on the questions; a catalogue in which no width
    is enough is searched exactly, however large. The same input gives the same index.

    Shapes:
        vectors: (N, D) float32, unit rows.
        item_type: (N,) int64, never decreasing.
        questions: (Q, D), vectors like those that will be searched for, a few
            hundred user vectors for example; None to make some up from the rows.

    Raises:
        CatalogueError: as `ExactIndex` and `ApproximateIndex.build`.
    """
    if len(vectors) < approximate_from:
        return ExactIndex(vectors)
    if questions is None:
        questions = between_rows(vectors, seed=0)
    index = ApproximateIndex.build(vectors, item_type)
    return tune(index, questions, recall=recall) or ExactIndex(vectors)


def load_index(
    folder: Path, vectors: NDArray[np.float32], *, verified: bool = False
) -> VectorIndex:
    """Open a saved index over the vectors that it was built over.

    Neither the vectors nor the graphs are copied: give a memory-mapped array and
    processes share both. `verified` says that the files of both were compared with digests of
    their own just before: then only names, shapes and lengths are checked, which is fast.

    Shapes:
        vectors: (N, D) float32, the catalogue's vectors as they were when saving.

    Raises:
        CatalogueError: the vectors are unusable.
        IndexFileError: a file is missing, damaged, of a later version, or of other vectors.
    """
    header = read_header(folder)
    vectors = check_catalogue(vectors)
    check_header(header, folder, vectors, digested=not verified)
    if header.kind == ExactIndex.kind:
        return ExactIndex(vectors)
    if header.kind == ApproximateIndex.kind:
        return ApproximateIndex.map(folder, header, vectors)
    known = f"{ExactIndex.kind!r} and {ApproximateIndex.kind!r}"
    raise IndexDamagedError(
        folder / HEADER_FILE, f"is of kind {header.kind!r}, this version knows {known}"
    )
