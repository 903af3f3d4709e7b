"""A column of texts as two arrays that processes share by memory mapping.

Arrow files would do, but polars 2 no longer maps them: every worker would hold a copy.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TextColumn:
    """Texts by row; a missing one is empty.

    Shapes:
        data: (bytes in all,) uint8, the texts in UTF-8, one after the other.
        offsets: (N + 1,) int64, where each text begins.
    """

    data: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    @classmethod
    def from_texts(cls, texts: Iterable[str | None]) -> "TextColumn":
        """Lay texts one after the other; None becomes empty."""
        encoded = [encode(text or "") for text in texts]
        offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
        np.cumsum([len(each) for each in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), dtype=np.uint8), offsets)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> str:
        """Return the text of a row.

        Raises:
            IndexError: no such row; negative ones are not counted from the end.
        """
        return decode(self.raw(row))

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))

    def raw(self, row: int) -> bytes:
        """Return the bytes of a row.

        Raises:
            IndexError: as `__getitem__`.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} is not among {len(self)} texts")
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()


def encode(text: str) -> bytes:
    """Write any Python string as bytes, halves of surrogate pairs too."""
    return text.encode("utf-8", "surrogatepass")


def decode(data: bytes) -> str:
    """Read what `encode` wrote."""
    return data.decode("utf-8", "surrogatepass")
