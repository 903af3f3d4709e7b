"""The heterogeneous GNN of the static foundation layer.

For node c, its neighbours N(c, r) under relation r, and layer inputs h:

    pool(c, r) = max over n in N(c, r) of ReLU(W_r h_n + b_r)        0 without neighbours
    h_c       <- act(W_type(c) h_c + b_type(c) + sum over r of pool(c, r))
    g_c        = h_c / |h_c|                                          after the last layer
    z_c        = [ unit(g_c - mean g), unit(x_c - mean x) ] / sqrt 2,      x what layer 0 is

`act` is ReLU in every layer but the last, which is linear: a rectified z would confine all
items to one orthant (the paper rectifies there too).

Layer 0 is the text vector, with the item's year beside it where the catalogue has years
(`features.years`).

A relation is an unordered pair of item types, or a content relation. From a node's side its
lists are *slots*: slot s below the number of types holds neighbours of type s, the slots
after those hold the content relations. `RelationSchema.table` maps (type, slot) to relation.

The loss sees g. The item vector z joins it with what it came from, both centred over
the catalogue (layers joined in this way are known as jumping knowledge, Xu et al., arXiv
1806.03536): a message that the graph drowned is still there, and an item without neighbours is
as good as its text and year.

That is the aggregation `max`. `mean` takes the mean over n in its place, `attention` a mean with
the weights softmax over n of (Q_r h_c) . m_n / sqrt(width), where m_n is n's message: scaled
dot-product attention (Vaswani et al., arXiv 1706.03762) with a query matrix per relation.

A neighbour's message depends on the neighbour and the relation alone, so it is computed once
per node and relation and then gathered, never once per edge.

Source: Damianou et al., arXiv 2403.07478; De Nadai et al., arXiv 2403.05185. The layer is
GraphSAGE's max pooling (Hamilton et al., arXiv 1706.02216) with a weight per relation.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graph.relations import RelationSchema
from models.config import HGNNConfig
from models.hgnn_layer import HGNNLayer


class Join(nn.Module):
    """Graph part and text, centred over the catalogue, as one unit vector.

    Shapes:
        graph_mean: (D,), text_mean: (F_0,); 0 until `centre` has seen a catalogue.
    """

    graph_mean: Tensor
    text_mean: Tensor

    def __init__(self, config: HGNNConfig) -> None:
        super().__init__()
        self.register_buffer("graph_mean", torch.zeros(config.dimensions))
        self.register_buffer("text_mean", torch.zeros(config.text_dimensions))

    def centre(self, graph: Tensor, text: Tensor) -> None:
        """Remember the means over a catalogue (N, D) and (N, F_0)."""
        self.graph_mean.copy_(graph.mean(dim=0))
        self.text_mean.copy_(text.mean(dim=0))

    def forward(self, graph: Tensor, text: Tensor) -> Tensor:
        """Join the parts.

        Shapes:
            graph: (n, D), unit rows; text: (n, F_0), unit rows.
            returns: (n, D + F_0), rows of unit L2 norm.
        """
        parts = (
            F.normalize(graph - self.graph_mean, dim=1),
            F.normalize(text - self.text_mean, dim=1),
        )
        return F.normalize(torch.cat(parts, dim=1), dim=1)


class HGNN(nn.Module):
    """The network over sampled blocks, for training.

    What it does not do: take the edges that are to be predicted out of the messages. The
    sampler does (`graph.sample.sample_blocks`, argument `removed`).
    """

    def __init__(self, config: HGNNConfig) -> None:
        super().__init__()
        self.config = config
        schema = RelationSchema(config.item_types, config.content_relations)
        widths = config.widths
        self.layers = nn.ModuleList(
            HGNNLayer(
                widths[i],
                widths[i + 1],
                schema,
                linear=i == config.layers - 1,
                aggregation=config.aggregation,
            )
            for i in range(config.layers)
        )
        self.join = Join(config)

    def layer(self, number: int) -> HGNNLayer:
        """Return layer `number`, counted from 0."""
        layer = self.layers[number]
        assert isinstance(layer, HGNNLayer)
        return layer

    def forward(self, text: Tensor, item_type: Tensor, neighbours: tuple[Tensor, ...]) -> Tensor:
        """Compute the graph part g of the nodes that the last block is about.

        Shapes:
            text: (n_0, F_0), text vectors of the outermost block's nodes.
            item_type: (n_0,) int64.
            neighbours: per layer (n_{l+1}, S, K) int64, positions among that layer's n_l
                nodes, of which the first n_{l+1} go on to the next layer; -1 for none.
            returns: (n_L, D), rows of unit L2 norm.

        Raises:
            ValueError: not one set of neighbours per layer.
        """
        if len(neighbours) != len(self.layers):
            raise ValueError(f"neighbours: expected {len(self.layers)} sets, got {len(neighbours)}")
        h = text
        for number, positions in enumerate(neighbours):
            h = self.layer(number)(h, item_type[: len(h)], positions)
        return F.normalize(h, dim=1)
