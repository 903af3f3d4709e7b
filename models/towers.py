"""The item tower, the user tower of the papers, and both towers of the adaptation together.

For a person with a history of HGNN vectors z and weights w (`models.sequence_tower` is the
other way to read a history), and for an item:

    m_dt = weighted mean of the z of type t, newest first, under decay d     see HistoryPool
    p_dt = A m_dt
    n_t  = log(1 + sum of the w of type t)
    u    = unit( MLP_u[country, age, gender, n, p] + sum over d, t of c_dt p_dt )

    s    = B z                            z the item's own vector, without a graph its centred x
    v    = unit( MLP_v[type, language, genres, x, s] + s + r )    r its residual, 0 for a new item

    score = u . v

A and B have no bias and begin alike, c begins as 1 / number of pools; see `TwoTower`. Country,
age, gender, type and language are rows of learned tables, genres a vector of shares.

Both end in one space of unit vectors, so that a score is a dot product. Item ids are not
inputs of the item tower: an item that nobody has met yet is not a special case. What people's
choices tell of a familiar item beyond its content is a residual beside its inputs. In training some
items, drawn afresh in each step, are shown as new ones are: without residual, and with the z that
they would have had nobody chosen them.

Source: De Nadai et al., arXiv 2403.05185, section 4 (512 -> 256 -> 128). Beyond it: the straight
ways A and B and their beginning, pools of several decays instead of the plain mean alone, the
amount of history n, genders where the data has them, and the type of an item among its inputs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.config import TowerConfig
from models.sequence_tower import SequenceUserTower

_QUIET = 0.1
"""Scale of the hidden layers' first word, beside the unit vectors that pass them by."""


def feed_forward(inputs: int, hidden: tuple[int, ...], outputs: int) -> nn.Sequential:
    """Stack linear layers with ReLU between them."""
    widths = (inputs, *hidden)
    layers: list[nn.Module] = []
    for i in range(len(hidden)):
        layers += [nn.Linear(widths[i], widths[i + 1]), nn.ReLU()]
    last = nn.Linear(widths[-1], outputs)
    nn.init.normal_(last.weight, std=_QUIET / widths[-1] ** 0.5)
    nn.init.zeros_(last.bias)
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


class PooledUserTower(nn.Module):
    """Demographics and means of a history of HGNN vectors -> a unit vector; u of the formula."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.category_dimensions
        self.country = nn.Embedding(config.countries, width)
        self.age = nn.Embedding(config.ages, width)
        self.gender = nn.Embedding(config.genders, width)
        types = len(config.item_types)
        self.pool = HistoryPool(config.decays, types, by_type=config.pool_by_type)
        self.straight = nn.Linear(config.history_dimensions, config.dimensions, bias=False)
        inputs = 3 * width + types + self.pool.pools * config.dimensions
        self.layers = feed_forward(inputs, config.hidden_dimensions, config.dimensions)
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
        pools = self.straight(self.pool(history, history_type, history_weight))  # (B, pools, D)
        member = F.one_hot(history_type, len(self.config.item_types)).to(history.dtype)
        amount = torch.log1p((member * history_weight[:, :, None]).sum(dim=1))  # (B, T)
        people = (self.country(country), self.age(age), self.gender(gender))
        hidden = self.layers(torch.cat((*people, amount, pools.flatten(1)), dim=1))
        return F.normalize(hidden + (pools * self.listen).sum(dim=1), dim=1)


class ItemTower(nn.Module):
    """Language, genres, type, text and item vector -> a unit vector; v of the module's formula."""

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        width = config.category_dimensions
        self.item_type = nn.Embedding(len(config.item_types), width)
        self.language = nn.Embedding(config.languages, width)
        self.straight = nn.Linear(config.known_dimensions, config.dimensions, bias=False)
        inputs = 2 * width + config.genres + config.text_dimensions + config.dimensions
        self.layers = feed_forward(inputs, config.hidden_dimensions, config.dimensions)

    def forward(
        self,
        text: Tensor,
        hgnn: Tensor,
        item_type: Tensor,
        language: Tensor,
        genres: Tensor,
        residual: Tensor,
    ) -> Tensor:
        """Embed items.

        Shapes:
            text: (B, F); hgnn: (B, G), what is known of items.
            item_type, language: (B,) int64; genres: (B, number of genres).
            residual: (B, D), what was learned about a familiar item; 0 for a new one.
            returns: (B, D), rows of unit L2 norm.
        """
        known = self.straight(hgnn)
        parts = (self.item_type(item_type), self.language(language), genres, text, known)
        return F.normalize(self.layers(torch.cat(parts, dim=1)) + known + residual, dim=1)


class TwoTower(nn.Module):
    """Both towers and the residuals of familiar items; trained together and exported apart.

    The vectors of items reach the end of either tower on two ways: through the hidden layers,
    and straight by a linear map. The towers begin with the same map (`align`) and hidden
    layers with little to say: an untrained pair scores an item by its likeness to the history,
    and training starts from there instead of from noise.
    """

    def __init__(self, config: TowerConfig) -> None:
        super().__init__()
        self.config = config
        self.user: SequenceUserTower | PooledUserTower = (
            SequenceUserTower(config)
            if config.user_tower == "sequence"
            else PooledUserTower(config)
        )
        self.item = ItemTower(config)
        self.residual = nn.Parameter(torch.zeros(config.familiar_items, config.dimensions))

    def residual_of(self, rows: Tensor) -> Tensor:
        """Give the residuals of items. Shapes: rows (n,) int64, returns (n, D)."""
        if not self.config.familiar_items:
            return self.residual.new_zeros(len(rows), self.config.dimensions)
        return self.residual[rows]

    def draw_new(self, count: int) -> Tensor:
        """Draw which of some items a step shows as new; none outside training.

        Shapes:
            returns: (count, 1) bool.
        """
        share = self.config.shown_new if self.training else 0.0
        return torch.rand(count, 1, device=self.residual.device) < share

    def hide(self, categories: Tensor) -> Tensor:
        """Make some categories unknown: of each field a share, and of the rows as many whole.

        Outside training they stay as they are.

        Shapes:
            categories, returns: (B, K) int64, 0 = unknown.
        """
        share = self.config.hidden if self.training else 0.0
        if not share:
            return categories
        device = categories.device
        drawn = torch.rand(len(categories), 1 + categories.shape[1], device=device) < share
        return categories.masked_fill(drawn[:, :1] | drawn[:, 1:], 0)

    @torch.no_grad()
    def begin_residuals(self, residual: Tensor) -> None:
        """Begin with what people's choices say of familiar items. Shapes: residual (N, D)."""
        self.residual.copy_(residual)

    @torch.no_grad()
    def align(self, vectors: Tensor) -> None:
        """Begin the straight ways with the principal directions of the items' vectors.

        Shapes:
            vectors: (n, K), what is known of items; a sample is enough.
        """
        directions = torch.linalg.eigh(torch.cov(vectors.T.double()))[1].flip(1)  # best first
        pooled = self.user if isinstance(self.user, PooledUserTower) else None
        for straight in (self.item.straight, *((pooled.straight,) if pooled else ())):
            kept = min(straight.out_features, directions.shape[1])
            straight.weight.zero_()
            straight.weight[:kept] = directions[:, :kept].T
