"""How long a recommendation takes inside the process."""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation, GenerationError, read
from retrieval.evidence import Person as Listener
from retrieval.evidence import gather, reach
from server.engine import Engine
from server.fusion import Fuser, evidence_of
from server.limits import Limits
from server.requests import ItemFilter, Person, RecommendTask, Shape
from server.runtime import UserInputs
from server.stopwatch import Stopwatch

WARM_UP = 20
K = 10


@dataclass(frozen=True)
class Timing:
    """Microseconds of many calls."""

    what: str
    taken_us: NDArray[np.float64]

    def __str__(self) -> str:
        """Lay out as a row of a table."""
        middle, late = np.quantile(self.taken_us, [0.5, 0.99])
        return f"| {self.what} | {middle:,.0f} | {late:,.0f} |"


def report(options: argparse.Namespace) -> int:
    """Measure, and print the tables."""
    try:
        generation = read(options.generation)
    except GenerationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    engine = Engine(generation, Limits(), choice="cpu", threads=1)
    print(f"{len(generation):,} items, {len(generation.user_ids):,} people, k = {K}\n")
    print("| call | median, µs | 99th percentile, µs |\n|---|---:|---:|")
    for timing in measure(generation, engine, options.calls):
        print(timing)
    if generation.pairs is not None:
        share = agreement(generation, engine, min(options.calls, 300))
        print(f"\nof the best {K} of the whole catalogue, {share:.2%} are recommended")
    return 0


def measure(generation: Generation, engine: Engine, calls: int) -> list[Timing]:
    """Time each kind of call, on people drawn by a fixed seed."""
    rng = np.random.default_rng(0)
    people = rng.integers(0, len(generation.user_ids), calls + WARM_UP)
    length = generation.manifest.history_length
    rows = rng.integers(0, len(generation), (calls + WARM_UP, 1, length))
    none, ones = np.zeros((1, 3), dtype=np.int64), np.ones((1, length), dtype=np.float32)

    def tower(number: int) -> None:
        vectors = generation.history_vectors[rows[number]]
        types = generation.item_type[rows[number]]
        engine.models.embed_users(UserInputs(none, vectors, types, ones))

    def recommend(number: int) -> None:
        person = Person(generation.user_ids.id(int(people[number])))
        task = RecommendTask(person, Shape(k=K, filter=ItemFilter()))
        engine.recommender.recommend([task], Stopwatch())

    timings = [
        _time(f"user tower, {length} history items", tower, calls),
        _time("recommendation for a known person", recommend, calls),
    ]
    if generation.pairs is not None:
        fuser = Fuser(generation, engine.models)

        def listen(number: int) -> None:
            history = generation.history(int(people[number]))
            newest = history.rows[::-1].astype(np.int64)
            fuser.listen(generation.item_vectors[0], newest, history.weight[::-1])

        timings.append(_time("in it: what the history speaks for", listen, calls))
    return timings


def agreement(generation: Generation, engine: Engine, people: int) -> float:
    """Give the share of the best items of the whole catalogue that candidates hold."""
    catalogue = evidence_of(generation)
    everything, found = np.arange(len(generation)), 0
    for row in np.random.default_rng(1).integers(0, len(generation.user_ids), people).tolist():
        person = Person(generation.user_ids.id(row))
        history = generation.history(row)
        heard = history.weight > 0
        (embedded,) = engine.users.embed([engine.users.state(person)], Stopwatch())
        who = Listener(
            embedded.vector,
            history.rows[heard][::-1].astype(np.int64),
            history.weight[heard][::-1],
        )
        scores = engine.models.score(gather(catalogue, who, reach(catalogue, who), everything))
        scores[history.rows] = -np.inf
        best = generation.item_ids.ids(np.argsort(-scores, kind="stable")[:K])
        task = RecommendTask(person, Shape(k=K, filter=ItemFilter()))
        (answer,) = engine.recommender.recommend([task], Stopwatch())
        found += len({hit.item_id for hit in answer.lists[0].hits} & set(best))
    return found / (K * people)


def _time(what: str, call: Callable[[int], None], calls: int) -> Timing:
    for number in range(WARM_UP):
        call(number)
    taken = np.empty(calls)
    for number in range(calls):
        began = time.perf_counter()
        call(WARM_UP + number)
        taken[number] = time.perf_counter() - began
    return Timing(what, taken * 1e6)
