"""A generation on trial, in a process of its own: `python -m server.supervision.trial PATH FLAGS`.

Whatever is wrong with it, files that were damaged on the way or networks that compute otherwise
here, is found out here, and what crashes or eats memory does so alone. The last line of the output
is a JSON object: what was measured, or `error` and `kind`; the exit status is 0 or 1.
"""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray
from pydantic_settings import CliApp

from export.generation import Generation, Ready
from retrieval.exact import ExactIndex
from retrieval.store import load_index
from retrieval.tune import recall_of
from server.engine import Engine
from server.memory import available_bytes
from server.requests import ItemFilter, Person, RecommendTask, Shape
from server.settings import Settings
from server.stopwatch import Stopwatch
from server.supervision.opening import Read, open_engine, read_generation
from server.supervision.report import Report

SAMPLED = 64
DEPTH = 10
MOST_DIFFERENCE = 1e-3
"""Of any number of a vector, between the machine that exported and this one: rounding, on a GPU
too."""
LEAST_AGREEMENT = 0.99
LEAST_RECALL = 0.95


class TrialError(Exception):
    """A generation that can be opened and must not answer."""


def try_generation(path: Path, settings: Settings, read: Read) -> Report:
    """Open a generation, every file hashed, and hold it to what was recorded at export.

    Raises:
        TrialError: it answers otherwise than recorded, its index misses too much, or there is not
            the memory for it.
        GenerationError, RetrievalError, StartError: it cannot be opened.
    """
    before, free = _private_bytes(), available_bytes()
    generation = read(path, True)
    engine, texts = open_engine(generation, settings)
    texts.close()
    people = _sample(len(generation.user_ids))
    report = Report(
        generation=generation.name,
        vector_difference=None,
        agreement=None,
        recall=_recall(generation, people),
        private_bytes=max(0, _private_bytes() - before),
    )
    _check_memory(report, generation, settings.workers, free)
    if report.recall < LEAST_RECALL:
        raise TrialError(
            f"its index finds {report.recall:.1%} of the true ten nearest items, expected at least "
            f"{LEAST_RECALL:.0%}"
        )
    if generation.ready is None or not len(people):
        return report
    return _compared(engine, generation.ready, people, report)


def _compared(engine: Engine, ready: Ready, people: NDArray[np.int64], report: Report) -> Report:
    """Compare what is computed here with what is recorded."""
    users = engine.users
    known = [users.state(Person(each)) for each in engine.generation.user_ids.ids(people)]
    embedded = users.embed(known, Stopwatch())
    vectors = np.stack([each.vector for each in embedded])
    difference = float(np.abs(vectors - ready.vectors[people]).max())
    if not difference <= MOST_DIFFERENCE:
        raise TrialError(
            f"vectors of people differ by {difference:.1e} from those recorded at export, "
            f"at most {MOST_DIFFERENCE:.0e} is rounding"
        )
    agreement = _agreement(engine, ready, people)
    if agreement < LEAST_AGREEMENT:
        raise TrialError(
            f"{agreement:.1%} of the recommendations recorded at export are made here, expected "
            f"at least {LEAST_AGREEMENT:.0%}"
        )
    return replace(report, vector_difference=difference, agreement=agreement)


def _agreement(engine: Engine, ready: Ready, people: NDArray[np.int64]) -> float:
    """Share of the recorded recommendations that are computed as well."""
    generation, depth = engine.generation, min(DEPTH, ready.rows.shape[1])
    recorded = [row[row >= 0] for row in ready.rows[people, :depth]]
    tasks = [
        RecommendTask(Person(generation.user_ids.id(int(person))), Shape(depth, ItemFilter()))
        for person, rows in zip(people, recorded, strict=True)
        if len(rows)
    ]
    found = wanted = 0
    answers = engine.recommender.recommend(tasks, Stopwatch()) if tasks else []
    for rows, answer in zip((each for each in recorded if len(each)), answers, strict=True):
        ids = {hit.item_id for each in answer.lists for hit in each.hits}
        found += len(ids.intersection(generation.item_ids.ids(rows)))
        wanted += len(rows)
    return found / wanted if wanted else 1.0


def _recall(generation: Generation, people: NDArray[np.int64]) -> float:
    """Ask the index and an exact search the same."""
    if not len(generation):
        return 1.0
    vectors = generation.item_vectors[_sample(len(generation))]
    if generation.ready is not None and len(people):
        vectors = generation.ready.vectors[people]
    index = load_index(generation.index_folder, generation.item_vectors)
    depth = min(DEPTH, len(generation))
    wanted = ExactIndex(generation.item_vectors).search(vectors, depth).rows
    return recall_of(index.search(vectors, depth).rows, wanted)


def _check_memory(report: Report, generation: Generation, workers: int, free: int) -> None:
    files = sum(each.bytes for each in generation.manifest.files.values())
    needed = files + workers * report.private_bytes
    if needed > free:
        raise TrialError(
            f"it needs {needed / 1e6:,.0f} MB, {files / 1e6:,.0f} of them its files and "
            f"{report.private_bytes / 1e6:,.0f} in each of {workers} workers; "
            f"{free / 1e6:,.0f} MB are free"
        )


def _sample(count: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(0).permutation(count)[:SAMPLED])


def _private_bytes() -> int:
    return int(psutil.Process().memory_full_info().uss)


def main(arguments: list[str], *, read: Read = read_generation) -> int:
    """Try the generation at a path, with the flags of the server."""
    settings = CliApp.run(Settings, cli_args=arguments[1:])
    try:
        told = asdict(try_generation(Path(arguments[0]), settings, read))
    except Exception as error:  # noqa: BLE001 - the supervisor hears of whatever it was
        told = {"kind": type(error).__name__, "error": str(error) or type(error).__name__}
    sys.stdout.write(json.dumps(told) + "\n")
    return int("error" in told)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
