"""Losses against hand-computed values."""

import math

import pytest
import torch
import torch.nn.functional as F

from models.losses import catalogue_softmax, margin_loss, sampled_softmax

EAST, NORTH, WEST = (torch.tensor([v]) for v in ([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]))
NOTHING = torch.zeros(0, 2)
NO_ROW = torch.zeros(0, dtype=torch.int64)


def test_margin_loss_is_the_hinge_of_the_papers() -> None:
    # a.p = 0, a.n = 1 and -1: max(0, 1 - 0 + 0.2) and max(0, -1 - 0 + 0.2)
    loss = margin_loss(EAST, NORTH, torch.cat((EAST, WEST)), margin=0.2)
    assert loss.item() == pytest.approx((1.2 + 0.0) / 2)


def test_softmax_without_correction_is_plain_cross_entropy() -> None:
    query = F.normalize(torch.tensor([[1.0, 0.2], [0.1, 1.0], [-1.0, 0.5]]), dim=1)
    item = F.normalize(torch.tensor([[0.9, 0.1], [0.3, 1.0], [-1.0, 0.1]]), dim=1)
    loss = sampled_softmax(
        query,
        item,
        torch.arange(3),
        NOTHING,
        NO_ROW,
        torch.zeros(3),
        torch.zeros(0),
        temperature=0.5,
    )
    expected = F.cross_entropy(query @ item.T / 0.5, torch.arange(3))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)


def test_copy_of_the_chosen_item_is_not_a_negative() -> None:
    query, item = torch.cat((EAST, EAST)), torch.cat((EAST, EAST))
    loss = sampled_softmax(
        query,
        item,
        torch.tensor([4, 4]),
        EAST,
        torch.tensor([4]),
        torch.zeros(2),
        torch.zeros(1),
        temperature=1.0,
    )
    assert loss.item() == pytest.approx(0.0, abs=1e-6)


def test_the_querys_own_item_is_not_a_negative() -> None:
    """Two edges, 4-5 and 5-4: each query is the other's positive, and one of them is drawn."""

    def loss(query_row: torch.Tensor | None) -> float:
        return sampled_softmax(
            torch.cat((EAST, NORTH)),
            torch.cat((NORTH, EAST)),
            torch.tensor([5, 4]),
            torch.cat((EAST, WEST)),
            torch.tensor([4, 6]),
            torch.zeros(2),
            torch.zeros(2),
            temperature=1.0,
            query_row=query_row,
        ).item()

    # Left are the chosen item and item 6: at (0, -1) from EAST, at (0, 0) from NORTH.
    expected = (math.log(1 + math.exp(-1)) + math.log(2)) / 2
    assert loss(torch.tensor([4, 5])) == pytest.approx(expected)
    assert loss(None) > expected + 0.1


def test_log_q_discounts_a_frequent_negative() -> None:
    def loss(expected_count: float) -> float:
        return sampled_softmax(
            EAST,
            EAST,
            torch.tensor([0]),
            NORTH,
            torch.tensor([1]),
            torch.zeros(1),
            torch.tensor([math.log(expected_count)]),
            temperature=1.0,
        ).item()

    for count in (1.0, 8.0):  # the chosen item scores 1, the negative 0 - log(count)
        assert loss(count) == pytest.approx(math.log(1 + math.exp(-1) / count), rel=1e-4)


def test_sampled_negatives_estimate_the_full_softmax() -> None:
    rng = torch.Generator().manual_seed(0)
    catalogue = F.normalize(torch.randn(200, 8, generator=rng), dim=1)
    query = F.normalize(torch.randn(1, 8, generator=rng), dim=1)
    chosen = 3
    full = F.cross_entropy(query @ catalogue.T / 0.5, torch.tensor([chosen])).item()
    drawn = torch.randint(0, 200, (20_000,), generator=rng)

    def estimate(log_q: float) -> float:
        return sampled_softmax(
            query,
            catalogue[[chosen]],
            torch.tensor([chosen]),
            catalogue[drawn],
            drawn,
            torch.zeros(1),
            torch.full((len(drawn),), log_q),
            temperature=0.5,
        ).item()

    assert estimate(math.log(20_000 / 200)) == pytest.approx(full, abs=0.02)
    assert abs(estimate(0.0) - full) > 1  # and the correction is what makes it so


def test_softmax_without_any_negative_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a negative"):
        sampled_softmax(
            EAST,
            EAST,
            torch.tensor([0]),
            NOTHING,
            NO_ROW,
            torch.zeros(1),
            torch.zeros(0),
            temperature=1.0,
        )


@pytest.mark.parametrize("rows", [1, 512, 1100])
def test_softmax_over_the_catalogue_is_plain_cross_entropy_however_many_rows(rows: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query = F.normalize(torch.randn(rows, 8, generator=generator, dtype=torch.float64), dim=1)
    items = F.normalize(torch.randn(30, 8, generator=generator, dtype=torch.float64), dim=1)
    chosen = torch.randint(30, (rows,), generator=generator)
    ends = (query.requires_grad_(), items.requires_grad_())

    loss = catalogue_softmax(query, items, chosen, temperature=0.1)
    plain = F.cross_entropy(query @ items.T / 0.1, chosen)
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(torch.autograd.grad(loss, ends), torch.autograd.grad(plain, ends))
