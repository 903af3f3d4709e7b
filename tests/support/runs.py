"""A whole small run on a world, with the hash fake in place of an encoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from features.text import HashFeaturizer, TextFeaturizer
from graph.worlds import World, write_world
from training.foundation import FoundationSettings
from training.loop import LoopSettings
from training.pipeline import Inputs, Run
from training.settings import Settings
from training.tower_settings import AdaptationSettings

SMALL = Settings(
    foundation=FoundationSettings(
        loop=LoopSettings(epochs=12, patience=12, learning_rate=3e-3),
        dimensions=16,
        hidden_dimensions=16,
        fanout=4,
        batch_size=64,
        negatives=32,
    ),
    adaptation=AdaptationSettings(
        loop=LoopSettings(epochs=12, patience=12, learning_rate=3e-3),
        hidden_dimensions=(32,),
        dimensions=16,
        batch_size=64,
        negatives=32,
    ),
)

_ONCE = LoopSettings(epochs=1)
QUICK = replace(
    SMALL,
    foundation=replace(SMALL.foundation, loop=_ONCE),
    adaptation=replace(SMALL.adaptation, loop=_ONCE),
)
"""Where it does not matter what was learned."""


@dataclass(frozen=True)
class HashSource:
    """Opens the hash fake."""

    dimensions: int = 32

    @property
    def revision(self) -> str:
        """The fake's revision."""
        return HashFeaturizer(self.dimensions).revision

    @contextmanager
    def open(self) -> Iterator[TextFeaturizer]:
        """Yield the fake."""
        yield HashFeaturizer(self.dimensions)


def make_run(
    folder: Path, world: World, *, holding: str = "test", settings: Settings = SMALL
) -> Run:
    """Run every stage up to the towers in `folder`/run, on the world written to `folder`/data."""
    write_world(world, folder / "data")
    run = Run(folder / "run", Inputs(data=folder / "data", holding=holding, settings=settings))
    make_stages(run)
    return run


def make_stages(run: Run) -> dict[str, bool]:
    """Make every stage and tell which had to run."""
    results = [
        run.make_dataset(),
        run.make_text(HashSource(), run.folder / "cache.sqlite"),
        run.make_graph(),
        run.make_foundation(),
        run.make_adaptation(),
        run.make_fusion(),
    ]
    return {result.folder.name: result.ran for result in results}
