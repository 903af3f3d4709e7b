"""Run folder -> generation -> current."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from export.assemble import assemble
from export.errors import RunError
from export.generation import Generation, read, switch, write
from export.generation.folder import GENERATIONS_FOLDER
from export.networks import check_catalogue, export_networks
from export.record import find_published, hash_run, record_published
from export.run import RunParts, read_run
from export.settings import PublishSettings
from retrieval.store import build_index, load_index


def publish(
    run: Path,
    out: Path,
    settings: PublishSettings,
    *,
    created: datetime,
    say: Callable[[str], None],
) -> Generation:
    """Write the run's generation into `out/generations` and make it current.

    The same run with the same metrics gives the same generation, and one that is there
    already is kept. Nothing is left behind when anything fails.

    Raises:
        RunError: the run is not finished, or its parts do not belong together.
        ParityError: an exported network differs from torch by more than rounding.
        GenerationError: the generation cannot be written or read back.
    """
    inputs = hash_run(run, settings)
    name = find_published(out, inputs)
    if name is not None and (out / GENERATIONS_FOLDER / name).is_dir():
        say(f"{name}: the run has not changed since it was published")
    else:
        name = _write(run, out, settings, created, say).name
    generation = read(
        out / GENERATIONS_FOLDER / name, allow_test_featurizer=settings.test_featurizer_allowed
    )
    load_index(generation.index_folder, generation.item_vectors)
    record_published(out, inputs, name)
    if settings.made_current:
        switch(out, name)
    return generation


def _write(
    run: Path,
    out: Path,
    settings: PublishSettings,
    created: datetime,
    say: Callable[[str], None],
) -> Path:
    """Export, prove, assemble and write."""
    parts = read_run(run)
    _check_featurizer(parts, settings)
    networks = export_networks(parts, say)
    check_catalogue(parts, networks.models)
    index = build_index(
        parts.item_vectors, parts.graph.item_type, approximate_from=settings.approximate_from
    )
    say(f"index: {index.kind} over {len(index):,} items")
    say(f"answers kept ready: {settings.listed} items for each user")
    contents = assemble(parts, networks, index, settings.metrics, listed=settings.listed)
    return write(out / GENERATIONS_FOLDER, contents, created=created)


def _check_featurizer(parts: RunParts, settings: PublishSettings) -> None:
    if parts.featurizer.for_tests_only and not settings.test_featurizer_allowed:
        raise RunError(
            parts.folder / "text" / "featurizer.json",
            f"the text vectors come from {parts.featurizer.name!r}, a fake for tests: "
            "they must not serve",
        )
