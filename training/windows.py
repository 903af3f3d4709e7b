"""Stretches of people's sequences in which every place is an example of what came next."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.histories import HistoryBatch, Sequences, newest_first

_PARTS = 4
_WORTH_IT = 0.75
"""Share of the padded places that has to be left for windows to be parted by length."""


@dataclass(frozen=True)
class WindowBatch:
    """Histories, and what came after each of their places.

    Shapes:
        user: (B,) int64. history: B histories of L places, newest first.
        target: (B, L + 1) int64, the item after each place; in the last column a person's very
            first item, which came after nothing.
        is_target: (B, L + 1) bool, False where there is none or its signal is not strong.
    """

    user: Tensor
    history: HistoryBatch
    target: Tensor
    is_target: Tensor


def draw_windows(
    sequences: Sequences, length: int, most_per_person: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Cut every sequence into windows of up to `length` + 1 items, in random order.

    A sequence that is longer has its newest items in one window, and all others in windows that
    lie at a random offset from the end, so that over the epochs every place is seen with many
    lengths of history before it, the newest ones twice as often. Of somebody's windows at most
    `most_per_person` are kept, drawn at random, so that busy people do not dominate.

    Shapes:
        returns: (W, 2), first position and end of each window.
    """
    start, end = sequences.indptr[:-1], sequences.indptr[1:]
    size = end - start
    longer = size > length + 1
    offset = np.where(longer, rng.integers(1, length + 1, len(size)), 0)
    shifted = np.where(size > 0, np.maximum(-(-(size - offset - 1) // length), 1), 0)
    count = longer + shifted
    person = np.repeat(np.arange(len(size)), count)
    number = np.arange(len(person)) - np.repeat(np.cumsum(count) - count, count)
    newest = longer[person] & (number == 0)
    back = offset[person] + (number - longer[person]) * length
    window_end = end[person] - np.where(newest, 0, back)
    window_start = np.maximum(window_end - length - 1, start[person])
    order = np.lexsort((rng.random(len(person)), person))
    first = np.searchsorted(person[order], person[order])
    kept = rng.permutation(order[np.arange(len(order)) - first < most_per_person])
    return np.stack((window_start[kept], window_end[kept]), axis=1)


def part_by_length(windows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Part windows into such of about one length, where that spares much padding.

    Shapes:
        windows: (B, 2). yields: (b, 2), all of the windows, the longest first.
    """
    size = windows[:, 1] - windows[:, 0]
    order = np.argsort(-size, kind="stable")
    parts = [part for part in np.array_split(order, _PARTS) if len(part)]
    places = sum(len(part) * size[part[0]] for part in parts)
    if places > _WORTH_IT * len(size) * size.max(initial=0):
        yield windows
    else:
        yield from (windows[part] for part in parts)


def cut_windows(sequences: Sequences, windows: NDArray[np.int64], length: int) -> WindowBatch:
    """Read the histories and targets of some windows.

    Shapes:
        windows: (B, 2), as `draw_windows` gives them.
    """
    start, end = windows.T
    user = np.searchsorted(sequences.indptr, start, side="right") - 1
    history = newest_first(sequences.rows, sequences.weight, start, end - 1, length)
    places = history.rows.shape[1]
    after = end[:, None] - 1 - np.arange(places)  # (B, L), the position that follows each place
    first = np.where(start == sequences.indptr[user], start, -1)[:, None]
    position = np.concatenate((np.where(after > start[:, None], after, -1), first), axis=1)
    present = position >= 0
    position = np.where(present, position, 0)
    return WindowBatch(
        torch.from_numpy(user),
        history,
        torch.from_numpy(sequences.rows[position]),
        torch.from_numpy(present & sequences.strong[position]),
    )
