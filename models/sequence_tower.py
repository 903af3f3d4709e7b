"""The user tower that reads a history as a sequence: a small causal transformer over item vectors.

For the items v_0, v_1, ... of a history, 0 the newest, and a person token at the far end:

    x_p = W v_p + E_type(p) + weight_p e + person,       x_person = person
    x   = blocks(x), each place listening to itself, what is older, and the person
    u_p = unit( W_out norm(x_p) + sum over d of a_d * mean_d(v_p, v_(p+1), ...) )

where mean_d is the mean with weight_q * d ** (q - p), one per decay. Both W_out begins small and
the means begin with equal shares, so an untrained tower scores an item by its likeness to the
recent history. u_0 is the person now; u_p for p > 0 is the person as of then, which is what
training compares with the item that came next: every place of a history is an example.

Histories are made of the towers' own item vectors, so that an item nobody has chosen yet counts
in a history from its first day. How far apart two places are is told by a learned bias per
head and distance, not by absolute places.

Source: SASRec (Kang and McAuley, ICDM 2018, arXiv 1808.09781); a bias per distance as in T5
(Raffel et al., JMLR 2020, arXiv 1910.10683). Beyond them: the person token, the means beside it,
and item vectors from content and graph instead of a table of ids alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.config import TowerConfig

_QUIET = 0.1
"""Scale of the transformer's first word, beside the means that pass it by."""
_HIDDEN = 2
"""Width of a block's feed-forward part, in widths of the block."""


