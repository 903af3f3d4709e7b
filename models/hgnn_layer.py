"""One round of messages of the HGNN; `models.hgnn` has the formula."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch_geometric.nn import HeteroLinear
from torch_geometric.nn.inits import glorot, zeros

from graph.relations import RelationSchema

_NOBODY = -1e9
"""Score of the message that stands for no neighbour."""


class HGNNLayer(nn.Module):
    """One round of messages; see the formula of `models.hgnn`.

    Shapes:
        relation_weight: (R, F_in, F_out), relation_bias: (R, F_out).
        own.weight: (T, F_in, F_out), own.bias: (T, F_out).
        query: (R, F_in, F_out), under `attention` alone.
        relation: (T, S) int64, the relation of slot s at a node of type t.
    """

    relation: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        schema: RelationSchema,
        *,
        linear: bool,
        aggregation: Literal["max", "mean", "attention"] = "max",
    ) -> None:
        super().__init__()
        types = len(schema.item_types)
        self.num_types = types
        self.num_slots = int(schema.table.shape[1])
        self.linear = linear
        self.aggregation = aggregation
        self.relation_weight = nn.Parameter(torch.empty(schema.num_relations, inputs, outputs))
        self.relation_bias = nn.Parameter(torch.empty(schema.num_relations, outputs))
        self.own = HeteroLinear(inputs, outputs, types)
        self.register_buffer(
            "relation", torch.as_tensor(schema.table, dtype=torch.int64), persistent=False
        )
        for weight in (*self.relation_weight, *self.own.weight):
            glorot(weight)
        zeros(self.relation_bias)
        zeros(self.own.bias)
        self.query: nn.Parameter | None = None
        if aggregation == "attention":
            self.query = nn.Parameter(torch.empty(schema.num_relations, inputs, outputs))
            for weight in self.query:
                glorot(weight)

    def messages(self, h: Tensor, item_type: Tensor) -> Tensor:
        """Compute what each node tells the nodes it may be a neighbour of.

        Entry a below T is the message to a node of type a, entry T + j the message along
        content relation j.

        Shapes:
            h: (n, F_in); item_type: (n,) int64.
            returns: (n, S, F_out), none negative.
        """
        outputs = self.relation_bias.shape[1]
        out = h.new_zeros(len(h), self.num_slots * outputs)
        for t in range(self.num_types):
            rows = (item_type == t).nonzero().squeeze(1)
            weight = self.relation_weight[self.relation[t]].transpose(0, 1).flatten(1)
            bias = self.relation_bias[self.relation[t]].flatten()
            out = out.index_copy(0, rows, torch.relu(torch.addmm(bias, h[rows], weight)))
        return out.view(len(h), self.num_slots, outputs)

    def forward(self, h: Tensor, item_type: Tensor, neighbours: Tensor) -> Tensor:
        """Update the first rows of `h` from their neighbours among all rows of `h`.

        Shapes:
            h: (n_src, F_in); item_type: (n_src,) int64.
            neighbours: (n_dst, S, K) int64, positions in `h`, -1 for none.
            returns: (n_dst, F_out).
        """
        destinations, slots, width = neighbours.shape
        destination_type = item_type[:destinations]
        entry = self.entries(destination_type)  # (n_dst, S)
        messages = self.messages(h, item_type)  # (n_src, S, F_out)
        index = neighbours * slots + entry[:, :, None] + 1  # 0 is the absent neighbour
        index = index.masked_fill(neighbours < 0, 0)
        table = F.pad(messages.flatten(0, 1), (0, 0, 1, 0))  # row 0: zeros
        queries = self.queries(h[:destinations], destination_type)
        pooled = self.pool(
            index.view(destinations * slots, width),
            table,
            None if queries is None else queries.flatten(0, 1),
        ).view(destinations, slots, -1)
        return self.combine(self.own(h[:destinations], destination_type), pooled)

    def queries(self, h: Tensor, item_type: Tensor) -> Tensor | None:
        """Compute what each slot of a node asks its neighbours; None where nothing is asked.

        Shapes:
            h: (n, F_in); item_type: (n,) int64.
            returns: (n, S, F_out).
        """
        if self.query is None:
            return None
        slots, outputs = self.num_slots, self.query.shape[2]
        out = h.new_zeros(len(h), slots * outputs)
        for t in range(self.num_types):
            rows = (item_type == t).nonzero().squeeze(1)
            weight = self.query[self.relation[t]].transpose(0, 1).flatten(1)
            out = out.index_copy(0, rows, h[rows] @ weight)
        return out.view(len(h), slots, outputs)

    def pool(self, index: Tensor, table: Tensor, query: Tensor | None) -> Tensor:
        """Take in messages as the aggregation says; 0 where there is none.

        Shapes:
            index: (n, K) int64, rows of `table`, 0 for no neighbour; K at least 1.
            table: (m, F_out), its row 0 all zeros. query: (n, F_out), under `attention` alone.
            returns: (n, F_out).
        """
        if query is None:
            pooled: Tensor = F.embedding_bag(index, table, mode=self.aggregation, padding_idx=0)
            return pooled
        return attend(query[:, None], table[index][:, None], (index > 0)[:, None])[:, 0]

    def entries(self, item_type: Tensor) -> Tensor:
        """Tell which entry of a neighbour's messages each slot of a node reads.

        Shapes:
            item_type: (n,) int64, the types of the nodes that listen.
            returns: (n, S) int64.
        """
        slot = torch.arange(self.num_slots, device=item_type.device)
        return torch.where(slot < self.num_types, item_type[:, None], slot)

    def combine(self, own: Tensor, pooled: Tensor) -> Tensor:
        """Add a node's own part and its pooled messages.

        Shapes:
            own: (n, F_out); pooled: (n, S, F_out).
            returns: (n, F_out).
        """
        h = own + pooled.sum(dim=1)
        return h if self.linear else torch.relu(h)


def attend(query: Tensor, messages: Tensor, mask: Tensor) -> Tensor:
    """Take in each slot's messages by scaled dot-product attention.

    A message of zeros, whose score no real one is below, stands beside them: a slot without
    neighbours takes in that.

    Shapes:
        query: (B, S, F); messages: (B, S, K, F), K may be 0; mask: (B, S, K) bool.
        returns: (B, S, F).
    """
    scores = (messages * query.unsqueeze(2)).sum(dim=3) / query.shape[2] ** 0.5  # (B, S, K)
    scores = F.pad(scores.masked_fill(~mask, float("-inf")), (0, 1), value=_NOBODY)
    weights = scores.softmax(dim=2).unsqueeze(3)  # (B, S, K + 1, 1)
    return (weights * F.pad(messages, (0, 0, 0, 1))).sum(dim=2)
