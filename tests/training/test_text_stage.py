"""When the stage of the text vectors opens its featurizer."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from features.text import TextFeaturizer
from tests.support.runs import HashSource
from training.stages.text import embed_texts

TEXTS = ["first", "second", "first"]


class Unavailable(HashSource):
    """Tells its revision and cannot be opened."""

    @contextmanager
    def open(self) -> Iterator[TextFeaturizer]:
        raise AssertionError("opened")
        yield  # a generator all the same


def test_a_featurizer_is_opened_only_for_texts_that_are_not_in_the_cache(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    first, second, third = folders
    embed_texts(first, TEXTS, HashSource(), tmp_path / "cache.sqlite")
    embed_texts(second, TEXTS, Unavailable(), tmp_path / "cache.sqlite")
    for name in ("vectors.npy", "featurizer.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert np.load(second / "vectors.npy").shape == (3, HashSource().dimensions)
    assert json.loads((second / "featurizer.json").read_text())["name"] == "hash"

    with pytest.raises(AssertionError, match="opened"):
        embed_texts(third, [*TEXTS, "third"], Unavailable(), tmp_path / "cache.sqlite")
    with pytest.raises(AssertionError, match="opened"):
        embed_texts(third, TEXTS, Unavailable(dimensions=16), tmp_path / "cache.sqlite")
