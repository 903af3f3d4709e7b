"""Embed the text of every item."""

import dataclasses
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.progress import Progress
from features.schema import TEXT_RECIPE, compose_text
from features.text import TextFeaturizer
from features.text_cache import CachedFeaturizer, Described, TextCache
from training.featurizers import FeaturizerSource
from training.records import item_records


def item_texts(items: pl.DataFrame) -> list[str]:
    """Compose what is embedded of each item."""
    return [compose_text(record) for record in item_records(items)]


def embed_texts(
    folder: Path, texts: list[str], source: FeaturizerSource, cache: Path
) -> dict[str, Any]:
    """Write the vectors and what made them; texts embedded before come from `cache`.

    Where it has them all, nothing is opened.
    """
    with closing(TextCache(cache)) as store:
        described = store.described(source.revision)
        vectors = None if described is None else store.recall(described, texts)
        if described is None or vectors is None:
            with source.open() as featurizer:
                vectors = _embed(featurizer, store, texts)
                described = Described.of(featurizer)
    np.save(folder / "vectors.npy", vectors)
    told = dataclasses.asdict(described) | {"recipe": TEXT_RECIPE}
    (folder / "featurizer.json").write_text(json.dumps(told, indent=2) + "\n")
    return {"texts": len(texts)}


def _embed(featurizer: TextFeaturizer, cache: TextCache, texts: list[str]) -> NDArray[np.float32]:
    with Progress("text vectors", unit="texts", total=len(texts)) as progress:
        # The total becomes smaller where texts are equal, which are embedded once.
        return CachedFeaturizer(featurizer, cache, on_progress=progress.reach).embed(texts)
