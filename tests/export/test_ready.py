"""What is kept ready is what a server would compute."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from export.generation import (
    Generation,
    GenerationCorruptError,
    GenerationInvalidError,
    Ready,
    read,
    write,
)
from retrieval.calibrate import Calibration
from server.engine import Engine
from server.limits import Limits
from server.requests import ItemFilter, Person, RecommendTask, Shape
from server.stopwatch import Stopwatch
from tests.support.generation import CREATED, LISTED, tiny_contents


@pytest.fixture(scope="module")
def generation(tmp_path_factory: pytest.TempPathFactory) -> Generation:
    contents = tiny_contents(newest_seen=False)
    path = write(tmp_path_factory.mktemp("generations"), contents, created=CREATED)
    return read(path, allow_test_featurizer=True)


def ready(generation: Generation) -> Ready:
    assert generation.ready is not None
    return generation.ready


def test_lists_are_what_a_server_computes(generation: Generation) -> None:
    engine = Engine(generation, Limits(), choice="cpu", threads=1)
    users = range(len(generation.user_ids))
    tasks = [
        RecommendTask(Person(generation.user_ids.id(row)), Shape(LISTED, ItemFilter()))
        for row in users
    ]
    for row, answer in zip(users, engine.recommender.recommend(tasks, Stopwatch()), strict=True):
        (computed,) = answer.lists
        ids = generation.item_ids.ids(ready(generation).rows[row])
        assert [hit.item_id for hit in computed.hits] == ids
        scores = [hit.score for hit in computed.hits]
        np.testing.assert_allclose(ready(generation).scores[row], scores, atol=1e-5)
        chances = [hit.calibrated or np.nan for hit in computed.hits]
        np.testing.assert_allclose(ready(generation).chances[row], chances, atol=1e-5)


def test_nothing_seen_is_listed_and_what_was_only_looked_at_may_be(generation: Generation) -> None:
    shown = 0
    for row in range(len(generation.user_ids)):
        history = generation.history(row)
        listed = ready(generation).rows[row]
        assert not np.isin(listed, history.rows[history.seen]).any()
        shown += int(np.isin(listed, history.rows[~history.seen]).sum())
    assert shown


def test_lists_end_where_the_catalogue_does() -> None:
    contents = tiny_contents()
    longer = replace(contents, ready=_padded(contents.ready, 60))
    assert longer.counts.listed == 60
    with pytest.raises(GenerationInvalidError, match="list_rows: expected no row behind a -1"):
        replace(contents, ready=replace(longer.ready, rows=longer.ready.rows[:, ::-1]))


def test_row_outside_the_catalogue_is_refused() -> None:
    contents = tiny_contents()
    rows = contents.ready.rows.copy()
    rows[3, 0] = 60
    with pytest.raises(GenerationInvalidError, match="list_rows: expected rows from -1 to 59"):
        replace(contents, ready=replace(contents.ready, rows=rows))


@pytest.mark.parametrize("chance", [-0.1, 1.1])
def test_chance_that_is_none_is_refused(chance: float) -> None:
    contents = tiny_contents()
    chances = contents.ready.chances.copy()
    chances[0, 0] = chance
    with pytest.raises(GenerationInvalidError, match="list_chances: expected numbers from 0 to 1"):
        replace(contents, ready=replace(contents.ready, chances=chances))


def test_calibration_of_other_types_is_refused() -> None:
    with pytest.raises(GenerationInvalidError, match="calibration: expected 2 types, it has 1"):
        replace(tiny_contents(), calibration=Calibration((1.0,), (0.0,)))


def test_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, tiny_contents(), created=CREATED)
    np.save(path / "list_rows.npy", np.zeros((20, LISTED + 1), dtype=np.int32))
    with pytest.raises(GenerationCorruptError, match="list_rows"):
        read(path, verify=False, allow_test_featurizer=True)


def _padded(ready: Ready, width: int) -> Ready:
    gap = ((0, 0), (0, width - ready.rows.shape[1]))
    rows = np.pad(ready.rows, gap, constant_values=-1)
    return Ready(ready.vectors, rows, np.pad(ready.scores, gap), np.pad(ready.chances, gap))
