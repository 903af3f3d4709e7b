"""Outside ids to rows and back, as arrays that processes share by memory mapping."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from export.generation.errors import GenerationInvalidError
from export.generation.texts import TextColumn, decode, encode

UNKNOWN = -1
_NOT_REMEMBERED = -2
MOST_REMEMBERED = 100_000
"""Ids that a table remembers the rows of, about 150 bytes each; when they are so many, all are
forgotten. Who calls a lot calls for popular ids."""

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
        texts: N ids.
        hashes: (N,) uint64, ascending.
        rows: (N,) int32, the row that each hash belongs to.
    """

    texts: TextColumn
    hashes: NDArray[np.uint64]
    rows: NDArray[np.int32]
    digest: Digest = digest64
    _remembered: dict[str, int] = field(default_factory=dict, repr=False)

    @classmethod
    def from_ids(cls, ids: Iterable[str], *, digest: Digest = digest64) -> "IdTable":
        """Build a table; the row of an id is its place.

        Raises:
            GenerationInvalidError: an id is empty or occurs twice.
        """
        texts = TextColumn.from_texts(ids)
        hashes = np.fromiter(
            (digest(texts.raw(row)) for row in range(len(texts))),
            dtype=np.uint64,
            count=len(texts),
        )
        order = np.argsort(hashes, kind="stable")
        table = cls(texts, hashes[order], order.astype(np.int32), digest)
        table._check_distinct()
        return table

    def __len__(self) -> int:
        return len(self.hashes)

    def id(self, row: int) -> str:
        """Return the id of a row.

        Raises:
            IndexError: no such row; negative ones are not counted from the end.
        """
        return self.texts[row]

    def ids(self, rows: Sequence[int] | NDArray[np.integer]) -> list[str]:
        """Return the ids of some rows.

        Raises:
            IndexError: as `id`.
        """
        return [self.texts[int(row)] for row in rows]

    def lookup(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """Find the row of each id, -1 where it is unknown.

        Ids that were found are remembered, `MOST_REMEMBERED` of them.

        Shapes:
            returns: (B,) int64.
        """
        remembered = self._remembered
        rows = [remembered.get(each, _NOT_REMEMBERED) for each in ids]
        if _NOT_REMEMBERED in rows:
            missing = [place for place, row in enumerate(rows) if row == _NOT_REMEMBERED]
            found = self._find([ids[place] for place in missing]).tolist()
            if len(remembered) + len(found) > MOST_REMEMBERED:
                remembered.clear()
            for place, row in zip(missing, found, strict=True):
                rows[place] = row
                if row != UNKNOWN:
                    remembered[ids[place]] = row
        return np.array(rows, dtype=np.int64)

    def _find(self, ids: Sequence[str]) -> NDArray[np.int64]:
        encoded = [encode(each) for each in ids]
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
            if self.texts.raw(row) == encoded:
                return row
            place += 1
        return UNKNOWN

    def _check_distinct(self) -> None:
        empty = np.flatnonzero(np.diff(self.texts.offsets) == 0)
        if len(empty):
            raise GenerationInvalidError("ids", f"row {empty[0]} has an empty id")
        same = self.hashes[1:] == self.hashes[:-1]
        seen: dict[bytes, int] = {}
        for place in np.flatnonzero(np.r_[same, False] | np.r_[False, same]):  # of shared hashes
            raw = self.texts.raw(int(self.rows[place]))
            if raw in seen:
                raise GenerationInvalidError("ids", f"{decode(raw)!r} occurs more than once")
            seen[raw] = int(place)
