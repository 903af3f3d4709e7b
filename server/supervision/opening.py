"""From a path to a generation that is ready to answer: read, opened, warmed up."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from export.generation import Generation, read
from server.engine import Engine
from server.featurizers import open_texts
from server.requests import ItemFilter, Person, RecommendTask, Shape, SimilarTask
from server.settings import Settings
from server.stopwatch import Stopwatch
from server.telemetry.metrics import Metrics
from server.texts import Texts

WARM_UP_CALLS = 8

Read = Callable[[Path, bool], Generation]
"""Reads a generation; whether every file is to be hashed."""


def read_generation(path: Path, verify: bool) -> Generation:
    """Read a generation as a server does: one that a fake made is refused."""
    return read(path, verify=verify)


def open_engine(
    generation: Generation, settings: Settings, *, metrics: Metrics | None = None
) -> tuple[Engine, Texts]:
    """Open all that computes answers, and answer some questions before anybody asks.

    Raises:
        RetrievalError: the index cannot be opened.
        StartError: an execution provider or the featurizer does not fit.
    """
    engine = Engine(
        generation,
        settings.limits,
        choice=settings.execution_provider,
        threads=settings.model_threads,
    )
    engine.catalogue.attributes.warm_up()
    warm_up(engine)
    return engine, open_texts(settings, generation.manifest.featurizer, metrics=metrics)


def warm_up(engine: Engine) -> None:
    """Recommend to some people and look around some items, so that code and pages are there."""
    rng = np.random.default_rng(0)
    generation = engine.generation
    shape = Shape(10, ItemFilter())
    if len(generation.user_ids):
        for row in rng.integers(0, len(generation.user_ids), WARM_UP_CALLS).tolist():
            person = Person(generation.user_ids.id(row))
            engine.recommender.recommend([RecommendTask(person, shape)], Stopwatch())
            engine.users.embed([engine.users.state(person)], Stopwatch())
    if len(generation):
        for row in rng.integers(0, len(generation), WARM_UP_CALLS).tolist():
            engine.similar.find([SimilarTask(generation.item_ids.id(row), shape)], Stopwatch())
