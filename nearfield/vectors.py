"""Vectors with the space they belong to; vectors of two spaces are never compared."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
import numpy as np
from numpy.typing import NDArray

from nearfield.enums import Reason
from nearfield.errors import DOMAIN, ArgumentError, SpaceMismatchError, Status


@dataclass(frozen=True, eq=False)
class SpaceVector:
    """A vector of a space: an embedding, or a mixture of embeddings that the caller made.

    Raises:
        ArgumentError: the vector is not one row of finite numbers with a norm, or has no space.
    """

    vector: NDArray[np.float32]
    """(D,), float32, read-only; copy it to change it. The server's own have unit L2 norm; a mixture
    need not."""
    space_id: str
    """The space in which the numbers have a meaning."""

    def __post_init__(self) -> None:
        with np.errstate(over="ignore"):
            vector = np.array(self.vector, dtype=np.float32)
        if vector.ndim != 1 or not vector.size:
            raise ArgumentError(f"vector: expected shape (D,), got {vector.shape}")
        if not np.isfinite(vector).all() or not vector.any():
            raise ArgumentError("vector: expected finite float32 numbers that are not all zero")
        if not self.space_id:
            raise ArgumentError("space_id: expected the space of the vector, got nothing")
        vector.setflags(write=False)
        object.__setattr__(self, "vector", vector)

    def __setstate__(self, state: dict[str, object]) -> None:
        """Take what pickle and copy kept, which of an array leaves out that it is read-only."""
        self.__dict__.update(state)
        self.vector.setflags(write=False)

    def similarity(self, other: "SpaceVector") -> float:
        """Tell how near two vectors are, -1 to 1: their cosine.

        For vectors of unit norm it is their dot product, which is what servers
        rank similar items by.

        Raises:
            SpaceMismatchError: the vectors belong to two spaces.
        """
        return float(similarities([self], [other])[0, 0])


def stack(vectors: Sequence[SpaceVector]) -> NDArray[np.float32]:
    """Put vectors of one space into one array of the caller's own, as they are.

    Shapes:
        returns: (B, D), float32.

    Raises:
        ArgumentError: there are none, or their lengths differ.
        SpaceMismatchError: they belong to several spaces, as when a server changed its generation
            between two parts of a batch.
    """
    if not vectors:
        raise ArgumentError("vectors: expected at least one, got none")
    for each in vectors:
        _same_space(vectors[0], each)
    return np.stack([each.vector for each in vectors])


def similarities(left: Sequence[SpaceVector], right: Sequence[SpaceVector]) -> NDArray[np.float32]:
    """Tell how near each of `left` is to each of `right`: their cosines.

    Shapes:
        returns: (len(left), len(right)), float32, -1 to 1.

    Raises:
        ArgumentError: a side is empty, or lengths differ.
        SpaceMismatchError: the vectors belong to several spaces.
    """
    both = stack([*left, *right]).astype(np.float64)
    unit = both / np.linalg.norm(both, axis=1, keepdims=True)
    cosines = unit[: len(left)] @ unit[len(left) :].T
    if not cosines.size:
        raise ArgumentError("similarities: expected at least one vector on each side")
    bounded: NDArray[np.float32] = np.clip(cosines, -1.0, 1.0).astype(np.float32)
    return bounded


def _same_space(one: SpaceVector, other: SpaceVector) -> None:
    if one.space_id != other.space_id:
        raise SpaceMismatchError(
            Status(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"vectors of different spaces cannot be compared: {one.space_id!r} and "
                f"{other.space_id!r}",
                reason=Reason.SPACE_MISMATCH,
                domain=DOMAIN,
                metadata={"expected_space_id": one.space_id, "space_id": other.space_id},
            )
        )
    if len(one.vector) != len(other.vector):
        raise ArgumentError(
            f"vector: expected {len(one.vector)} numbers, as the others of the space "
            f"{one.space_id!r} have, got {len(other.vector)}"
        )
