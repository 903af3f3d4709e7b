import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from export.errors import RunError
from export.run import STAGES, RunParts, read_run
from features.years import PLACES
from graph.errors import GraphError
from graph.worlds import two_communities
from models.checkpoint import CheckpointError
from tables.errors import TableError
from tests.support.runs import QUICK, make_run


@pytest.fixture
def copy(run: Path, tmp_path: Path) -> Path:
    """A run that a test may damage."""
    return shutil.copytree(run, tmp_path / "run")


def edit_json(path: Path, change: Callable[[dict[str, object]], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_finished_run_is_read_whole(parts: RunParts) -> None:
    assert parts.dataset.item_types == parts.network.config.item_types == ("book", "film")
    assert parts.text.shape == (24, 32)
    assert [layer.shape for layer in parts.layers] == [(24, 16)]
    assert parts.content.shape == (24, 32 + PLACES)  # the text and the year
    assert parts.hgnn.shape == (24, 16 + 32 + PLACES)
    assert parts.item_vectors.shape == (24, 16)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_has_not_finished_is_named(copy: Path, stage: str) -> None:
    (copy / stage / "stage.json").unlink()

    with pytest.raises(RunError, match=f"{stage}: is not a finished stage"):
        read_run(copy)


def test_a_run_that_was_made_to_be_evaluated_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, two_communities(), holding="test", settings=QUICK)

    with pytest.raises(
        RunError, match=r"graph/stage.json: holding: expected 'nothing', got 'test'"
    ):
        read_run(run.folder)


@pytest.mark.parametrize(
    ("stage", "name"),
    [("graph", "without"), ("foundation", "lenders"), ("adaptation", "weak_signals")],
)
def test_settings_that_a_server_would_not_follow_are_refused_by_name(
    copy: Path, stage: str, name: str
) -> None:
    def use(content: dict[str, object]) -> None:
        summary = content["summary"]
        assert isinstance(summary, dict)
        assert summary["comparison_only"] == []
        summary["comparison_only"] = [name]

    edit_json(copy / stage / "stage.json", use)

    with pytest.raises(RunError, match=rf"{stage}/stage\.json: {stage}\.{name}: for comparison"):
        read_run(copy)


def test_a_run_with_such_a_setting_is_refused(tmp_path: Path) -> None:
    settings = replace(QUICK, graph=replace(QUICK.graph, without=("book-film",)))
    run = make_run(tmp_path, two_communities(), holding="nothing", settings=settings)

    with pytest.raises(RunError, match=r"graph\.without: for comparison alone"):
        read_run(run.folder)


def test_items_other_than_those_of_the_vectors_are_refused(copy: Path) -> None:
    items = pl.read_parquet(copy / "dataset" / "items.parquet")
    first = pl.col("item_id") == items["item_id"][0]
    swapped = items.with_columns(
        item_id=pl.when(first).then(pl.lit("another")).otherwise("item_id")
    )
    swapped.write_parquet(copy / "dataset" / "items.parquet")

    with pytest.raises(RunError, match=r"foundation/stage\.json: catalogue: .* have changed since"):
        read_run(copy)


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("dataset/items.parquet", TableError),
        ("text/vectors.npy", RunError),
        ("text/featurizer.json", RunError),
        ("graph/neighbours.npy", GraphError),
        ("foundation/model.safetensors", CheckpointError),
        ("foundation/model.json", CheckpointError),
        ("foundation/layer_1.npy", RunError),
        ("foundation/vectors.npy", RunError),
        ("adaptation/model.safetensors", CheckpointError),
        ("adaptation/item_vectors.npy", RunError),
        ("adaptation/item_encoder.json", RunError),
        ("adaptation/user_encoder.json", RunError),
    ],
)
def test_a_file_that_is_not_there_is_named(copy: Path, name: str, error: type[Exception]) -> None:
    (copy / name).unlink()

    with pytest.raises(error, match=name.split("/")[0]):
        read_run(copy)


@pytest.mark.parametrize("data", [b"", b"\x93NUMPY\x01\x00", b"no array at all"])
def test_vectors_that_are_damaged_are_named(copy: Path, data: bytes) -> None:
    (copy / "foundation" / "vectors.npy").write_bytes(data)

    with pytest.raises(RunError, match=r"foundation/vectors\.npy: not a readable array"):
        read_run(copy)


@pytest.mark.parametrize(
    ("name", "vectors", "problem"),
    [
        ("text/vectors.npy", np.zeros((23, 32), np.float32), r"expected \(24, 32\)"),
        ("foundation/layer_1.npy", np.zeros((24, 7), np.float32), r"expected \(24, 16\)"),
        ("foundation/vectors.npy", np.zeros((24, 16)), "expected float32"),
        ("adaptation/item_vectors.npy", np.zeros(24, np.float32), r"of \(24,\)"),
    ],
)
def test_vectors_of_another_catalogue_are_named(
    copy: Path, name: str, vectors: np.ndarray, problem: str
) -> None:
    np.save(copy / name, vectors)

    with pytest.raises(RunError, match=f"{name}: .*{problem}"):
        read_run(copy)


def test_an_encoder_of_other_types_is_named(copy: Path) -> None:
    edit_json(
        copy / "adaptation" / "item_encoder.json",
        lambda content: content.update(item_types=["book", "game"]),
    )

    with pytest.raises(
        RunError, match=r"item_encoder\.json: item types: expected \('book', 'film'"
    ):
        read_run(copy)


def test_a_featurizer_of_other_dimensions_is_named(copy: Path) -> None:
    edit_json(copy / "text" / "featurizer.json", lambda content: content.update(dimensions=384))

    with pytest.raises(RunError, match=r"featurizer\.json: dimensions: expected 32 .* got 384"):
        read_run(copy)


@pytest.mark.parametrize("text", ["[]", "{", '{"name": "x"}', '{"names": "x"}'])
def test_a_featurizer_that_is_not_described_is_named(copy: Path, text: str) -> None:
    (copy / "text" / "featurizer.json").write_text(text)

    with pytest.raises(RunError, match=r"text/featurizer\.json"):
        read_run(copy)
