from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from export.generation import GenerationContents, GenerationInvalidError
from retrieval.exact import ExactIndex
from tests.support.generation import tiny_contents


@cache
def good() -> GenerationContents:
    return tiny_contents()


def edited(name: str, place: Any, value: Any) -> dict[str, Any]:  # noqa: ANN401 (any array)
    array = getattr(good(), name).copy()
    array[place] = value
    return {name: array}


def test_the_tiny_contents_are_good() -> None:
    assert good().counts.items == 60


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda: edited("text", (3, 0), np.nan), "text: row 3"),
        (lambda: edited("hgnn", 59, 0), "hgnn: row 59"),
        (lambda: edited("item_vectors", 0, 2), "item_vectors: row 0"),
        (lambda: edited("popularity", 5, np.inf), "popularity: row 5"),
        (lambda: {"layers": (edited("text", (1, 1), np.inf)["text"],)}, "layer_1: row 1"),
        (lambda: {"text": good().text.astype(np.float64)}, "text: expected float32"),
        (lambda: {"text": good().text[0]}, "text: expected"),
        (lambda: {"text": good().text[1:]}, "text: expected float32 of"),
        (lambda: {"item_vectors": good().item_vectors[:, :8]}, "user_vectors: expected"),
        (lambda: edited("item_type", 0, 2), "item_type: expected numbers from 0 to 1"),
        (lambda: edited("item_type", 0, 1), "items: item_type contradicts"),
        (lambda: {"item_type": good().item_type[1:]}, "item_type: expected 60 entries"),
        (lambda: {"items": good().items.drop("year")}, "items: expected columns"),
        (lambda: {"items": good().items.reverse()}, "items: item_type contradicts"),
        (
            lambda: {"items": good().items.with_columns(pl.lit("a").alias("item_id"))},
            "ids: 'a' occurs more than once",
        ),
        (
            lambda: {"items": good().items.with_columns(pl.col("item_id").reverse())},
            "items: expected rows sorted by type, then by item_id",
        ),
        (
            lambda: {"items": good().items.with_columns(pl.lit(None).alias("item_id"))},
            "items: item_id must be strings",
        ),
        (lambda: edited("graph_indptr", -1, 1), "graph_indptr: expected to rise from 0"),
        (lambda: edited("graph_indptr", 0, 1), "graph_indptr: expected to rise from 0"),
        (lambda: edited("graph_indptr", 5, 9999), "graph_indptr: expected to rise from 0"),
        (lambda: edited("graph_neighbours", 0, 60), "graph_neighbours: expected rows from 0 to 59"),
        (lambda: edited("graph_neighbours", 0, -1), "graph_neighbours: expected rows"),
        (lambda: edited("graph_neighbours", 0, 45), "graph_neighbours: slot 0 holds items of"),
        (lambda: edited("graph_weights", 2, np.nan), "graph_weights: row 2"),
        (lambda: edited("history_rows", 0, 60), "history_rows: expected rows from 0 to 59"),
        (lambda: edited("history_weight", 0, -1), "history_weight: expected weights of 0 or more"),
        (lambda: edited("history_weight", 0, np.nan), "history_weight: row 0"),
        (lambda: edited("history_indptr", 3, 9999), "history_indptr: expected to rise"),
        (lambda: edited("user_features", (0, 0), 9), "user_features: country: expected rows from"),
        (lambda: edited("user_features", (0, 2), -1), "user_features: gender: expected rows from"),
        (lambda: {"user_ids": ("a", "b")}, "user_features: expected int64 of"),
        (lambda: {"index": ExactIndex(good().item_vectors[1:])}, "index: expected"),
    ],
)
def test_what_contradicts_itself_cannot_exist(change: Any, field: str) -> None:  # noqa: ANN401
    with pytest.raises(GenerationInvalidError) as refused:
        replace(good(), **change())

    assert str(refused.value).startswith(field)


def test_contents_without_genres_or_edges_are_fine() -> None:
    lonely = replace(
        good(),
        graph_indptr=np.zeros_like(good().graph_indptr),
        graph_neighbours=good().graph_neighbours[:0],
        graph_weights=good().graph_weights[:0],
        graph_users=good().graph_users[:0],
        items=good().items.with_columns(genres=pl.lit([], dtype=pl.List(pl.String))),
    )

    assert lonely.counts.edges == 0
