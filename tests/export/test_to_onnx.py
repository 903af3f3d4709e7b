from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.parity import check_parity, open_session
from export.parity_cases import hgnn_cases, item_tower_cases, user_tower_cases
from export.to_onnx import hgnn_to_onnx, item_tower_to_onnx, scorer_to_onnx, user_tower_to_onnx
from models.config import HGNNConfig, TowerConfig
from models.hgnn import HGNN
from models.hgnn_serving import HGNNServing
from models.scorer import Scorer
from models.towers import TwoTower
from tests.support.generation import tiny_contents

ROUNDING = 1e-5

RICH = HGNNConfig(
    item_types=("book", "film", "game"),
    content_relations=("creator",),
    text_dimensions=12,
    hidden_dimensions=8,
    dimensions=6,
)
POOR = HGNNConfig(item_types=("book",), text_dimensions=5, dimensions=4, layers=1)
DEEP = HGNNConfig(
    item_types=("book", "film"), text_dimensions=7, hidden_dimensions=6, dimensions=5, layers=3
)


KNOWN = TowerConfig(
    item_types=("book", "film"),
    countries=4,
    ages=3,
    genders=3,
    languages=5,
    genres=6,
    text_dimensions=12,
    known_dimensions=6,
    hidden_dimensions=(16,),
    dimensions=8,
)
UNKNOWN = replace(
    KNOWN, item_types=("book",), countries=1, ages=1, genders=1, languages=1, genres=0
)


def towers(config: TowerConfig) -> TwoTower:
    torch.manual_seed(1)
    return TwoTower(config).eval()


def signature(model: bytes) -> dict[str, list[str | int]]:
    graph = onnx.load_from_string(model).graph
    return {
        value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*graph.input, *graph.output)
    }


@pytest.mark.parametrize(
    "config",
    [RICH, POOR, DEEP, replace(RICH, aggregation="mean"), replace(RICH, aggregation="attention")],
)
def test_hgnn_answers_as_torch_for_any_batch_and_any_number_of_neighbours(
    config: HGNNConfig,
) -> None:
    torch.manual_seed(0)
    hgnn = HGNN(config).eval()

    model = hgnn_to_onnx(hgnn)

    assert check_parity("hgnn", HGNNServing(hgnn), model, hgnn_cases(config)) < ROUNDING


@pytest.mark.parametrize("config", [KNOWN, UNKNOWN])
def test_user_tower_answers_as_torch_for_any_batch_and_any_history(
    config: TowerConfig,
) -> None:
    tower = towers(config).user

    model = user_tower_to_onnx(tower)

    assert check_parity("user_tower", tower, model, user_tower_cases(tower.config)) < ROUNDING


@pytest.mark.parametrize("config", [KNOWN, UNKNOWN])
def test_item_tower_answers_as_torch_for_any_batch(config: TowerConfig) -> None:
    tower = towers(config).item

    model = item_tower_to_onnx(tower)

    assert check_parity("item_tower", tower, model, item_tower_cases(tower.config)) < ROUNDING


def test_an_item_without_neighbours_is_one_whose_neighbours_are_all_masked() -> None:
    torch.manual_seed(0)
    session = open_session(hgnn_to_onnx(HGNN(RICH).eval()))
    rng = np.random.default_rng(0)
    text = rng.standard_normal((4, 12), dtype=np.float32)
    item_type = np.array([0, 1, 2, 1])

    def vector(width: int) -> list[np.ndarray]:
        lists = (4, RICH.num_slots, width)
        outputs = session.run(
            None,
            {
                "text": text,
                "item_type": item_type,
                "neighbours_1": rng.standard_normal((*lists, 12), dtype=np.float32),
                "neighbours_2": rng.standard_normal((*lists, 8), dtype=np.float32),
                "mask": np.zeros(lists, dtype=np.bool_),
            },
        )
        return [np.asarray(each) for each in outputs]

    for alone, masked in zip(vector(0), vector(7), strict=True):
        np.testing.assert_allclose(alone, masked, atol=1e-6)


def test_exporting_again_gives_the_same_bytes_and_none_of_them_tells_where() -> None:
    torch.manual_seed(0)
    hgnn = HGNN(POOR).eval()

    first, second = hgnn_to_onnx(hgnn), hgnn_to_onnx(hgnn)

    assert first == second
    assert str(Path(__file__).parents[2]).encode() not in first
    assert b".py" not in first


def test_the_tiny_networks_of_other_tests_have_the_signatures_of_real_ones() -> None:
    contents = tiny_contents()
    dimensions = contents.dimensions
    hgnn = HGNN(
        HGNNConfig(
            item_types=contents.item_types,
            content_relations=contents.content_relations,
            text_dimensions=dimensions.text,
            hidden_dimensions=dimensions.layers[0],
            dimensions=dimensions.hgnn - dimensions.text,
        )
    )
    two_tower = TwoTower(
        TowerConfig(
            item_types=contents.item_types,
            countries=len(contents.user_encoder.countries) + 1,
            ages=len(contents.user_encoder.age_buckets) + 1,
            genders=len(contents.user_encoder.genders) + 1,
            languages=len(contents.item_encoder.languages) + 1,
            genres=len(contents.item_encoder.genres),
            text_dimensions=dimensions.text,
            known_dimensions=dimensions.hgnn,
            dimensions=dimensions.vector,
            user_tower="pooled",
        )
    )

    assert signature(contents.models.hgnn) == signature(hgnn_to_onnx(hgnn.eval()))
    assert signature(contents.models.user_tower) == signature(user_tower_to_onnx(two_tower.user))
    assert signature(contents.models.item_tower) == signature(item_tower_to_onnx(two_tower.item))
    assert signature(contents.models.scorer) == signature(scorer_to_onnx(Scorer()))


def test_weights_lie_inside_the_file(tmp_path: Path) -> None:
    tower = towers(KNOWN).item
    path = tmp_path / "alone" / "item_tower.onnx"
    path.parent.mkdir()

    path.write_bytes(item_tower_to_onnx(tower))

    model = onnx.load(path, load_external_data=False)
    assert not any(onnx.external_data_helper.uses_external_data(w) for w in model.graph.initializer)
    cases = item_tower_cases(tower.config)
    assert check_parity("item_tower", tower, path.read_bytes(), cases) < ROUNDING
