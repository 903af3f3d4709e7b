import itertools

import numpy as np
import pytest

from retrieval.explore import Exploration, explore, propensities

RELEVANCE = np.array([2.0, 1.0, 0.5, -1.0])
ROWS = np.array([7, 3, 900_000, 12])


def order(seed: int, temperature: float = 1.0) -> tuple[int, ...]:
    noisy = explore(RELEVANCE, ROWS, Exploration(temperature, seed))
    return tuple(np.argsort(-noisy).tolist())


def luce(listed: tuple[int, ...], temperature: float) -> float:
    """The chance of a list, place by place."""
    worth = np.exp(RELEVANCE / temperature)
    chance = 1.0
    for place, item in enumerate(listed):
        chance *= worth[item] / sum(worth[other] for other in listed[place:])
    return chance


@pytest.mark.parametrize("temperature", [0.7, 3.0])
def test_lists_come_as_often_as_the_model_says(temperature: float) -> None:
    draws = 20_000
    seen = dict.fromkeys(itertools.permutations(range(4)), 0)
    for seed in range(draws):
        seen[order(seed, temperature)] += 1
    for listed, times in seen.items():
        chance = luce(listed, temperature)
        assert abs(times / draws - chance) < 4 * np.sqrt(chance / draws) + 1e-4


def test_equal_seeds_give_equal_noise_whatever_the_other_candidates_are() -> None:
    exploration = Exploration(1.0, 2**64 - 1)
    everything = explore(RELEVANCE, ROWS, exploration)
    np.testing.assert_array_equal(
        everything[[3, 1]], explore(RELEVANCE[[3, 1]], ROWS[[3, 1]], exploration)
    )
    assert (everything != explore(RELEVANCE, ROWS, Exploration(1.0, 1))).all()


def test_little_temperature_leaves_the_order_alone() -> None:
    assert {order(seed, 1e-3) for seed in range(200)} == {(0, 1, 2, 3)}


def test_propensities_multiply_to_the_chance_of_the_list() -> None:
    for listed in itertools.permutations(range(4)):
        chances = propensities(RELEVANCE, np.array(listed), 2.0)
        assert chances.prod() == pytest.approx(luce(listed, 2.0))


def test_propensities_of_a_part_are_those_of_the_whole() -> None:
    whole = propensities(RELEVANCE, np.array([2, 0, 3, 1]), 0.01)
    assert propensities(RELEVANCE, np.array([2, 0]), 0.01).tolist() == whole[:2].tolist()


@pytest.mark.parametrize(
    ("temperature", "seed", "says"),
    [(0.0, 1, "temperature"), (float("nan"), 1, "temperature"), (1.0, -1, "seed"), (1, 2**64, "s")],
)
def test_what_is_out_of_range_is_refused(temperature: float, seed: int, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Exploration(temperature, seed)
