"""Evaluation cases written down by hand."""

from collections.abc import Sequence

import numpy as np

from graph.cases import Cases


def cases_of(
    histories: Sequence[Sequence[int]],
    targets: Sequence[int],
    *,
    users: Sequence[int] | None = None,
    slices: Sequence[str] | None = None,
    tied: Sequence[bool] | None = None,
    warm: Sequence[bool] | None = None,
    unseen_person: Sequence[bool] | None = None,
    barred: Sequence[Sequence[int]] | None = None,
) -> Cases:
    """Build cases from histories, oldest first, and their targets; flags are False by default.

    The histories are of strong signals, so what is barred is what they hold, unless `barred` says
    otherwise.
    """
    count = len(targets)
    no = [False] * count
    flat = [row for history in histories for row in history]
    seen = histories if barred is None else barred
    return Cases(
        user_row=np.array(range(count) if users is None else users, dtype=np.int64),
        target=np.array(targets, dtype=np.int64),
        history_indptr=np.cumsum([0, *(len(history) for history in histories)]).astype(np.int64),
        history_rows=np.array(flat, dtype=np.int64),
        history_weight=np.ones(len(flat), dtype=np.float32),
        slice_name=np.array(["test"] * count if slices is None else slices, dtype=np.str_),
        tied=np.array(tied or no, dtype=np.bool_),
        warm=np.array(warm or no, dtype=np.bool_),
        unseen_person=np.array(unseen_person or no, dtype=np.bool_),
        unseen_item=np.array(no, dtype=np.bool_),
        repeated=np.array(
            [target in rows for target, rows in zip(targets, seen, strict=True)],
            dtype=np.bool_,
        ),
        history_strong=np.ones(len(flat), dtype=np.bool_),
        barred_indptr=np.cumsum([0, *(len(rows) for rows in seen)]).astype(np.int64),
        barred_rows=np.array([row for rows in seen for row in rows], dtype=np.int64),
    )
