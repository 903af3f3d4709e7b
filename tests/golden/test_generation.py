import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.generation import FORMAT, read
from retrieval.store import load_index
from tests.golden.write_generation import answers

FOLDER = Path(__file__).parent
GENERATION = FOLDER / "generation_1"


def recorded() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (FOLDER / "generation_1_answers.json").read_text(encoding="utf-8")
    )
    return content


def without_vectors(content: dict[str, Any]) -> dict[str, Any]:
    return {
        group: {
            name: {k: v for k, v in each.items() if k != "vector"} for name, each in them.items()
        }
        for group, them in content.items()
        if group in ("items", "users")
    } | {group: content[group] for group in ("unknown", "podcasts")}


def test_format_1_reads_and_gives_the_recorded_answers_for_ever() -> None:
    got = answers(read(GENERATION, allow_test_featurizer=True))

    assert without_vectors(got) == without_vectors(recorded())


@pytest.mark.parametrize("group", ["items", "users"])
def test_format_1_gives_the_recorded_vectors_for_ever(group: str) -> None:
    got = answers(read(GENERATION, allow_test_featurizer=True))[group]

    for name, each in recorded()[group].items():
        np.testing.assert_allclose(got[name]["vector"], each["vector"], atol=1e-5)


def test_manifest_of_format_1_keeps_its_name_and_meaning() -> None:
    manifest = read(GENERATION, allow_test_featurizer=True).manifest

    assert manifest.format == 1 <= FORMAT
    assert manifest.generation == recorded()["name"]
    assert (manifest.created, manifest.as_of) == ("2026-01-02T03:04:05Z", "2026-01-01T00:00:00Z")
    assert (manifest.counts.items, manifest.counts.users) == (60, 20)
    assert (manifest.featurizer.name, manifest.index.kind) == ("hash", "exact")
    assert manifest.metrics[0]["metric"] == "hr@10"


def test_index_of_format_1_finds_each_item_by_its_own_vector() -> None:
    generation = read(GENERATION, allow_test_featurizer=True)
    index = load_index(generation.index_folder, generation.item_vectors)

    hits = index.search(generation.item_vectors, 1)

    assert hits.rows[:, 0].tolist() == list(range(60))
