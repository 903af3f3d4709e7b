"""Losses over unit vectors: the papers' margin loss, and softmax over sampled items."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

_PART = 512
"""Rows that are compared with a whole catalogue at a time: so many scores stay in the processor's
caches from the product to the softmax."""


def margin_loss(anchor: Tensor, positive: Tensor, negatives: Tensor, *, margin: float) -> Tensor:
    """Hinge loss that wants the joined item nearer than random ones by `margin`.

        mean over n of max(0, a . n - a . p + margin)

    Shapes:
        anchor, positive: (B, D), rows of unit L2 norm.
        negatives: (M, D), items drawn for the whole batch.
        returns: (), mean over the batch and the negatives.

    Source: De Nadai et al., arXiv 2403.05185; neither the margin nor the number of negatives
    is given there.
    """
    near = (anchor * positive).sum(dim=1, keepdim=True)  # (B, 1)
    return torch.relu(anchor @ negatives.T - near + margin).mean()


def sampled_softmax(
    query: Tensor,
    positive: Tensor,
    positive_row: Tensor,
    negatives: Tensor,
    negative_row: Tensor,
    log_q_batch: Tensor,
    log_q_negatives: Tensor,
    *,
    temperature: float,
    query_row: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of the chosen item against the batch's other items and drawn ones.

        -log( exp s_ii / (exp s_ii + sum over j != i of exp(s_ij - log q_j)) )

    An item that is likely to be a negative is one too often; `log q`, the log of its expected
    count among the negatives, undoes that. A copy of the chosen item elsewhere in the batch
    or among the drawn ones is not a negative and is masked out; so is one of the query's own item,
    where the queries are items.

    Shapes:
        query, positive: (B, D), rows of unit L2 norm; row i of `query` chose `positive` i.
        positive_row: (B,) int64, which item each positive is.
        negatives: (M, D), rows of unit L2 norm, M may be 0; negative_row: (M,) int64.
        log_q_batch: (B,), log of each positive's expected count in a batch.
        log_q_negatives: (M,), log of each drawn item's expected count among the drawn.
        query_row: (B,) int64, which item each query is; None where they are people.
        returns: (), mean over the batch, in nats.

    Raises:
        ValueError: one row and nothing drawn, so there is no negative.

    Source: Yi et al., RecSys 2019, doi:10.1145/3298689.3346996 (in-batch, logQ); Yang et al.,
    WWW 2020, doi:10.1145/3366424.3386195 (mixed negatives).
    """
    rows = len(query)
    if rows < 2 and len(negatives) == 0:
        raise ValueError("sampled_softmax needs a negative: 2 rows or more, or drawn items")

    own = (query * positive).sum(dim=1) / temperature  # (B,), the chosen item has no correction
    batch = query @ positive.T / temperature - log_q_batch  # (B, B), column j is item j
    batch = batch.masked_fill(_same(positive_row, query_row, positive_row), float("-inf"))
    drawn = query @ negatives.T / temperature - log_q_negatives  # (B, M)
    drawn = drawn.masked_fill(_same(positive_row, query_row, negative_row), float("-inf"))
    scores = torch.cat((own[:, None], batch, drawn), dim=1)  # (B, 1 + B + M)
    return F.cross_entropy(scores, torch.zeros(rows, dtype=torch.int64, device=query.device))


def _same(positive_row: Tensor, query_row: Tensor | None, other_row: Tensor) -> Tensor:
    """Mark others that are no negatives, the chosen item or the query's own; (B, n) bool."""
    same = positive_row[:, None] == other_row[None, :]
    return same if query_row is None else same | (query_row[:, None] == other_row[None, :])


def catalogue_softmax(
    query: Tensor, items: Tensor, chosen: Tensor, *, temperature: float
) -> Tensor:
    """Cross-entropy of the chosen item against all items.

    Shapes:
        query: (B, D), rows of unit L2 norm. items: (N, D), rows of unit L2 norm.
        chosen: (B,) int64, rows of `items`.
        returns: (), mean over the batch, in nats.
    """
    scaled = query / temperature  # before the product, which is far larger
    parts = zip(torch.split(scaled, _PART), torch.split(chosen, _PART), strict=True)
    losses = [F.cross_entropy(part @ items.T, right, reduction="sum") for part, right in parts]
    return torch.stack(losses).sum() / len(query)


def drawn_softmax(
    query: Tensor,
    positive: Tensor,
    drawn: Tensor,
    itself: Tensor,
    catalogue_size: int,
    *,
    temperature: float,
) -> Tensor:
    """Estimate `catalogue_softmax` from items drawn uniformly, M for the whole batch.

        -log( exp s / (exp s + N / M * sum over drawn n of exp s_n) )

    Shapes:
        query, positive: (B, D), rows of unit L2 norm; row i of `query` chose `positive` i.
        drawn: (M, D), rows of unit L2 norm, M at least 1.
        itself: (B, M) bool, where a drawn item is the chosen one, which is no negative.
        returns: (), mean over the batch, in nats.
    """
    own = (query * positive).sum(dim=1, keepdim=True) / temperature  # (B, 1)
    others = query @ drawn.T / temperature + math.log(catalogue_size / len(drawn))
    scores = torch.cat((own, others.masked_fill(itself, float("-inf"))), dim=1)
    return F.cross_entropy(scores, scores.new_zeros(len(query), dtype=torch.int64))