class AttentionBlock(nn.Module):
    """Attention and feed-forward part, each normalised before and added after.

    Shapes:
        x: (B, Q, D), the places that listen; context: (B, K, D), what they listen to.
        bias: (B, H, Q, K), added to the scores, -inf where a place must not listen.
        returns: (B, Q, D).
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width)
        self.before_hidden = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.hidden = nn.Sequential(
            nn.Linear(width, _HIDDEN * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(_HIDDEN * width, width),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, context: Tensor, bias: Tensor) -> Tensor:
        """Apply the block; see the class."""
        query = self._by_head(self.query(self.before_attention(x)))  # (B, H, Q, D / H)
        key, value = self.key_value(self.before_attention(context)).chunk(2, dim=2)
        scores = query @ self._by_head(key).transpose(2, 3) / query.shape[3] ** 0.5 + bias
        heard = self.dropout(scores.softmax(dim=3)) @ self._by_head(value)
        x = x + self.dropout(self.out(heard.transpose(1, 2).flatten(2)))
        out: Tensor = x + self.dropout(self.hidden(self.before_hidden(x)))
        return out

    def _by_head(self, x: Tensor) -> Tensor:
        """Shapes: x (B, n, D), returns (B, H, n, D / H)."""
        batch, places, width = x.shape
        return x.view(batch, places, self.heads, width // self.heads).transpose(1, 2)


class SequenceUserTower(nn.Module):
    """Demographics and a sequence of item vectors -> a unit vector; see the module's formula."""

    log_decay: Tensor

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.dimensions
        self.country = nn.Embedding(config.countries, width)
        self.age = nn.Embedding(config.ages, width)
        self.gender = nn.Embedding(config.genders, width)
        self.item_type = nn.Embedding(len(config.item_types), width)
        for table in (self.country, self.age, self.gender, self.item_type):
            nn.init.normal_(table.weight, std=0.02)
        self.enter = nn.Linear(width, width)
        self.loudness = nn.Parameter(torch.zeros(width))
        self.blocks = nn.ModuleList(
            AttentionBlock(width, config.heads, config.dropout) for _ in range(config.blocks)
        )
        self.distance = nn.Parameter(torch.zeros(config.heads, config.history_length + 1))
        self.person = nn.Parameter(torch.zeros(config.heads))
        self.last_norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, width)
        nn.init.normal_(self.leave.weight, std=_QUIET / width**0.5)
        nn.init.zeros_(self.leave.bias)
        self.dropout = nn.Dropout(config.dropout)
        self.register_buffer("log_decay", torch.tensor(config.decays).log(), persistent=False)
        self.listen = nn.Parameter(torch.full((len(config.decays),), 1 / len(config.decays)))

    def forward(
        self,
        country: Tensor,
        age: Tensor,
        gender: Tensor,
        history: Tensor,
        history_type: Tensor,
        history_weight: Tensor,
    ) -> Tensor:
        """Embed people as of now.

        Shapes:
            country, age, gender: (B,) int64, 0 = unknown.
            history: (B, L, D) item vectors, newest first; L may be 0.
            history_type: (B, L) int64; history_weight: (B, L), 0 = padding.
            returns: (B, D), rows of unit L2 norm.
        """
        x, bias = self._begin(country, age, gender, history, history_type, history_weight)
        for block in self.blocks[:-1]:
            x = block(x, x, bias)
        # Only the newest place is asked: the first one heard, or the person token where none is.
        heard = F.pad((history_weight > 0).to(x.dtype), (0, 1), value=1.0)  # (B, L + 1)
        newest = heard.argmax(dim=1)  # (B,), the first of equal values
        asked = newest[:, None, None].expand(-1, 1, x.shape[2])
        row = newest[:, None, None, None].expand(-1, bias.shape[1], 1, bias.shape[3])
        x = self.blocks[-1](x.gather(1, asked), x, bias.gather(2, row))  # (B, 1, D)
        pools = self._pools(history, history_weight, newest[:, None])
        return self._end(x, pools).squeeze(1)

    def embed_every_place(
        self,
        country: Tensor,
        age: Tensor,
        gender: Tensor,
        history: Tensor,
        history_type: Tensor,
        history_weight: Tensor,
    ) -> Tensor:
        """Embed people as of each place of their histories, for training.

        Shapes:
            as `forward`; returns: (B, L + 1, D), rows of unit L2 norm, the last place before
            anything was heard.
        """
        x, bias = self._begin(country, age, gender, history, history_type, history_weight)
        for block in self.blocks:
            x = block(x, x, bias)
        places = torch.arange(x.shape[1], device=history.device).expand(len(history), -1)
        return self._end(x, self._pools(history, history_weight, places))

    def _begin(
        self,
        country: Tensor,
        age: Tensor,
        gender: Tensor,
        history: Tensor,
        history_type: Tensor,
        history_weight: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Place the tokens and say who may listen to whom.

        Shapes:
            returns: tokens (B, L + 1, D), the person last; bias (B, H, L + 1, L + 1).
        """
        person = self.country(country) + self.age(age) + self.gender(gender)  # (B, D)
        scale = self.config.dimensions**0.5  # unit vectors have small coordinates
        items = self.enter(history * scale) + self.item_type(history_type)
        items = items + history_weight[:, :, None] * self.loudness + person[:, None]
        x = self.dropout(torch.cat((items, person[:, None]), dim=1))

        length = history.shape[1]
        place = torch.arange(length + 1, device=history.device)
        apart = place[None, :] - place[:, None]  # (L + 1, L + 1), from listener to what it hears
        bias = self.distance[:, apart.clamp(0, self.config.history_length)]  # (H, L + 1, L + 1)
        to_person = (place == length)[None, None, :]
        bias = torch.where(to_person, self.person[:, None, None], bias)
        heard = F.pad(history_weight > 0, (0, 1), value=True)  # (B, L + 1)
        allowed = (apart >= 0)[None] & heard[:, None, :]  # (B, L + 1, L + 1)
        return x, bias[None].masked_fill(~allowed[:, None], float("-inf"))

    def _pools(self, history: Tensor, history_weight: Tensor, places: Tensor) -> Tensor:
        """Average, per decay, what lies at some places and before.

        Shapes:
            places: (B, Q) int64. returns: (B, Q, P, D), 0 where nothing was heard.
        """
        place = torch.arange(history.shape[1], device=history.device)
        apart = place[None, None, :] - places[:, :, None]  # (B, Q, L)
        decay = torch.exp(apart.clamp(min=0)[:, :, None] * self.log_decay[:, None])  # (B, Q, P, L)
        weight = decay * (apart >= 0)[:, :, None] * history_weight[:, None, None]
        total = weight.sum(dim=3, keepdim=True)
        pooled = weight.flatten(1, 2) @ history / total.flatten(1, 2).clamp(min=1e-9)
        return pooled.view(*weight.shape[:3], history.shape[2])

    def _end(self, x: Tensor, pools: Tensor) -> Tensor:
        """Add the means to what the transformer says. Shapes: (B, Q, D), (B, Q, P, D)."""
        means = (pools * self.listen[:, None]).sum(dim=2)
        return F.normalize(self.leave(self.last_norm(x)) + means, dim=2)
