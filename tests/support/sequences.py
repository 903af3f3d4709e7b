"""People's sequences for tests."""

import numpy as np
from numpy.typing import ArrayLike

from training.histories import Sequences


def sequences_of(
    indptr: ArrayLike,
    rows: ArrayLike,
    *,
    strong: ArrayLike | None = None,
    moment: ArrayLike | None = None,
) -> Sequences:
    """Put sequences together, by default of strong signals of whole weight, in a clear order."""
    items = np.asarray(rows)
    return Sequences(
        np.asarray(indptr),
        items,
        np.ones(len(items), dtype=np.float32),
        np.ones(len(items), dtype=np.bool_) if strong is None else np.asarray(strong),
        np.arange(len(items)) if moment is None else np.asarray(moment),
    )
