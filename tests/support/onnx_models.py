"""Small networks with the signatures of the exported ones, built node by node: no torch needed.

They are random but not meaningless: the HGNN keeps most of an item's text, and both towers
share one projection of the HGNN's vectors, so people get items like those in their history.
"""

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from retrieval.evidence import NAMES

OPSET = 20


@dataclass(frozen=True)
class TinyShapes:
    """Widths of the tiny networks."""

    types: int
    slots: int
    relation: NDArray[np.int64]
    """(T, S), the relation of slot s at a node of type t."""
    text: int
    hidden: int
    hgnn: int
    vector: int
    countries: int
    ages: int
    genders: int
    languages: int
    genres: int


class _Graph:
    """Collects nodes and weights; every method returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, array: NDArray[np.generic]) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def ints(self, *values: int) -> str:
        return self.weight(np.array(values, dtype=np.int64))

    def add(self, operator: str, *inputs: str, to: str = "", **attributes: int) -> str:
        name = to or f"value_{len(self.nodes)}"
        node = helper.make_node(operator, list(inputs), [name])
        node.attribute.extend(helper.make_attribute(key, n) for key, n in attributes.items())
        self.nodes.append(node)
        return name

    def unit(self, vectors: str, to: str) -> str:
        norm = self.add("ReduceL2", vectors, self.ints(-1), keepdims=1)
        return self.add("Div", vectors, norm, to=to)

    def model(
        self,
        inputs: dict[str, tuple[int, list[str | int]]],
        outputs: dict[str, list[str | int]],
    ) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info(n, kind, shape) for n, (kind, shape) in inputs.items()],
            [
                helper.make_tensor_value_info(n, TensorProto.FLOAT, shape)
                for n, shape in outputs.items()
            ],
            initializer=self.weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10
        )
        onnx.checker.check_model(model)
        return model.SerializeToString(deterministic=True)


def tiny_hgnn(shapes: TinyShapes, rng: np.random.Generator) -> bytes:
    """Build two layers of the HGNN's formula; see `models.hgnn_serving`."""
    graph = _Graph()
    relation = graph.add("Gather", graph.weight(shapes.relation), "item_type")  # (B, S)
    layer_1 = _layer(
        graph, "text", "neighbours_1", relation, shapes, (shapes.text, shapes.hidden), rng
    )
    graph.add("Relu", layer_1, to="layer_1")
    last = _layer(
        graph, "layer_1", "neighbours_2", relation, shapes, (shapes.hidden, shapes.hgnn), rng
    )
    graph.unit(last, to="vector")
    lists: list[str | int] = ["batch", shapes.slots, "neighbours"]
    return graph.model(
        {
            "text": (TensorProto.FLOAT, ["batch", shapes.text]),
            "item_type": (TensorProto.INT64, ["batch"]),
            "neighbours_1": (TensorProto.FLOAT, [*lists, shapes.text]),
            "neighbours_2": (TensorProto.FLOAT, [*lists, shapes.hidden]),
            "mask": (TensorProto.BOOL, lists),
        },
        {"layer_1": ["batch", shapes.hidden], "vector": ["batch", shapes.hgnn]},
    )


def tiny_scorer() -> bytes:
    """Build a scorer that listens to the towers' likeness alone."""
    graph = _Graph()
    weight = np.zeros((len(NAMES), 1), dtype=np.float32)
    weight[NAMES.index("likeness")] = 1.0
    product = graph.add("MatMul", "evidence", graph.weight(weight))  # (M, 1)
    graph.add("Squeeze", product, graph.ints(1), to="score")
    return graph.model(
        {"evidence": (TensorProto.FLOAT, ["candidates", len(NAMES)])}, {"score": ["candidates"]}
    )


def tiny_towers(
    shapes: TinyShapes, centre: NDArray[np.float32], rng: np.random.Generator
) -> tuple[bytes, bytes]:
    """Build a user tower and an item tower around one shared projection.

    Shapes:
        centre: (D,), the mean HGNN vector, which both towers subtract.
    """
    shared = _normal(rng, shapes.hgnn, shapes.vector)
    return _user_tower(shapes, shared, centre, rng), _item_tower(shapes, shared, centre, rng)


