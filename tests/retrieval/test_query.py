from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retrieval.errors import QueryError
from retrieval.query import Query

VECTOR = np.ones(3, dtype=np.float32)
FLOATS: Any = np.ones(2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Query(VECTOR, 0), "k: expected at least 1, got 0"),
        (lambda: Query(VECTOR, -5), "k: expected at least 1, got -5"),
        (lambda: Query(VECTOR[np.newaxis], 1), "vector: expected one dimension, got shape (1, 3)"),
        (lambda: Query(np.float32(np.nan) * VECTOR, 1), "vector: has a value that is not finite"),
        (lambda: Query(np.float32(1e30) * VECTOR, 1), "vector: has a value that is not finite"),
        (lambda: Query(VECTOR, 1, types=()), "types: expected at least one type"),
        (lambda: Query(VECTOR, 1, include=FLOATS), "include: expected int64 of shape (n,)"),
        (
            lambda: Query(VECTOR, 1, exclude=np.ones((1, 1), dtype=np.int64)),
            "exclude: expected int64 of shape (n,), got int64 of (1, 1)",
        ),
    ],
)
def test_malformed_query_cannot_be_made(make: Callable[[], Query], message: str) -> None:
    with pytest.raises(QueryError) as caught:
        make()
    assert str(caught.value).startswith(message)
    assert caught.value.element is None
