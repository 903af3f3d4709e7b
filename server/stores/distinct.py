"""Which rows of a column have the same text: over the raw bytes, without a loop over the rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from export.generation.texts import TextColumn
from retrieval.scramble import scramble

WORD = 8
_FULL = np.uint64(2**64 - 1)
_KEPT = np.array([(1 << 8 * n) - 1 for n in range(WORD)] + [_FULL], dtype=np.uint64)
"""Which bits of a word are the text's, by how many of its bytes are."""


@dataclass(frozen=True, eq=False)
class Distinct:
    """The texts of a column, each once.

    Shapes:
        number: (N,) int64, which of the texts each row has.
    """

    texts: list[str]
    number: NDArray[np.int64]


def distinct(column: TextColumn) -> Distinct:
    """Find the distinct texts of a column, and who has which.

    Rows are grouped by a hash of their bytes, and the bytes are compared afterwards: where two
    texts should ever share a hash, another hash is taken.
    """
    starts, lengths = column.offsets[:-1], np.diff(column.offsets)
    data = np.concatenate((column.data, np.zeros(WORD, dtype=np.uint8)))
    for salt in count():
        hashes = _hashes(data, starts, lengths, salt)
        _, first, number = np.unique(hashes, return_index=True, return_inverse=True)
        if _all_equal(data, starts, lengths, first[number]):
            break
    whole = data.tobytes()
    ends = (starts + lengths)[first].tolist()
    texts = [
        whole[start:end].decode("utf-8", "replace")
        for start, end in zip(starts[first].tolist(), ends, strict=True)
    ]
    return Distinct(texts, number)


def _hashes(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64], salt: int
) -> NDArray[np.uint64]:
    """Hash each text, eight bytes at a time. Shapes: starts, lengths, returns (N,)."""
    hashes = scramble(lengths.astype(np.uint64) + np.uint64(salt << 48))
    for rows, words in _words(data, starts, lengths):
        hashes[rows] = scramble(hashes[rows] ^ words)
    return hashes


def _all_equal(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    other: NDArray[np.int64],
) -> bool:
    """Tell whether each text is, byte by byte, that of another row. Shapes: other (N,) rows."""
    if not np.array_equal(lengths, lengths[other]):
        return False
    theirs = _words(data, starts[other], lengths)
    return all(
        np.array_equal(words, same)
        for (_, words), (_, same) in zip(_words(data, starts, lengths), theirs, strict=True)
    )


def _words(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint64]]]:
    """Read the texts eight bytes at a time: the rows that are so long, and their next word.

    Shapes:
        data: (n,), with eight bytes more than the texts have. starts, lengths: (N,).
    """
    # Every eight bytes that follow each other, seen as one number.
    overlapping = np.ndarray((len(data) - WORD + 1,), "<u8", data, strides=(1,))
    rows = np.flatnonzero(lengths > 0)
    done = 0
    while len(rows):
        left = np.minimum(lengths[rows] - done, WORD)
        yield rows, overlapping[starts[rows] + done] & _KEPT[left]
        done += WORD
        rows = rows[lengths[rows] > done]
