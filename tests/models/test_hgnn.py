"""The layer against its formula, written out node by node in numpy."""

import dataclasses
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from graph.relations import RelationSchema
from models.config import HGNNConfig
from models.hgnn import HGNN
from models.hgnn_layer import HGNNLayer
from models.hgnn_serving import HGNNServing

Aggregation = Literal["max", "mean", "attention"]
TYPES = ("book", "film", "podcast")
CONFIG = HGNNConfig(
    item_types=TYPES,
    content_relations=("creator",),
    text_dimensions=5,
    hidden_dimensions=4,
    dimensions=3,
)


AGGREGATIONS: tuple[Aggregation, ...] = ("max", "mean", "attention")


def make_hgnn(seed: int = 0, aggregation: Aggregation = "max") -> HGNN:
    torch.manual_seed(seed)
    hgnn = HGNN(dataclasses.replace(CONFIG, aggregation=aggregation))
    for parameter in hgnn.parameters():  # biases too, which start at 0
        torch.nn.init.normal_(parameter)
    return hgnn.eval()


def draw_neighbours(
    item_type: NDArray[np.int64], destinations: int, width: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Fill slot s with nodes of type s, the creator slot with any, and leave gaps."""
    slots = len(TYPES) + 1
    neighbours = np.full((destinations, slots, width), -1, dtype=np.int64)
    everybody = np.arange(len(item_type))
    for c in range(destinations):
        for s in range(slots):
            fitting = np.flatnonzero(item_type == s) if s < len(TYPES) else everybody
            count = min(int(rng.integers(0, width + 1)), len(fitting))
            neighbours[c, s, :count] = rng.choice(fitting, count, replace=False)
    return neighbours


def layer_by_hand(
    layer: HGNNLayer,
    h: NDArray[np.float64],
    item_type: NDArray[np.int64],
    neighbours: NDArray[np.int64],
) -> NDArray[np.float64]:
    """h_c = act(W_type h_c + b + sum over r of max over n of ReLU(W_r h_n + b_r)).

    Or the mean over n, or a mean with the weights softmax over n of (Q_r h_c) . m_n / sqrt(F).
    """
    table = RelationSchema(TYPES, ("creator",)).table
    weight, bias, self_weight, self_bias = (
        p.detach().double().numpy()
        for p in (layer.relation_weight, layer.relation_bias, layer.own.weight, layer.own.bias)
    )
    rows = []
    for c in range(len(neighbours)):
        t = item_type[c]
        total = h[c] @ self_weight[t] + self_bias[t]
        for s in range(neighbours.shape[1]):
            r = table[t, s]
            told = [np.maximum(h[n] @ weight[r] + bias[r], 0) for n in neighbours[c, s] if n >= 0]
            total = total + (pool_by_hand(layer, r, h[c], np.array(told)) if told else 0)
        rows.append(total if layer.linear else np.maximum(total, 0))
    return np.array(rows)


def pool_by_hand(
    layer: HGNNLayer, relation: int, own: NDArray[np.float64], told: NDArray[np.float64]
) -> NDArray[np.float64]:
    if layer.query is None:
        pooled: NDArray[np.float64] = told.max(0) if layer.aggregation == "max" else told.mean(0)
        return pooled
    query = own @ layer.query[relation].detach().double().numpy()
    strength = np.exp(told @ query / np.sqrt(len(query)))
    attended: NDArray[np.float64] = strength @ told / strength.sum()
    return attended


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("destinations", [1, 2, 17])
@pytest.mark.parametrize("number", [0, 1])
def test_layer_follows_its_formula(
    number: int, destinations: int, aggregation: Aggregation
) -> None:
    rng = np.random.default_rng(destinations)
    layer = make_hgnn(aggregation=aggregation).layer(number)
    item_type = rng.integers(0, len(TYPES), 40)
    h = rng.normal(size=(40, CONFIG.widths[number]))
    neighbours = draw_neighbours(item_type, destinations, 3, rng)

    out = layer(
        torch.from_numpy(h).float(), torch.from_numpy(item_type), torch.from_numpy(neighbours)
    )

    expected = layer_by_hand(layer, h, item_type, neighbours)
    np.testing.assert_allclose(out.detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_order_of_neighbours_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    layer = make_hgnn().layer(0)
    item_type = torch.from_numpy(rng.integers(0, len(TYPES), 20))
    h = torch.from_numpy(rng.normal(size=(20, 5))).float()
    neighbours = draw_neighbours(item_type.numpy(), 8, 4, rng)
    shuffled = rng.permuted(neighbours, axis=2)
    assert not np.array_equal(neighbours, shuffled)

    out = layer(h, item_type, torch.from_numpy(neighbours))

    torch.testing.assert_close(layer(h, item_type, torch.from_numpy(shuffled)), out)


def test_both_ends_of_a_relation_share_its_weight() -> None:
    layer = make_hgnn().layer(0)
    relation = RelationSchema(TYPES, ("creator",)).table[1, 0]
    h = torch.randn(2, 5, generator=torch.Generator().manual_seed(0))
    to_film = layer.messages(h, torch.tensor([0, 0]))[:, 1]
    to_book = layer.messages(h, torch.tensor([1, 1]))[:, 0]
    expected = torch.relu(h @ layer.relation_weight[relation] + layer.relation_bias[relation])
    torch.testing.assert_close(to_film, expected)
    torch.testing.assert_close(to_book, expected)


def test_vectors_have_unit_norm_and_no_neighbour_is_an_ordinary_case() -> None:
    hgnn = make_hgnn()
    text = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    none = torch.full((6, 4, 2), -1)
    z = hgnn(text, torch.tensor([0, 1, 2, 0, 1, 2]), (none, none))
    torch.testing.assert_close(z.norm(dim=1), torch.ones(6))
    assert float((z[0] - z[3]).detach().abs().max()) > 1e-3  # two books, told apart by text alone


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_every_parameter_gets_a_gradient(aggregation: Aggregation) -> None:
    hgnn = make_hgnn(aggregation=aggregation).train()
    rng = np.random.default_rng(5)
    item_type = rng.integers(0, len(TYPES), 60)
    neighbours = torch.from_numpy(draw_neighbours(item_type, 60, 3, rng))
    text = torch.from_numpy(rng.normal(size=(60, 5))).float()
    z = hgnn(text, torch.from_numpy(item_type), (neighbours, neighbours))
    torch.autograd.backward((z * torch.randn_like(z)).sum())
    for name, parameter in hgnn.named_parameters():
        assert parameter.grad is not None, name
        per_matrix = parameter.grad.flatten(1).abs().sum(dim=1)
        assert float(per_matrix.min()) > 0, name


def test_wrong_number_of_blocks_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 sets, got 1"):
        make_hgnn()(torch.zeros(1, 5), torch.tensor([0]), (torch.full((1, 4, 1), -1),))


@pytest.mark.parametrize("aggregation", AGGREGATIONS)
@pytest.mark.parametrize("width", [0, 1, 6])
def test_serving_form_equals_training_form(width: int, aggregation: Aggregation) -> None:
    rng = np.random.default_rng(width)
    hgnn = make_hgnn(aggregation=aggregation)
    items, asked = 30, 7
    item_type = rng.integers(0, len(TYPES), items)
    text = torch.from_numpy(rng.normal(size=(items, 5))).float()
    types = torch.from_numpy(item_type)
    full = draw_neighbours(item_type, items, max(width, 1), rng)
    if width == 0:
        full[:asked] = -1
    everywhere = torch.from_numpy(full)
    first = hgnn.layer(0)(text, types, everywhere)
    hgnn.join.centre(torch.randn(9, 3), torch.randn(9, 5))
    z = hgnn.join(hgnn(text, types, (everywhere, everywhere[:asked])), text[:asked])

    given = everywhere[:asked, :, :width]
    mask = given >= 0
    layers = HGNNServing(hgnn)(
        text[:asked],
        types[:asked],
        tuple(vectors[given.clamp(min=0)] for vectors in (text, first)),
        mask,
    )

    torch.testing.assert_close(layers[0], first[:asked])
    torch.testing.assert_close(layers[1], z)


def test_item_vector_joins_the_graph_with_the_text_both_centred() -> None:
    join = HGNN(CONFIG).join
    graph, text = torch.randn(8, 3), torch.randn(8, 5)
    join.centre(graph, text)
    z = join(graph, text)
    torch.testing.assert_close(z.norm(dim=1), torch.ones(8))
    expected = torch.cosine_similarity(graph[0] - graph.mean(0), graph[1] - graph.mean(0), dim=0)
    expected += torch.cosine_similarity(text[0] - text.mean(0), text[1] - text.mean(0), dim=0)
    torch.testing.assert_close(z[0] @ z[1], expected / 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_types": ()}, "at least one item type"),
        ({"item_types": ("book", "book")}, "distinct"),
        ({"layers": 0}, "layers: expected 1 or more, got 0"),
        ({"text_dimensions": -1}, "text_dimensions"),
    ],
)
def test_configuration_without_a_meaning_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)
