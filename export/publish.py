"""Run folder -> generation -> current."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.assemble import assemble
from export.errors import RunError
from export.generation import Generation, read, switch, write
from export.generation.folder import GENERATIONS_FOLDER
from export.networks import check_catalogue, export_networks
from export.run import read_run
from retrieval.approximate import ApproximateIndex
from retrieval.exact import ExactIndex
from retrieval.index import VectorIndex
from retrieval.store import APPROXIMATE_FROM, load_index


@dataclass(frozen=True, kw_only=True)
class PublishSettings:
    """How a run becomes a generation."""

    approximate_from: int = APPROXIMATE_FROM
    """Items from which the approximate index is built. Larger: exact answers, slower."""

    history_length: int = 50
    """Newest history items that the user tower was trained to read; as in the adaptation's
    setting of that name. The server gives the tower no more than these."""

    made_current: bool = True
    """Whether servers should take the new generation at once."""

    test_featurizer_allowed: bool = False
    """Whether text vectors may come from a fake. Such a generation does not serve."""


def publish(
    run: Path,
    out: Path,
    settings: PublishSettings,
    *,
    created: datetime,
    say: Callable[[str], None],
) -> Generation:
    """Write the run's generation into `out/generations` and make it current.

    The same run gives the same generation, and one that is there already is kept. Nothing is
    left behind when anything fails.

    Raises:
        RunError: the run is not finished, or its parts do not belong together.
        ParityError: an exported network differs from torch by more than rounding.
        GenerationError: the generation cannot be written or read back.
    """
    parts = read_run(run)
    if parts.featurizer.for_tests_only and not settings.test_featurizer_allowed:
        raise RunError(
            run / "text" / "featurizer.json",
            f"the text vectors come from {parts.featurizer.name!r}, a fake for tests: "
            "they must not serve",
        )
    networks = export_networks(parts, say)
    check_catalogue(parts, networks.models)
    index = choose_index(parts.item_vectors, parts.graph.item_type, settings.approximate_from)
    say(f"index: {index.kind} over {len(index):,} items")
    contents = assemble(parts, networks, index, history_length=settings.history_length)
    target = write(out / GENERATIONS_FOLDER, contents, created=created)
    generation = read(target, allow_test_featurizer=settings.test_featurizer_allowed)
    load_index(generation.index_folder, generation.item_vectors)
    if settings.made_current:
        switch(out, generation.name)
    return generation


def choose_index(
    vectors: NDArray[np.float32], item_type: NDArray[np.int64], approximate_from: int
) -> VectorIndex:
    """Build the exact index for a small catalogue, the approximate one for a large one.

    Shapes:
        vectors: (N, D), unit rows. item_type: (N,), never decreasing.
    """
    if len(vectors) < approximate_from:
        return ExactIndex(vectors)
    return ApproximateIndex.build(vectors, item_type)
