from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from export.errors import ParityError
from export.networks import Networks
from export.parity import TOLERANCE, Case, check_parity
from export.parity_cases import hgnn_cases, item_tower_cases, user_tower_cases
from export.run import RunParts
from models.tower_checkpoint import load_two_tower
from models.towers import ItemTower


def item_tower(parts: RunParts) -> ItemTower:
    """A copy of the run's item tower that a test may spoil."""
    return load_two_tower(parts.folder / "adaptation").item


def shift_by(amount: float) -> Callable[[Tensor], Tensor]:
    return lambda out: out + amount


class Spoilt(nn.Module):
    """A network whose answer is changed on the way out."""

    def __init__(self, network: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network = network
        self.change = change

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.change(self.network(*inputs))


def test_the_networks_of_a_run_pass_far_below_the_tolerance(networks: Networks) -> None:
    assert set(networks.parity) == {"hgnn", "user_tower", "item_tower", "scorer"}
    assert 0 <= max(networks.parity.values()) < TOLERANCE / 10


def test_a_difference_just_below_the_tolerance_passes_and_is_told(
    parts: RunParts, networks: Networks
) -> None:
    spoilt = Spoilt(item_tower(parts), shift_by(0.9 * TOLERANCE))

    got = check_parity(
        "item", spoilt, networks.models.item_tower, item_tower_cases(parts.towers.config)
    )

    assert got == pytest.approx(0.9 * TOLERANCE, rel=0.05)


@pytest.mark.parametrize("amount", [1.1 * TOLERANCE, 1.0, float("nan"), float("inf")])
def test_a_difference_above_the_tolerance_is_refused_with_model_case_and_output(
    parts: RunParts, networks: Networks, amount: float
) -> None:
    spoilt = Spoilt(item_tower(parts), shift_by(amount))

    with pytest.raises(ParityError, match="item, batch 1, output vector: torch and onnxruntime"):
        check_parity(
            "item", spoilt, networks.models.item_tower, item_tower_cases(parts.towers.config)
        )


def test_an_output_of_another_shape_is_refused(parts: RunParts, networks: Networks) -> None:
    spoilt = Spoilt(item_tower(parts), lambda out: out[:, 1:])

    with pytest.raises(ParityError, match=r"torch gives \(1, 15\), onnxruntime \(1, 16\)"):
        check_parity(
            "item", spoilt, networks.models.item_tower, item_tower_cases(parts.towers.config)
        )


def test_a_difference_in_one_case_alone_is_found(parts: RunParts, networks: Networks) -> None:
    spoilt = Spoilt(item_tower(parts), lambda out: out * (1 + (len(out) > 1)))

    with pytest.raises(ParityError, match="item, batch 17"):
        check_parity(
            "item", spoilt, networks.models.item_tower, item_tower_cases(parts.towers.config)
        )


def tensor(case: Case, place: int) -> Tensor:
    value = case.inputs[place]
    return value[0] if isinstance(value, tuple) else value


def test_cases_cover_one_and_many_with_and_without_neighbours_and_history(
    parts: RunParts,
) -> None:
    hgnn = hgnn_cases(parts.network.config)
    users = user_tower_cases(parts.towers.config)

    masks = [tensor(case, 3) for case in hgnn]
    weights = [tensor(case, 5) for case in users]
    for given in (masks, weights):
        assert {len(each) for each in given} == {1, 17}
        assert {0, 1} < {each.shape[-1] for each in given}
        assert any(each.numel() and not each.any() for each in given)
        assert any(each.any() and not each.all() for each in given)


def test_cases_are_the_same_for_the_same_seed(parts: RunParts) -> None:
    first, again, other = (
        torch.cat([tensor(case, 0) for case in hgnn_cases(parts.network.config, seed=seed)])
        for seed in (1, 1, 2)
    )

    assert torch.equal(first, again)
    assert not torch.equal(first, other)