def _layer(
    graph: _Graph,
    own: str,
    neighbours: str,
    relation: str,
    shapes: TinyShapes,
    widths: tuple[int, int],
    rng: np.random.Generator,
) -> str:
    """Add `own` and the pooled neighbours, before the activation."""
    relations = int(shapes.relation.max()) + 1
    self_weight = graph.weight(np.stack([_normal(rng, *widths)] * shapes.types))
    weight = graph.weight(0.2 * np.stack([_normal(rng, *widths) for _ in range(relations)]))
    chosen = graph.add("Gather", weight, relation)  # (B, S, F_in, F_out)
    messages = graph.add("Relu", graph.add("MatMul", neighbours, chosen))  # (B, S, K, F_out)
    there = graph.add("Unsqueeze", _as_float(graph, "mask"), graph.ints(3))
    messages = graph.add("Mul", messages, there)
    # One column of zeros, so that the maximum over no neighbours is 0.
    pads = graph.ints(0, 0, 0, 0, 0, 0, 1, 0)
    pooled = graph.add(
        "ReduceMax", graph.add("Pad", messages, pads), graph.ints(2), keepdims=0
    )  # (B, S, F_out)
    total = graph.add("ReduceSum", pooled, graph.ints(1), keepdims=0)
    row = graph.add("Unsqueeze", own, graph.ints(1))
    kept = graph.add("MatMul", row, graph.add("Gather", self_weight, "item_type"))
    return graph.add("Add", graph.add("Squeeze", kept, graph.ints(1)), total)


def _user_tower(
    shapes: TinyShapes,
    shared: NDArray[np.float32],
    centre: NDArray[np.float32],
    rng: np.random.Generator,
) -> bytes:
    graph = _Graph()
    weight = graph.add("Unsqueeze", "history_weight", graph.ints(1))  # (B, 1, L)
    centred = graph.add("Sub", "history", graph.weight(centre))
    pooled = graph.add("MatMul", weight, centred)  # (B, 1, D)
    pooled = graph.add("Squeeze", pooled, graph.ints(1))
    total = graph.add("ReduceSum", "history_weight", graph.ints(1), keepdims=1)
    least = graph.weight(np.array(1e-9, dtype=np.float32))
    pooled = graph.add("Div", pooled, graph.add("Max", total, least))
    result = graph.add("MatMul", pooled, graph.weight(shared))
    for name, rows in (
        ("country", shapes.countries),
        ("age", shapes.ages),
        ("gender", shapes.genders),
    ):
        table = graph.weight(0.02 * _normal(rng, rows, shapes.vector))
        result = graph.add("Add", result, graph.add("Gather", table, name))
    # A type's weight in the history shifts the user a little, so that the input matters.
    types = graph.weight(0.01 * _normal(rng, shapes.types, shapes.vector))
    typed = graph.add("MatMul", weight, graph.add("Gather", types, "history_type"))
    result = graph.add("Add", result, graph.add("Squeeze", typed, graph.ints(1)))
    graph.unit(result, to="vector")
    ones: list[str | int] = ["batch"]
    places: list[str | int] = ["batch", "history"]
    return graph.model(
        {
            "country": (TensorProto.INT64, ones),
            "age": (TensorProto.INT64, ones),
            "gender": (TensorProto.INT64, ones),
            "history": (TensorProto.FLOAT, [*places, shapes.hgnn]),
            "history_type": (TensorProto.INT64, places),
            "history_weight": (TensorProto.FLOAT, places),
        },
        {"vector": ["batch", shapes.vector]},
    )


def _item_tower(
    shapes: TinyShapes,
    shared: NDArray[np.float32],
    centre: NDArray[np.float32],
    rng: np.random.Generator,
) -> bytes:
    graph = _Graph()
    centred = graph.add("Sub", "hgnn", graph.weight(centre))
    result = graph.add("MatMul", centred, graph.weight(shared))
    text = graph.weight(0.05 * _normal(rng, shapes.text, shapes.vector))
    result = graph.add("Add", result, graph.add("MatMul", "text", text))
    genres = graph.weight(0.05 * _normal(rng, shapes.genres, shapes.vector))
    result = graph.add("Add", result, graph.add("MatMul", "genres", genres))
    for name, rows in (("item_type", shapes.types), ("language", shapes.languages)):
        table = graph.weight(0.01 * _normal(rng, rows, shapes.vector))
        result = graph.add("Add", result, graph.add("Gather", table, name))
    graph.unit(graph.add("Add", result, "residual"), to="vector")
    return graph.model(
        {
            "text": (TensorProto.FLOAT, ["batch", shapes.text]),
            "hgnn": (TensorProto.FLOAT, ["batch", shapes.hgnn]),
            "item_type": (TensorProto.INT64, ["batch"]),
            "language": (TensorProto.INT64, ["batch"]),
            "genres": (TensorProto.FLOAT, ["batch", shapes.genres]),
            "residual": (TensorProto.FLOAT, ["batch", shapes.vector]),
        },
        {"vector": ["batch", shapes.vector]},
    )


def _as_float(graph: _Graph, name: str) -> str:
    """Turn a mask into ones and zeros."""
    one = graph.weight(np.array(1, dtype=np.float32))
    zero = graph.weight(np.array(0, dtype=np.float32))
    return graph.add("Where", name, one, zero)


def _normal(rng: np.random.Generator, rows: int, columns: int) -> NDArray[np.float32]:
    scaled: NDArray[np.float32] = rng.standard_normal((rows, columns), dtype=np.float32)
    return scaled / np.float32(np.sqrt(rows))
