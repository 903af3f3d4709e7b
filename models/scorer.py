"""The scorer that fuses the two channels: a weight for everything that speaks for an item.

    score_j = sum over f of w_f x_jf / scale_f

The x are the columns of `retrieval.evidence`: the towers' likeness, what the items of the
history say for j along the graph, popularity, and how much the person keeps to j's type.
"""

import torch
from torch import Tensor, nn

from retrieval.evidence import NAMES


class Scorer(nn.Module):
    """A linear scorer of candidates.

    Shapes:
        weight, scale: (F,), as the columns of `retrieval.evidence.NAMES`. A scale is how far a
            column usually strays, so that weights can be compared.
    """

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(len(NAMES)))
        self.register_buffer("scale", torch.ones(len(NAMES)))

    def forward(self, evidence: Tensor) -> Tensor:
        """Score candidates. Shapes: evidence (M, F), returns (M,)."""
        return (evidence / self.scale) @ self.weight
