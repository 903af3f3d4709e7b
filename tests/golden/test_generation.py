import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.generation import FORMAT, Generation, read
from features.schema import ItemRecord
from features.text import HashFeaturizer
from retrieval.store import load_index
from server.answers import ItemVector
from server.engine import Engine
from server.limits import Limits
from server.requests import EmbeddedText, ItemFilter, NewItem, Person, RecommendTask, Shape
from server.stopwatch import Stopwatch
from tests.golden.write_generation import answers
from tests.support.generation import embed_user

FOLDER = Path(__file__).parent
FORMATS = (1, 2, 3)


def opened(number: int) -> Generation:
    return read(FOLDER / f"generation_{number}", allow_test_featurizer=True)


def recorded(number: int) -> dict[str, Any]:
    text = (FOLDER / f"generation_{number}_answers.json").read_text(encoding="utf-8")
    content: dict[str, Any] = json.loads(text)
    return content


def without_vectors(content: dict[str, Any]) -> dict[str, Any]:
    return {
        group: {
            name: {k: v for k, v in each.items() if k != "vector"} for name, each in them.items()
        }
        for group, them in content.items()
        if group in ("items", "users")
    } | {group: content.get(group) for group in ("unknown", "podcasts", "pairs")}


@pytest.mark.parametrize("number", FORMATS)
def test_format_reads_and_gives_the_recorded_answers_for_ever(number: int) -> None:
    got = answers(opened(number))

    assert without_vectors(got) == without_vectors(recorded(number))


@pytest.mark.parametrize("number", FORMATS)
@pytest.mark.parametrize("group", ["items", "users"])
def test_format_gives_the_recorded_vectors_for_ever(number: int, group: str) -> None:
    got = answers(opened(number))[group]

    for name, each in recorded(number)[group].items():
        np.testing.assert_allclose(got[name]["vector"], each["vector"], atol=1e-5)


@pytest.mark.parametrize("number", FORMATS)
def test_manifest_keeps_its_name_and_meaning(number: int) -> None:
    manifest = opened(number).manifest

    assert manifest.format == number <= FORMAT
    assert manifest.generation == recorded(number)["name"]
    assert (manifest.created, manifest.as_of) == ("2026-01-02T03:04:05Z", "2026-01-01T00:00:00Z")
    assert (manifest.counts.items, manifest.counts.users) == (60, 20)
    assert (manifest.featurizer.name, manifest.index.kind) == ("hash", "exact")
    assert manifest.metrics[0]["metric"] == "hr@10"
    assert manifest.history_vectors == "hgnn"


def test_format_1_does_not_tell_what_was_seen_so_all_is() -> None:
    histories = [[opened(number).history(user) for user in range(20)] for number in FORMATS]
    assert all(history.seen.all() for history in histories[0])
    assert {history.seen.tolist().index(False) for history in histories[1]} == {9}


@pytest.mark.parametrize("number", FORMATS)
def test_index_finds_each_item_by_its_own_vector(number: int) -> None:
    generation = opened(number)
    index = load_index(generation.index_folder, generation.item_vectors)

    hits = index.search(generation.item_vectors, 1)

    assert hits.rows[:, 0].tolist() == list(range(60))


@pytest.mark.parametrize("number", FORMATS)
def test_every_format_is_served(number: int) -> None:
    generation = opened(number)
    engine = Engine(generation, Limits(), choice="cpu", threads=1)
    task = RecommendTask(Person("user-1"), Shape(k=3, filter=ItemFilter()))
    (found,) = engine.recommender.recommend([task], Stopwatch())
    best = [hit.item_id for hit in found.lists[0].hits]
    user = generation.user_ids.lookup(["user-1"])[0]
    likeness = generation.item_vectors @ embed_user(generation, int(user))
    history = generation.history(int(user))
    likeness[history.rows[history.seen]] = -1
    assert best == generation.item_ids.ids(np.argsort(-likeness, kind="stable")[:3])
    record = ItemRecord("podcast", title="Out today", genres=("history",))
    text = HashFeaturizer(generation.manifest.dimensions.text).embed(["Out today. history."])[0]
    (new,) = engine.items.embed(
        [EmbeddedText(NewItem(record, "Out today. history."), text, "hash")], Stopwatch()
    )
    assert isinstance(new, ItemVector)
    assert np.linalg.norm(new.vector) == pytest.approx(1, abs=1e-5)
