"""The trained networks as ONNX, each one file with its weights inside and every batch size open."""

import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.export import Dim

from models.hgnn import HGNN
from models.hgnn_serving import HGNNServing
from models.scorer import Scorer
from models.sequence_tower import SequenceUserTower
from models.towers import ItemTower, PooledUserTower
from retrieval.evidence import NAMES

OPSET = 20
TRACED_BATCH = 3
TRACED_LENGTH = 2
"""Neither 0 nor 1, which the tracer would take for constants."""

NOISE = (
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",  # inside torch 2.13 itself
    r"# The axis name: \w+ will not be used",  # one name for axes that are equal, as intended
)

Inputs = dict[str, Tensor | tuple[Tensor, ...]]
"""What a network is traced with, by the names of its parameters."""

Axes = dict[int, Any]
"""Open axes of one input: number -> `torch.export.Dim`."""


def hgnn_to_onnx(hgnn: HGNN) -> bytes:
    """Export the network over given neighbours.

    Shapes:
        inputs: text (B, F_0); item_type (B,) int64; per layer l from 1, neighbours_l
            (B, S, K, F_(l-1)); mask (B, S, K) bool. B and K are open, K may be 0.
        outputs: per hidden layer l from 1, layer_l (B, F_l); vector (B, D), unit rows.
    """
    config = hgnn.config
    batch, width = Dim("batch"), Dim("neighbours")
    lists = (TRACED_BATCH, config.num_slots, TRACED_LENGTH)
    numbers = range(1, config.layers + 1)
    inputs: Inputs = {
        "text": torch.zeros(TRACED_BATCH, config.text_dimensions),
        "item_type": torch.zeros(TRACED_BATCH, dtype=torch.int64),
        "neighbours": tuple(torch.zeros(*lists, config.widths[i - 1]) for i in numbers),
        "mask": torch.ones(lists, dtype=torch.bool),
    }
    open_lists: Axes = {0: batch, 2: width}
    return _export(
        HGNNServing(hgnn),
        inputs,
        {
            "text": {0: batch},
            "item_type": {0: batch},
            "neighbours": tuple(open_lists for _ in numbers),
            "mask": open_lists,
        },
        names=["text", "item_type", *(f"neighbours_{i}" for i in numbers), "mask"],
        outputs=[*(f"layer_{i}" for i in numbers if i < config.layers), "vector"],
    )


def user_tower_to_onnx(tower: SequenceUserTower | PooledUserTower) -> bytes:
    """Export the user tower.

    Shapes:
        inputs: country, age, gender (B,) int64; history (B, L, H), newest first;
            history_type (B, L) int64; history_weight (B, L), 0 = padding. B and L are open, L
            may be 0.
        outputs: vector (B, D), unit rows.
    """
    batch, length = Dim("batch"), Dim("history")
    places = (TRACED_BATCH, TRACED_LENGTH)
    inputs: Inputs = {
        **{n: torch.zeros(TRACED_BATCH, dtype=torch.int64) for n in ("country", "age", "gender")},
        "history": torch.zeros(*places, tower.config.history_dimensions),
        "history_type": torch.zeros(places, dtype=torch.int64),
        "history_weight": torch.ones(places),
    }
    axes: dict[str, Axes] = {
        name: {0: batch, 1: length} if name.startswith("history") else {0: batch} for name in inputs
    }
    return _export(tower, inputs, axes, names=[*inputs], outputs=["vector"])


def item_tower_to_onnx(tower: ItemTower) -> bytes:
    """Export the item tower.

    Shapes:
        inputs: text (B, F); hgnn (B, G); item_type, language (B,) int64; genres (B, number of
            genres); residual (B, D), 0 for a new item. B is open.
        outputs: vector (B, D), unit rows.
    """
    config, batch = tower.config, Dim("batch")
    inputs: Inputs = {
        "text": torch.zeros(TRACED_BATCH, config.text_dimensions),
        "hgnn": torch.zeros(TRACED_BATCH, config.known_dimensions),
        "item_type": torch.zeros(TRACED_BATCH, dtype=torch.int64),
        "language": torch.zeros(TRACED_BATCH, dtype=torch.int64),
        "genres": torch.zeros(TRACED_BATCH, config.genres),
        "residual": torch.zeros(TRACED_BATCH, config.dimensions),
    }
    axes: dict[str, Axes] = {name: {0: batch} for name in inputs}
    return _export(tower, inputs, axes, names=[*inputs], outputs=["vector"])


def scorer_to_onnx(scorer: Scorer) -> bytes:
    """Export the scorer.

    Shapes:
        inputs: evidence (M, F), columns as in `retrieval.evidence`. M is open.
        outputs: score (M,).
    """
    inputs: Inputs = {"evidence": torch.zeros(TRACED_BATCH, len(NAMES))}
    axes: dict[str, Axes] = {"evidence": {0: Dim("candidates")}}
    return _export(scorer, inputs, axes, names=["evidence"], outputs=["score"])


def _export(
    module: nn.Module,
    inputs: Inputs,
    axes: Mapping[str, Axes | tuple[Axes, ...]],
    *,
    names: list[str],
    outputs: list[str],
) -> bytes:
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            args=(),
            kwargs=inputs,
            dynamo=True,
            dynamic_shapes=dict(axes),
            input_names=names,
            output_names=outputs,
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    assert not model.functions
    _strip(model)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _strip(model: onnx.ModelProto) -> None:
    """Remove what tells about the machine that exported: stack traces, paths, versions."""
    model.producer_version = ""
    graph = model.graph
    values = (*graph.value_info, *graph.input, *graph.output, *graph.initializer)
    parts: tuple[Any, ...] = (model, graph, *graph.node, *values)
    for part in parts:
        part.doc_string = ""
        del part.metadata_props[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's chatter, and warnings that are known and not about us, to itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            for message in NOISE:
                warnings.filterwarnings("ignore", message=message)
            yield
    finally:
        logger.setLevel(level)
