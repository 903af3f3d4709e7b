"""LightGCN as a peer: people and items in one graph, vectors averaged over its layers."""

import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.nn.models.lightgcn import LightGCN

from training.id_vectors import IdVectorRanker
from training.loop import LoopSettings, fit
from training.ranking import Ranker

_STEPS_PER_EPOCH = 16
_LEAST_BATCH = 512
_REDRAWS = 5
NAME = "LightGCN"


@dataclass(frozen=True, kw_only=True)
class LightGcnSettings:
    """How LightGCN is made and trained; the defaults are the paper's, but for the step size."""

    layers: int = 3
    """Hops; 0 would be matrix factorization."""
    dimensions: int = 64
    learning_rate: float = 0.03
    """Thirty times the paper's, for batches that are larger by as much on a million edges."""
    regularization: float = 1e-4
    """Of the squared norm of the batch's embeddings."""
    epochs: int = 200
    """At most so many passes."""
    patience: int = 5
    """Stop after so many epochs without a better validation score."""
    seed: int = 0


def train_lightgcn(
    touched: sp.csr_array,
    judge: Callable[[Ranker], float] | None,
    settings: LightGcnSettings,
    folder: Path,
    minutes: float = math.inf,
) -> None:
    """Learn the vectors and leave them in `folder`; `judge` says when to stop.

    No epoch begins once `minutes` have passed.

    Differs from the paper in that an epoch is a few large batches: each step propagates through
    the whole graph, whatever the batch, and that is what it costs.

    Shapes:
        touched: (U, N), 1 where the person touched the item.

    Raises:
        DivergedError, NotLearningError: see `training.loop.fit`.

    Source: He et al., SIGIR 2020, arXiv 2002.02126, as implemented in torch-geometric.
    """
    torch.manual_seed(settings.seed)
    people, items = touched.shape
    model = LightGCN(people + items, settings.dimensions, settings.layers, normalize=False)
    adjacency = normalised_adjacency(touched)
    batches = _Batches(touched, settings.seed)

    def losses(epoch: int) -> Iterator[Tensor]:
        for person, chosen, other in batches.of(epoch):
            vectors = propagate(model, adjacency)
            anchor = F.embedding(person, vectors)
            liked, passed = (
                F.embedding(chosen + people, vectors),
                F.embedding(other + people, vectors),
            )
            involved = torch.unique(torch.cat([person, chosen + people, other + people]))
            loss: Tensor = model.recommendation_loss(
                (anchor * liked).sum(dim=1),
                (anchor * passed).sum(dim=1),
                node_id=involved,
                lambda_reg=settings.regularization,
            )
            yield loss

    def ranker() -> Ranker:
        with torch.no_grad():
            vectors = propagate(model, adjacency).numpy()
        return _ranker(vectors[:people], vectors[people:], touched)

    fit(
        model,
        losses,
        None if judge is None else lambda: judge(ranker()),
        LoopSettings(
            learning_rate=settings.learning_rate,
            epochs=settings.epochs,
            patience=settings.patience,
        ),
        folder,
        batches=batches.count,
        title=NAME,
        minutes=minutes,
    )
    with torch.no_grad():
        vectors = propagate(model, adjacency).numpy()
    np.save(folder / "people.npy", vectors[:people])
    np.save(folder / "items.npy", vectors[people:])


def load_lightgcn(folder: Path, touched: sp.csr_array) -> IdVectorRanker:
    """Rank by what `train_lightgcn` left; of people who touched nothing it knows nothing."""
    people = np.load(folder / "people.npy", allow_pickle=False)
    items = np.load(folder / "items.npy", allow_pickle=False)
    return _ranker(people, items, touched)


def _ranker(
    people: NDArray[np.float32], items: NDArray[np.float32], touched: sp.csr_array
) -> IdVectorRanker:
    learned = np.asarray(touched.sum(axis=1)) > 0
    familiar = np.asarray(touched.sum(axis=0)) > 0
    vectors = people * learned[:, None]
    return IdVectorRanker(NAME, items, familiar, lambda cases: vectors[cases.user_row])


def normalised_adjacency(touched: sp.csr_array) -> Tensor:
    """Join people and items, each edge divided by the roots of its two ends' degrees.

    Shapes:
        returns: (U + N, U + N) float32, sparse CSR, symmetric.
    """
    joined = sp.block_array([[None, touched], [touched.T, None]], format="csr")
    degree = np.maximum(np.asarray(joined.sum(axis=1)), 1.0)
    scale = sp.diags_array(1.0 / np.sqrt(degree))
    scaled = sp.csr_array(scale @ joined @ scale)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch: sparse CSR is in beta
        return torch.sparse_csr_tensor(
            torch.from_numpy(scaled.indptr.astype(np.int64)),
            torch.from_numpy(scaled.indices.astype(np.int64)),
            torch.from_numpy(scaled.data.astype(np.float32)),
            size=scaled.shape,
        )


def propagate(model: LightGCN, adjacency: Tensor) -> Tensor:
    """Give every node's vector, as `LightGCN.get_embedding` does, with a faster gradient.

    The vectors are a polynomial of the adjacency matrix times the embeddings. The matrix is
    symmetric, so the gradient is the same polynomial times the gradient of the vectors; torch
    would transpose the matrix in every layer of every step instead.

    Shapes:
        returns: (U + N, D).
    """
    apply: Callable[..., Tensor] = _Propagation.apply
    return apply(model.embedding.weight, model, adjacency)


class _Propagation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, model: LightGCN, adjacency: Tensor) -> Tensor:  # noqa: ANN401 (torch's)
        ctx.model, ctx.adjacency = model, adjacency
        return _polynomial(weight, model, adjacency)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401 (torch's)
        return _polynomial(gradient.contiguous(), ctx.model, ctx.adjacency), None, None


def _polynomial(x: Tensor, model: LightGCN, adjacency: Tensor) -> Tensor:
    first, *others = model.get_buffer("alpha")
    out: Tensor = x * first
    for conv, alpha in zip(model.convs, others, strict=True):
        x = conv(x, adjacency)
        out = out + x * alpha
    return out


class _Batches:
    """Edges in a new order every epoch, each with an item that its person did not touch."""

    def __init__(self, touched: sp.csr_array, seed: int) -> None:
        self._edges = np.stack(sp.coo_array(touched).coords).astype(np.int64)
        self._items = touched.shape[1]
        self._known = np.sort(self._edges[0] * self._items + self._edges[1])
        self._familiar = np.unique(self._edges[1])
        self._seed = seed
        size = max(_LEAST_BATCH, -(-len(self._known) // _STEPS_PER_EPOCH))
        self._starts = range(0, len(self._known), size)
        self._size = size

    @property
    def count(self) -> int:
        """Batches per epoch."""
        return len(self._starts)

    def of(self, epoch: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield people, items they chose and items they did not, (B,) each."""
        rng = np.random.default_rng([self._seed, 6, epoch])
        order = rng.permutation(len(self._known))
        for start in self._starts:
            person, chosen = self._edges[:, order[start : start + self._size]]
            other = self._untouched(person, rng)
            yield torch.from_numpy(person), torch.from_numpy(chosen), torch.from_numpy(other)

    def _untouched(self, person: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw familiar items; a person who touched nearly all may be given one of theirs."""
        other = rng.choice(self._familiar, len(person))
        for _ in range(_REDRAWS):
            pair = person * self._items + other
            place = np.minimum(np.searchsorted(self._known, pair), len(self._known) - 1)
            clash = self._known[place] == pair
            other[clash] = rng.choice(self._familiar, int(clash.sum()))
        return other
