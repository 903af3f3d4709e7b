"""Train the static foundation layer: the HGNN, on the edges of the item-item graph.

Source: De Nadai et al., arXiv 2403.05185: batch 256, Adam 1e-3, at most 50 epochs, stop after
10 without improvement on a tenth of the edges. Our defaults differ: batch 512, at most 80
epochs, stop after 8. Beyond it: softmax with logQ correction in place of the margin loss (both
are here), neighbourhood dropout, and the untrained model as epoch 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from graph.item_graph import ItemGraph
from graph.links import SAMPLERS, LinkBatch, LinkSampler
from graph.sample import Block, sample_blocks, uniform_subsets, weighted_subsets
from models.config import HGNNConfig
from models.hgnn import HGNN
from models.losses import margin_loss, sampled_softmax
from training.bounds import check_above_zero, check_least, check_share
from training.errors import TrainingError
from training.inference import centre
from training.loop import LoopSettings, Progress, fit

_VALIDATION_EDGES = 4096


@dataclass(frozen=True, kw_only=True)
class FoundationSettings:
    """How the foundation is trained; every field is a hyperparameter."""

    loop: LoopSettings = field(default_factory=lambda: LoopSettings(epochs=80, patience=8))
    dimensions: int = 128
    """Width of the last layer, the part of the item vector that the graph makes."""
    hidden_dimensions: int = 128
    """Width of the hidden layers."""
    layers: int = 2
    """Hops."""
    aggregation: Literal["max", "mean", "attention"] = "max"
    """How a node takes in the messages of one relation; `max` is the papers'."""
    sampler: Literal["balanced", "all", "uniform"] = "uniform"
    """Edges of an epoch: as many of every relation as the rarest has, which is the papers', all
    there are, or as many as in the first drawn from all."""
    fanout: int = 10
    """Neighbours drawn per node, slot and layer, afresh each time."""
    draw: Literal["uniform", "weighted"] = "uniform"
    """Whether lists longer than `fanout` are drawn from evenly or in proportion to the weights."""
    batch_size: int = 512
    """Edges per step."""
    negatives: int = 512
    """Catalogue items drawn per step as negatives, shared by the batch."""
    loss: Literal["softmax", "margin"] = "softmax"
    """`margin` is the papers' loss."""
    temperature: float = 0.1
    """Of the softmax; smaller looks harder at the nearest negatives."""
    margin: float = 0.3
    """Of the margin loss, in units of cosine."""
    neighbourhood_dropout: float = 0.2
    """Share of a step's items that lose all neighbours, so that a brand-new item, which has
    none, is an ordinary case."""
    copied_up_to: int | None = None
    """Items with at most so many neighbours get a copy (NodeDup, `graph.duplicates`); None for no
    copies. Larger copies more. Such a foundation is for comparison and does not serve."""
    lenders: int = 0
    """Items nearest by text whose neighbours an item without any borrows when it is embedded
    (`graph.borrowing`); 0 lends nothing. Such a foundation is for comparison and does not serve."""
    validation_share: float = 0.1
    """Share of the edges held out of messages and loss for early stopping."""
    seed: int = 0
    """Of everything drawn: weights, batches, neighbours, negatives."""

    @property
    def comparison_only(self) -> tuple[str, ...]:
        """Name the settings in use that a server would not follow."""
        in_use = {"copied_up_to": self.copied_up_to is not None, "lenders": self.lenders > 0}
        return tuple(name for name, used in in_use.items() if used)

    def __post_init__(self) -> None:
        whole = ("dimensions", "hidden_dimensions", "layers", "fanout", "batch_size", "negatives")
        check_least(self, whole, 1)
        check_least(self, ("margin", "seed", "lenders"), 0)
        if self.copied_up_to is not None:
            check_least(self, ("copied_up_to",), 0)
        check_above_zero(self, ("temperature",))
        check_share(self, ("neighbourhood_dropout", "validation_share"))


