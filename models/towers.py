"""The user tower and the item tower of the dynamic adaptation layer.

Both end in one space of unit vectors, so that a score is a dot product. Item ids are not
inputs: an item that nobody has met yet is not a special case.

Source: De Nadai et al., arXiv 2403.05185, section 4 (512 -> 256 -> 128). Beyond it: pools of
several decays instead of the plain mean alone, genders where the data has them, and the
type of an item among its inputs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.config import TowerConfig

_QUIET = 0.1
"""Scale of the hidden layers' first word, beside the unit vectors that pass them by."""


def straight(inputs: int, outputs: int) -> nn.Linear:
    """Build the way past the hidden layers: a linear map that keeps angles when it begins.

    Both towers begin with the same one, and their hidden layers with little to say. An
    untrained pair therefore scores an item by its likeness to the history, and training
    starts from there instead of from noise.
    """
    linear = nn.Linear(inputs, outputs, bias=False)
    generator = torch.Generator().manual_seed(0)  # the same map in both towers
    nn.init.orthogonal_(linear.weight, generator=generator)
    return linear


def feed_forward(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Stack linear layers with ReLU between them."""
    widths = (inputs, *hidden)
    layers: list[nn.Module] = []
    for i in range(len(hidden)):
        layers += [nn.Linear(widths[i], widths[i + 1]), nn.ReLU()]
    last = nn.Linear(widths[-1], outputs)
    nn.init.normal_(last.weight, std=_QUIET / widths[-1] ** 0.5)
    return nn.Sequential(*layers, last)


class HistoryPool(nn.Module):
    """Weighted means of a history, one per decay and item type.

    The item at place p (0 is the newest) has weight w_p * decay ** p, and a pool is the
    weighted mean over the items of its type; 0 where there are none.
    """

    log_decay: Tensor

    def __init__(self, decays: tuple[float, ...], types: int, *, by_type: bool) -> None:
        super().__init__()
        self.types = types
        self.by_type = by_type
        self.pools = len(decays) * (types if by_type else 1)
        self.register_buffer("log_decay", torch.tensor(decays).log(), persistent=False)

    def forward(self, history: Tensor, history_type: Tensor, history_weight: Tensor) -> Tensor:
        """Pool histories given newest first.

        Shapes:
            history: (B, L, D); history_type: (B, L) int64; history_weight: (B, L), 0 = padding.
            returns: (B, pools, D).
        """
        place = torch.arange(history.shape[1], device=history.device, dtype=history.dtype)
        decay = torch.exp(place[None, :] * self.log_decay[:, None])  # (P, L)
        weight = history_weight[:, None, :] * decay[None]  # (B, P, L)
        if self.by_type:
            member = F.one_hot(history_type, self.types).to(history.dtype)  # (B, L, T)
            weight = weight[:, :, None, :] * member.transpose(1, 2)[:, None]  # (B, P, T, L)
            weight = weight.flatten(1, 2)  # (B, P*T, L)
        total = weight.sum(dim=2, keepdim=True)
        return weight @ history / total.clamp(min=1e-9)


class UserTower(nn.Module):
    """Demographics and a history of item vectors -> a unit vector."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.category_dimensions
        self.country = nn.Embedding(config.countries, width)
        self.age = nn.Embedding(config.ages, width)
        self.gender = nn.Embedding(config.genders, width)
        types = len(config.item_types)
        self.pool = HistoryPool(config.decays, types, by_type=config.pool_by_type)
        inputs = 3 * width + types + self.pool.pools * config.history_dimensions
        self.layers = feed_forward(inputs, config.hidden_dimensions, config.dimensions)
        self.straight = straight(config.history_dimensions, config.dimensions)
        self.listen = nn.Parameter(torch.full((self.pool.pools, 1), 1 / self.pool.pools))

    def forward(
        self,
        country: Tensor,
        age: Tensor,
        gender: Tensor,
        history: Tensor,
        history_type: Tensor,
        history_weight: Tensor,
    ) -> Tensor:
        """Embed people.

        Shapes:
            country, age, gender: (B,) int64, 0 = unknown.
            history: (B, L, H) item vectors, newest first; L may be 0.
            history_type: (B, L) int64; history_weight: (B, L), 0 = padding.
            returns: (B, D), rows of unit L2 norm.
        """
        pools = self.pool(history, history_type, history_weight)  # (B, pools, H)
        member = F.one_hot(history_type, len(self.config.item_types)).to(history.dtype)
        amount = torch.log1p((member * history_weight[:, :, None]).sum(dim=1))  # (B, T)
        people = (self.country(country), self.age(age), self.gender(gender))
        hidden = self.layers(torch.cat((*people, amount, pools.flatten(1)), dim=1))
        return F.normalize(hidden + self.straight((pools * self.listen).sum(dim=1)), dim=1)


class ItemTower(nn.Module):
    """Language, genres, type, text vector and HGNN vector -> a unit vector."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.category_dimensions
        self.item_type = nn.Embedding(len(config.item_types), width)
        self.language = nn.Embedding(config.languages, width)
        inputs = 2 * width + config.genres + config.text_dimensions + config.graph_dimensions
        self.layers = feed_forward(inputs, config.hidden_dimensions, config.dimensions)
        self.straight = straight(config.history_dimensions, config.dimensions)

    def forward(
        self, text: Tensor, hgnn: Tensor, item_type: Tensor, language: Tensor, genres: Tensor
    ) -> Tensor:
        """Embed items.

        Shapes:
            text: (B, F); hgnn: (B, G), unused when the configuration has no graph.
            item_type, language: (B,) int64; genres: (B, number of genres).
            returns: (B, D), rows of unit L2 norm.
        """
        parts = [self.item_type(item_type), self.language(language), genres, text]
        if self.config.graph_dimensions:
            parts.append(hgnn)
        hidden = self.layers(torch.cat(parts, dim=1))
        return F.normalize(hidden + self.straight(parts[-1]), dim=1)


class TwoTower(nn.Module):
    """Both towers, trained together and exported apart."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        self.user = UserTower(config)
        self.item = ItemTower(config)
