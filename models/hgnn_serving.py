"""The HGNN as it is exported: items whose neighbours' vectors are given with the request.

With the vectors of every layer of the catalogue at hand, a new item needs one hop per layer
and no recursion: layer l pools the neighbours' vectors of layer l - 1, which are read.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.hgnn import HGNN
from models.hgnn_layer import HGNNLayer, attend


class HGNNServing(nn.Module):
    """The weights of an `HGNN`, applied to given neighbour vectors."""

    def __init__(self, hgnn: HGNN) -> None:
        super().__init__()
        self.hgnn = hgnn

    def forward(
        self, text: Tensor, item_type: Tensor, neighbours: tuple[Tensor, ...], mask: Tensor
    ) -> tuple[Tensor, ...]:
        """Compute every layer of items from their own layer 0 and their neighbours' layers.

        Shapes:
            text: (B, F_0); item_type: (B,) int64.
            neighbours: per layer l (B, S, K, F_l), the neighbours' vectors that enter it:
                text vectors for the first, the catalogue's stored layer l after that.
                K may be 0.
            mask: (B, S, K) bool, False where there is no neighbour.
            returns: per hidden layer (B, F_{l+1}), last z (B, D + F_0) of unit L2 norm.
        """
        h = text
        layers: list[Tensor] = []
        for number, vectors in enumerate(neighbours):
            h = _given(self.hgnn.layer(number), h, item_type, vectors, mask)
            layers.append(h)
        return (*layers[:-1], self.hgnn.join(F.normalize(layers[-1], dim=1), text))


def _given(layer: HGNNLayer, h: Tensor, item_type: Tensor, vectors: Tensor, mask: Tensor) -> Tensor:
    """Apply one layer to nodes (B, F_in) whose neighbours' inputs are given (B, S, K, F_in)."""
    relation = layer.relation[item_type]  # (B, S)
    messages = torch.einsum("bski,bsio->bsko", vectors, layer.relation_weight[relation])
    messages = torch.relu(messages + layer.relation_bias[relation].unsqueeze(2))
    messages = messages * mask.unsqueeze(3)
    if layer.query is not None:
        query = torch.einsum("bi,bsio->bso", h, layer.query[relation])
        pooled = attend(query, messages, mask)
    elif layer.aggregation == "mean":
        pooled = messages.sum(dim=2) / mask.sum(dim=2).clamp(min=1).unsqueeze(2)
    else:
        # The zero column stands for "no neighbour"; messages are not negative, so it never wins.
        pooled = F.pad(messages, (0, 0, 0, 1)).amax(dim=2)  # (B, S, F_out)
    own = torch.einsum("bi,bio->bo", h, layer.own.weight[item_type])
    return layer.combine(own + layer.own.bias[item_type], pooled)