class _Steps:
    """The batches of the foundation's epochs and its validation."""

    def __init__(
        self, hgnn: HGNN, graph: ItemGraph, text: NDArray[np.float32], settings: FoundationSettings
    ) -> None:
        self.hgnn = hgnn
        self.settings = settings
        self.text = torch.from_numpy(text)
        self.item_type = torch.from_numpy(graph.item_type)
        rng = np.random.default_rng([settings.seed, 1])
        held_out = _draw_edges(graph, settings.validation_share, rng)
        self.graph = graph.without(np.stack((held_out.left, held_out.right), axis=1))
        counts = SAMPLERS[settings.sampler]
        self.sampler, whole = (
            LinkSampler(each, settings.batch_size, settings.seed, counts)
            for each in (self.graph, graph)
        )
        # Of the whole graph: an end of held-out edges alone would have no chance, and its log none.
        self.left_rate, self.right_rate = whole.end_rates(graph.num_items)
        chosen = rng.permutation(len(held_out.left))[:_VALIDATION_EDGES]
        self.validation = LinkBatch(
            held_out.left[chosen], held_out.right[chosen], held_out.relation[chosen]
        )
        self.validation_negatives = rng.integers(0, graph.num_items, settings.negatives)

    def losses(self, epoch: int) -> Iterator[Tensor]:
        """Yield the loss of each batch of an epoch."""
        rng = np.random.default_rng([self.settings.seed, 2, epoch])
        for batch in self.sampler.iter_epoch(epoch):
            negatives = rng.integers(0, self.graph.num_items, self.settings.negatives)
            yield self._loss(batch, negatives, rng, self.settings.neighbourhood_dropout)

    def validate(self) -> float:
        """Score the held-out edges: minus their loss, on draws that are always the same."""
        rng = np.random.default_rng([self.settings.seed, 3])
        losses = [
            float(self._loss(batch, self.validation_negatives, rng, 0.0))
            for batch in _split(self.validation, self.settings.batch_size)
        ]
        return -float(np.mean(losses))

    def _loss(
        self,
        batch: LinkBatch,
        negatives: NDArray[np.int64],
        rng: np.random.Generator,
        dropout: float,
    ) -> Tensor:
        """Embed both ends of the edges and the negatives, and compare."""
        edges = len(batch.left)
        rows, place = np.unique(
            np.concatenate((batch.left, batch.right, negatives)), return_inverse=True
        )
        z = self._embed(rows, np.stack((batch.left, batch.right), axis=1), rng, dropout)
        z = z[torch.from_numpy(place)]
        left, right, drawn = z[:edges], z[edges : 2 * edges], z[2 * edges :]
        if self.settings.loss == "margin":
            margin = self.settings.margin
            there = margin_loss(left, right, drawn, margin=margin)
            return (there + margin_loss(right, left, drawn, margin=margin)) / 2
        there = self._softmax(
            left, batch.left, right, batch.right, drawn, negatives, self.right_rate
        )
        back = self._softmax(right, batch.right, left, batch.left, drawn, negatives, self.left_rate)
        return (there + back) / 2

    def _embed(
        self,
        rows: NDArray[np.int64],
        removed: NDArray[np.int64],
        rng: np.random.Generator,
        dropout: float,
    ) -> Tensor:
        """Compute z (len(rows), D) from messages that do not pass the removed edges."""
        fanouts = (self.settings.fanout,) * self.settings.layers
        subsets = _SUBSETS[self.settings.draw]
        blocks = sample_blocks(self.graph, rows, fanouts, rng, removed=removed, subsets=subsets)
        if dropout:
            alone = rows[rng.random(len(rows)) < dropout]
            blocks = tuple(without_neighbourhoods(block, alone) for block in blocks)
        outer = torch.from_numpy(blocks[0].rows)
        neighbours = tuple(torch.from_numpy(block.neighbours) for block in blocks)
        z: Tensor = self.hgnn(self.text[outer], self.item_type[outer], neighbours)
        return z

    def _softmax(
        self,
        anchor: Tensor,
        anchor_row: NDArray[np.int64],
        positive: Tensor,
        positive_row: NDArray[np.int64],
        drawn: Tensor,
        drawn_row: NDArray[np.int64],
        rate: NDArray[np.float64],
    ) -> Tensor:
        """Compare one direction of the edges; both kinds of negatives are corrected by logQ."""
        expected = rate[positive_row] * len(positive_row)
        log_q_drawn = np.log(len(drawn_row) / self.graph.num_items)
        return sampled_softmax(
            anchor,
            positive,
            torch.from_numpy(positive_row),
            drawn,
            torch.from_numpy(drawn_row),
            torch.from_numpy(np.log(expected).astype(np.float32)),
            torch.full((len(drawn_row),), float(log_q_drawn)),
            temperature=self.settings.temperature,
            query_row=torch.from_numpy(anchor_row),
        )


def train_foundation(
    graph: ItemGraph, text: NDArray[np.float32], settings: FoundationSettings, folder: Path
) -> tuple[HGNN, Progress]:
    """Learn the HGNN from the graph's edges; interrupted, it resumes from `folder`.

    A graph of so few edges that none is held out is trained for every epoch.

    Shapes:
        text: (N, F), layer 0 of each item of the graph, unit rows.

    Raises:
        TrainingError: the graph has no edge, or the loss diverges or stays flat.
    """
    torch.manual_seed(settings.seed)
    hgnn = HGNN(
        HGNNConfig(
            item_types=graph.item_types,
            content_relations=graph.content_relations,
            text_dimensions=text.shape[1],
            hidden_dimensions=settings.hidden_dimensions,
            dimensions=settings.dimensions,
            layers=settings.layers,
            aggregation=settings.aggregation,
        )
    )
    if not graph.neighbours.size:
        raise TrainingError(
            "graph: expected at least one edge, got none; two items need "
            "`min_users` people in common before they are joined"
        )
    steps = _Steps(hgnn, graph, text, settings)
    progress = fit(
        hgnn,
        steps.losses,
        steps.validate if len(steps.validation.left) else None,
        settings.loop,
        folder,
        batches=len(steps.sampler),
        title="foundation",
    )
    centre(hgnn, graph, text)
    return hgnn, progress


def without_neighbourhoods(block: Block, alone: NDArray[np.int64]) -> Block:
    """Take every neighbour from the items `alone`, which makes them look brand-new.

    They stay neighbours of others.
    """
    destinations = len(block.neighbours)
    neighbours = block.neighbours.copy()
    neighbours[np.isin(block.rows[:destinations], alone)] = -1
    return Block(block.rows, neighbours)


def _draw_edges(graph: ItemGraph, share: float, rng: np.random.Generator) -> LinkBatch:
    """Draw a share of each relation's edges."""
    lefts, rights, relations = [], [], []
    for number, name in enumerate(graph.relations.names):
        edges = graph.edges(name)
        chosen = rng.random(len(edges)) < share
        if chosen.all():
            chosen[:] = False  # a relation of a few edges keeps them to learn from
        lefts.append(edges.left[chosen])
        rights.append(edges.right[chosen])
        relations.append(np.full(int(chosen.sum()), number, dtype=np.int64))
    return LinkBatch(np.concatenate(lefts), np.concatenate(rights), np.concatenate(relations))


def _split(batch: LinkBatch, size: int) -> Iterator[LinkBatch]:
    for start in range(0, len(batch.left), size):
        part = slice(start, start + size)
        yield LinkBatch(batch.left[part], batch.right[part], batch.relation[part])


_SUBSETS = {"uniform": uniform_subsets, "weighted": weighted_subsets}
