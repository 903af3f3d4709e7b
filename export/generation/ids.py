"""Outside ids to rows and back, as arrays that processes share by memory mapping."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from export.generation.errors import GenerationInvalidError

UNKNOWN = -1

Digest = Callable[[bytes], int]
"""Maps an id's bytes to 64 bits."""


def digest64(data: bytes) -> int:
    """Hash bytes to 64 bits, the same on every machine."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


@dataclass(frozen=True, eq=False)
class IdTable:
    """Distinct ids in row order, with a sorted list of hashes to find them by.

    A dictionary of 10 million ids would cost a gigabyte in every worker; these arrays are
    mapped once for all. An id is found by its hash and then compared byte by byte, so two
    ids of one hash are told apart. Ids are compared as they are: no Unicode normalisation,
    no change of case.

    Shapes:
        data: (bytes in all,) uint8, the ids in UTF-8, one after the other.
        offsets: (N + 1,) int64, where each id begins.
        hashes: (N,) uint64, ascending.
        rows: (N,) int32, the row that each hash belongs to.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    rows: NDArray[np.int32]
    digest: Digest = digest64

    @classmethod
    def from_ids(cls, ids: Iterable[str], *, digest: Digest = digest64) -> "IdTable":
        """Build a table; the row of an id is its place.

        Raises:
            GenerationInvalidError: an id is empty or occurs twice.
        """
        encoded = [_encode(each) for each in ids]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(each) for each in encoded], out=offsets[1:])
        hashes = np.fromiter(map(digest, encoded), dtype=np.uint64, count=len(encoded))
        order = np.argsort(hashes, kind="stable")
        table = cls(
            data=np.frombuffer(b"".join(encoded), dtype=np.uint8),
            offsets=offsets,
            hashes=hashes[order],
            rows=order.astype(np.int32),
            digest=digest,
        )
        table._check_distinct(encoded)
        return table

    def __len__(self) -> int:
        return len(self.hashes)

    def id(self, row: int) -> str:
        """Return the id of a row.

        Raises:
            IndexError: no such row; negative ones are not counted from the end.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} is not in a table of {len(self)} ids")
        return self._bytes(row).decode("utf-8", "surrogatepass")

    def ids(self, rows: Sequence[int] | NDArray[np.integer]) -> list[str]:
        """Return the ids of some rows.

        Raises:
            IndexError: as `id`.
        """
        return [self.id(int(row)) for row in rows]

    def lookup(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Find the row of each id, -1 where it is unknown.

        Shapes:
            returns: (B,) int64.
        """
        encoded = [_encode(each) for each in ids]
        wanted = np.fromiter(map(self.digest, encoded), dtype=np.uint64, count=len(encoded))
        places = np.searchsorted(self.hashes, wanted)
        found = (
            self._compare(place, wanted[i], encoded[i]) for i, place in enumerate(places.tolist())
        )
        return np.fromiter(found, dtype=np.int64, count=len(encoded))

    def _compare(self, place: int, digest: np.uint64, encoded: bytes) -> int:
        """Walk the entries of one hash until the bytes agree."""
        while place < len(self) and self.hashes[place] == digest:
            row = int(self.rows[place])
            if self._bytes(row) == encoded:
                return row
            place += 1
        return UNKNOWN

    def _bytes(self, row: int) -> bytes:
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def _check_distinct(self, encoded: list[bytes]) -> None:
        if not all(encoded):
            raise GenerationInvalidError("ids", f"row {encoded.index(b'')} has an empty id")
        same = np.flatnonzero(self.hashes[1:] == self.hashes[:-1])
        for run in np.split(same, np.flatnonzero(np.diff(same) > 1) + 1) if len(same) else ():
            colliding = [encoded[row] for row in self.rows[run[0] : run[-1] + 2]]
            if len(set(colliding)) < len(colliding):
                twice = next(each for each in colliding if colliding.count(each) > 1)
                shown = twice.decode("utf-8", "surrogatepass")
                raise GenerationInvalidError("ids", f"{shown!r} occurs more than once")


def _encode(text: str) -> bytes:
    # Half a surrogate pair is a legal Python string; it must be unknown, not an error.
    return text.encode("utf-8", "surrogatepass")
