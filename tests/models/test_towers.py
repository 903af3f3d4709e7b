"""The pooled user tower and the item tower: pools by hand, padding, batches, what 2T leaves out."""

import dataclasses

import pytest
import torch
from torch import Tensor

from models.config import TowerConfig
from models.towers import HistoryPool, TwoTower
from tests.support.towers import SMALL_TOWERS

CONFIG = dataclasses.replace(SMALL_TOWERS, dimensions=3, user_tower="pooled")


def make_towers(config: TowerConfig = CONFIG) -> TwoTower:
    torch.manual_seed(0)
    return TwoTower(config).eval()


def make_people(count: int, length: int, width: int = 4) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(1)
    return (
        torch.randint(0, 3, (count,), generator=rng),
        torch.randint(0, 4, (count,), generator=rng),
        torch.randint(0, 3, (count,), generator=rng),
        torch.randn(count, length, width, generator=rng),
        torch.randint(0, 2, (count, length), generator=rng),
        torch.rand(count, length, generator=rng) + 0.5,
    )


def test_pool_is_the_weighted_mean_by_type() -> None:
    pool = HistoryPool((0.5, 1.0), types=2, by_type=True)
    history = torch.tensor([[[1.0], [10.0], [4.0], [99.0]]])
    kind = torch.tensor([[0, 1, 0, 0]])
    weight = torch.tensor([[1.0, 1.0, 2.0, 0.0]])  # the last is padding
    pooled = pool(history, kind, weight).squeeze()
    # decay 0.5: type 0 has weights 1 and 2 * 0.25, type 1 has one item; decay 1: 1 and 2.
    expected = torch.tensor([(1 + 4 * 0.5) / 1.5, 10.0, (1 + 4 * 2) / 3, 10.0])
    torch.testing.assert_close(pooled, expected)


def test_pool_over_all_types_is_one_mean() -> None:
    pool = HistoryPool((1.0,), types=2, by_type=False)
    pooled = pool(
        torch.tensor([[[1.0], [4.0]]]), torch.tensor([[0, 1]]), torch.tensor([[1.0, 1.0]])
    )
    torch.testing.assert_close(pooled, torch.tensor([[[2.5]]]))


def test_padding_changes_nothing() -> None:
    user = make_towers().user
    country, age, gender, history, kind, weight = make_people(3, 5)
    weight[:, 3:] = 0
    padded = user(country, age, gender, history, kind, weight)
    cut = user(country, age, gender, history[:, :3], kind[:, :3], weight[:, :3])
    torch.testing.assert_close(padded, cut)


def test_empty_history_is_an_ordinary_case() -> None:
    people = make_towers().user(*make_people(4, 0))
    torch.testing.assert_close(people.norm(dim=1), torch.ones(4))


def test_newer_items_weigh_more() -> None:
    user = make_towers().user
    country, age, gender, history, kind, weight = make_people(1, 6)
    swapped = history[:, [1, 0, 2, 3, 4, 5]]
    kind[:] = 0
    there = user(country, age, gender, history, kind, weight)
    assert not torch.allclose(there, user(country, age, gender, swapped, kind, weight))


@pytest.mark.parametrize("count", [1, 2, 17])
def test_batch_equals_singles(count: int) -> None:
    user = make_towers().user
    inputs = make_people(count, 5)
    batch = user(*inputs)
    singles = torch.cat([user(*(one[i : i + 1] for one in inputs)) for i in range(count)])
    torch.testing.assert_close(batch, singles)
    torch.testing.assert_close(batch.norm(dim=1), torch.ones(count))


@pytest.mark.parametrize("decays", [(), (0.0,), (1.5,), (float("nan"),)])
def test_decays_without_a_meaning_are_refused(decays: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="decays"):
        dataclasses.replace(CONFIG, decays=decays)


def test_aligned_towers_begin_with_likeness() -> None:
    rng = torch.Generator().manual_seed(3)
    items = torch.nn.functional.normalize(torch.randn(40, 4, generator=rng), dim=1)
    towers = make_towers(dataclasses.replace(CONFIG, dimensions=4))
    towers.align(items)
    none = torch.zeros(40, dtype=torch.int64)
    item = towers.item(
        torch.zeros(40, 6), items, none, none, torch.zeros(40, 5), torch.zeros(40, 4)
    )
    user = towers.user(none, none, none, items[:, None], none[:, None], torch.ones(40, 1))
    nearest = (user @ item.T).argmax(dim=1)
    assert (nearest == torch.arange(40)).float().mean() > 0.9
