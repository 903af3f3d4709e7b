"""Checks on a generation's arrays: types and shapes, unit norms, lists that stay in range."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from export.generation.errors import GenerationInvalidError
from export.generation.layout import ArraySpec

Arrays = Mapping[str, NDArray[np.generic]]

ROWS_AT_ONCE = 65_536
UNIT_TOLERANCE = 1e-3


def check_arrays(arrays: Arrays, specs: Mapping[str, ArraySpec]) -> None:
    """Compare the type and shape of every array with what the layout says.

    Raises:
        GenerationInvalidError: an array is missing or of another type or shape.
    """
    for name, spec in specs.items():
        if name not in arrays:
            raise GenerationInvalidError(name, "is missing")
        check_array(name, arrays[name], spec)


def check_array(name: str, array: NDArray[np.generic], spec: ArraySpec) -> None:
    """Compare one array's type and shape with what the layout says.

    Raises:
        GenerationInvalidError: it is of another type or shape.
    """
    fits = len(array.shape) == len(spec.shape) and all(
        wanted in (None, got) for wanted, got in zip(spec.shape, array.shape, strict=True)
    )
    if array.dtype != spec.dtype or not fits:
        wanted_type = np.dtype(spec.dtype)
        raise GenerationInvalidError(
            name, f"expected {wanted_type} of {spec.shape}, got {array.dtype} of {array.shape}"
        )


def check_vectors(name: str, vectors: NDArray[np.generic], *, unit: bool) -> None:
    """Check that all values are finite and, where asked, that rows have unit L2 norm.

    Raises:
        GenerationInvalidError: they are not; the message names the first such row.
    """
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        part = np.asarray(vectors[start : start + ROWS_AT_ONCE], dtype=np.float32)
        part = part.reshape(len(part), -1)
        bad = ~np.isfinite(part).all(axis=1)
        if unit:
            norms = np.sqrt(np.einsum("nd,nd->n", part, part, dtype=np.float64))
            bad |= ~(np.abs(norms - 1) < UNIT_TOLERANCE)
        if bad.any():
            wanted = "a finite row of unit length" if unit else "finite values"
            raise GenerationInvalidError(
                name, f"row {start + int(np.flatnonzero(bad)[0])}: expected {wanted}"
            )


def check_lists(arrays: Arrays, num_types: int) -> None:
    """Check the neighbour lists: in range, and of the type that their slot stands for.

    Raises:
        GenerationInvalidError: they are not.
    """
    indptr = _indptr("graph_indptr", arrays, "graph_neighbours")
    item_type = np.asarray(arrays["item_type"], dtype=np.int64)
    neighbours = np.asarray(arrays["graph_neighbours"], dtype=np.int64)
    _check_rows("graph_neighbours", neighbours, len(item_type))
    check_vectors("graph_weights", arrays["graph_weights"], unit=False)
    for slot in range(num_types):
        start, end = indptr[slot * len(item_type)], indptr[(slot + 1) * len(item_type)]
        if (item_type[neighbours[start:end]] != slot).any():
            raise GenerationInvalidError(
                "graph_neighbours", f"slot {slot} holds items of another type"
            )


def check_histories(arrays: Arrays, num_items: int) -> None:
    """Check the histories: rows in range, weights finite and not negative.

    Raises:
        GenerationInvalidError: they are not.
    """
    _indptr("history_indptr", arrays, "history_rows")
    _check_rows("history_rows", np.asarray(arrays["history_rows"], dtype=np.int64), num_items)
    weight = np.asarray(arrays["history_weight"], dtype=np.float32)
    check_vectors("history_weight", weight, unit=False)
    if (weight < 0).any():
        raise GenerationInvalidError("history_weight", "expected weights of 0 or more")


def check_pairs(arrays: Arrays, num_items: int) -> None:
    """Check what items speak for: rows in range, weights finite.

    Raises:
        GenerationInvalidError: they are not.
    """
    _indptr("pair_indptr", arrays, "pair_targets")
    _check_rows("pair_targets", np.asarray(arrays["pair_targets"], dtype=np.int64), num_items)
    check_vectors("pair_weights", arrays["pair_weights"], unit=False)


def check_ready(arrays: Arrays, num_items: int) -> None:
    """Check what is ready for the users: unit vectors, rows in range with the gaps at the end.

    Raises:
        GenerationInvalidError: it is not so.
    """
    check_vectors("user_vectors", arrays["user_vectors"], unit=True)
    check_vectors("list_scores", arrays["list_scores"], unit=False)
    chances = np.asarray(arrays["list_chances"], dtype=np.float32)
    if (chances < 0).any() or (chances > 1).any():
        raise GenerationInvalidError("list_chances", "expected numbers from 0 to 1, or NaN")
    rows = np.asarray(arrays["list_rows"], dtype=np.int64)
    if rows.size and not -1 <= rows.min() <= rows.max() < num_items:
        raise GenerationInvalidError("list_rows", f"expected rows from -1 to {num_items - 1}")
    if ((rows[:, 1:] >= 0) & (rows[:, :-1] < 0)).any():
        raise GenerationInvalidError("list_rows", "expected no row behind a -1")


def _indptr(name: str, arrays: Arrays, values: str) -> NDArray[np.int64]:
    indptr = np.asarray(arrays[name], dtype=np.int64)
    ends = (indptr[0], indptr[-1])
    if ends != (0, len(arrays[values])) or (np.diff(indptr) < 0).any():
        raise GenerationInvalidError(
            name, f"expected to rise from 0 to {len(arrays[values])}, the length of {values}"
        )
    return indptr


def _check_rows(name: str, rows: NDArray[np.int64], num_items: int) -> None:
    if len(rows) and not 0 <= rows.min() <= rows.max() < num_items:
        raise GenerationInvalidError(name, f"expected rows from 0 to {num_items - 1}")
