"""Compile retrieval's kernels ahead, by recommending to everybody whom a small generation knows.

Numba compiles a kernel when it is first called with arrays of a kind, and keeps it in
NUMBA_CACHE_DIR. Everybody is recommended something in every way there is, so that a server finds
the kernels compiled. One that meets another kind of arrays all the same compiles then.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from export.generation import Generation, GenerationError, read
from server.engine import Engine
from server.limits import Limits
from server.requests import History, ItemFilter, Person, RecommendTask, Shape
from server.stopwatch import Stopwatch

DONE = 0
WRONG_GENERATION = 1
K = 3
HISTORIES = (1, 2, 20)
"""Lengths; numba tells arrays of one row from longer ones."""


def compile_by(folder: Path) -> int:
    """Compile by the generation in a folder, and return the exit status.

    Nothing is served from it, so that it may be one of the tests'.
    """
    try:
        generation = read(folder, allow_test_featurizer=True)
    except GenerationError as error:
        sys.stderr.write(f"precompile: {error}\n")
        return WRONG_GENERATION
    precompile(generation)
    return DONE


def precompile(generation: Generation) -> None:
    """Recommend to everybody in every way, one by one."""
    engine = Engine(generation, Limits(), choice="cpu", threads=1)
    for person in _people(generation):
        for shape in _shapes(generation):
            engine.recommender.recommend([RecommendTask(person, shape)], Stopwatch())


def _people(generation: Generation) -> Iterator[Person]:
    for user in range(len(generation.user_ids)):
        yield Person(user_id=generation.user_ids.id(user))
    for length in HISTORIES:
        yield Person(history=History.chosen(_items(generation, length)))


def _shapes(generation: Generation) -> Iterator[Shape]:
    some = tuple(_items(generation, K))
    filters = (
        ItemFilter(),
        ItemFilter(types=(0,)),
        ItemFilter(include=some),
        ItemFilter(exclude=some),
    )
    for chosen in filters:
        yield Shape(K, chosen)
        yield Shape(K, chosen, per_type=True)


def _items(generation: Generation, most: int) -> list[str]:
    return generation.item_ids.ids(range(min(most, len(generation.item_ids))))
