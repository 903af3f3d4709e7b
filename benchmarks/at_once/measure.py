"""How many rows a network had better compute at once."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.endurance.memory import MEGA, memory
from export.generation import Generation, GenerationError, read
from features.schema import ItemRecord
from server.engine import Engine
from server.limits import Limits
from server.requests import EmbeddedText, History, NewItem, Person
from server.stopwatch import Stopwatch
from server.stores.people import PersonState

ROWS = 256
NUMBERS = (1, 4, 8, 16, 64, 256)


@dataclass(frozen=True)
class Measured:
    """Microseconds for each row, and what the process holds more than before."""

    long_us: float
    any_us: float
    items_us: float
    kept_mb: float


def report(options: argparse.Namespace) -> int:
    """Measure, and print the tables."""
    try:
        read(options.generation)
    except GenerationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print("| at once | a person, µs | of any length, µs | a new item, µs | kept, MB |")
    print("|---:|---:|---:|---:|---:|")
    for number in NUMBERS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            each = alone.submit(measure, options.generation, number, options.rounds).result()
        print(
            f"| {number} | {each.long_us:,.0f} | {each.any_us:,.0f} | {each.items_us:,.0f} "
            f"| {each.kept_mb:,.0f} |",
            flush=True,
        )
    return 0


def measure(folder: Path, number: int, rounds: int) -> Measured:
    """Compute everything in parts of `number` rows."""
    generation = read(folder)
    with threadpool_limits(1):  # as in a worker
        engine = Engine(generation, Limits(), choice="cpu", threads=1)
        engine.models.rows_at_once = number
        rng = np.random.default_rng(0)
        longest = generation.manifest.history_length
        long = _people(generation, engine, np.full(ROWS, longest), rng)
        any_length = _people(generation, engine, rng.integers(1, longest + 1, ROWS), rng)
        items = _items(generation, rng)
        before = memory(os.getpid()).own
        return Measured(
            long_us=_median_us(partial(engine.users.vectors, long), rounds),
            any_us=_median_us(partial(engine.users.vectors, any_length), rounds),
            items_us=_median_us(lambda: engine.items.embed(items, Stopwatch()), rounds),
            kept_mb=(memory(os.getpid()).own - before) / MEGA,
        )


def _people(
    generation: Generation, engine: Engine, lengths: NDArray[np.int64], rng: np.random.Generator
) -> list[PersonState]:
    def person(length: int) -> Person:
        rows = rng.integers(0, len(generation), length)
        return Person(history=History.chosen(generation.item_ids.ids(rows)))

    return [engine.users.state(person(length)) for length in lengths.tolist()]


def _items(generation: Generation, rng: np.random.Generator) -> list[EmbeddedText]:
    width, most = generation.manifest.dimensions.text, Limits().max_neighbours_per_relation
    item_type = generation.manifest.item_types[0]
    tasks = []
    for number in range(ROWS):
        vector = rng.standard_normal(width, dtype=np.float32)
        related = generation.item_ids.ids(rng.integers(0, len(generation), most))
        item = NewItem(ItemRecord(item_type, f"Title {number}"), "", tuple(related))
        tasks.append(EmbeddedText(item, vector / np.linalg.norm(vector), "drawn"))
    return tasks


def _median_us(call: Callable[[], object], rounds: int) -> float:
    call()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken)) / ROWS * 1e6
