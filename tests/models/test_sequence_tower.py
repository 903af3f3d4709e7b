"""The sequence tower: places, padding, causality, and the residuals beside the towers."""

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from models.sequence_tower import SequenceUserTower
from models.towers import TwoTower
from tests.support.towers import SMALL_TOWERS

CONFIG = dataclasses.replace(SMALL_TOWERS, history_length=6, familiar_items=10, shown_new=0.5)


def make_tower() -> SequenceUserTower:
    """A tower whose every part has something to say."""
    torch.manual_seed(0)
    tower = SequenceUserTower(CONFIG).eval()
    for parameter in tower.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return tower


def make_people(count: int, length: int) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(1)
    return (
        torch.randint(0, 3, (count,), generator=rng),
        torch.randint(0, 4, (count,), generator=rng),
        torch.randint(0, 3, (count,), generator=rng),
        torch.nn.functional.normalize(torch.randn(count, length, 8, generator=rng), dim=2),
        torch.randint(0, 2, (count, length), generator=rng),
        torch.rand(count, length, generator=rng) + 0.5,
    )


def older_than(inputs: tuple[Tensor, ...], place: int) -> tuple[Tensor, ...]:
    """The same people, as they were when `place` was their newest item."""
    return (*inputs[:3], *(each[:, place:] for each in inputs[3:]))


@pytest.mark.parametrize("length", [1, 5, 9])  # 9 is longer than the tower was made for
def test_every_place_sees_itself_and_what_is_older_alone(length: int) -> None:
    tower, inputs = make_tower(), make_people(3, length)
    everywhere = tower.embed_every_place(*inputs)
    assert everywhere.shape == (3, length + 1, 8)
    for place in range(length + 1):
        then = tower(*older_than(inputs, place))
        torch.testing.assert_close(everywhere[:, place], then)


def test_padding_changes_nothing() -> None:
    tower = make_tower()
    *people, history, kind, weight = make_people(3, 5)
    weight[:, 3:] = 0
    padded = tower(*people, history, kind, weight)
    cut = tower(*people, history[:, :3], kind[:, :3], weight[:, :3])
    torch.testing.assert_close(padded, cut)


def test_padding_alone_is_an_empty_history() -> None:
    tower = make_tower()
    *people, history, kind, weight = make_people(4, 5)
    nobody = tower(*people, history[:, :0], kind[:, :0], weight[:, :0])
    torch.testing.assert_close(tower(*people, history, kind, torch.zeros(4, 5)), nobody)
    torch.testing.assert_close(nobody.norm(dim=1), torch.ones(4))


@pytest.mark.parametrize("count", [1, 2, 17])
def test_batch_equals_singles(count: int) -> None:
    tower, inputs = make_tower(), make_people(count, 5)
    batch = tower(*inputs)
    singles = torch.cat([tower(*(one[i : i + 1] for one in inputs)) for i in range(count)])
    torch.testing.assert_close(batch, singles)
    torch.testing.assert_close(batch.norm(dim=1), torch.ones(count))


@pytest.mark.parametrize("part", range(6))
def test_every_input_matters(part: int) -> None:
    tower, inputs = make_tower(), make_people(2, 4)
    changed = list(inputs)
    another = {3: inputs[3].roll(1, dims=0), 4: 1 - inputs[4], 5: inputs[5] + 1}
    changed[part] = another.get(part, (inputs[part] + 1) % 3)
    assert not torch.allclose(tower(*inputs), tower(*changed))


def test_order_of_a_history_matters() -> None:
    tower = make_tower()
    *people, history, kind, weight = make_people(1, 5)
    swapped = history[:, [1, 0, 2, 3, 4]]
    there, back = (tower(*people, each, kind, weight) for each in (history, swapped))
    assert not torch.allclose(there, back)


def test_untrained_tower_begins_with_the_recent_history() -> None:
    torch.manual_seed(0)
    tower = SequenceUserTower(CONFIG).eval()
    *people, history, kind, weight = make_people(200, 3)
    people = [torch.zeros_like(each) for each in people]
    user = tower(*people, history, kind, weight)
    nearest = (user @ history[:, 0].T).argmax(dim=1)
    assert (nearest == torch.arange(200)).float().mean() > 0.1  # by chance 1 in 200


def test_items_are_shown_as_new_in_training_alone() -> None:
    torch.manual_seed(0)
    towers = TwoTower(CONFIG)
    new = towers.train().draw_new(1000)
    assert new.shape == (1000, 1)
    assert new.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert not towers.eval().draw_new(1000).any()


def test_towers_without_familiar_items_have_residuals_of_zero() -> None:
    towers = TwoTower(dataclasses.replace(CONFIG, familiar_items=0))
    torch.testing.assert_close(towers.residual_of(torch.tensor([7, 9])), torch.zeros(2, 8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 3}, "heads: expected a divisor of dimensions, 8, got 3"),
        ({"dropout": 1.0}, "dropout"),
        ({"shown_new": -0.1}, "shown_new"),
        ({"blocks": 0}, "blocks"),
    ],
)
def test_configuration_without_a_meaning_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **change)
