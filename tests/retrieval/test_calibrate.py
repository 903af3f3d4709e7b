"""A world whose chances are known: people choose by the softmax, or by a bent one."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from retrieval.calibrate import Calibration, fit, gap

CASES, CANDIDATES, TYPES = 6000, 40, 2

Candidates = tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]


def world(seed: int, *, overstated: float = 1.0, favour: float = 0.0) -> Candidates:
    """Candidates of many cases, whose scores are `overstated` times what people go by.

    Items of type 1 are chosen as if their score were `favour` higher.
    """
    rng = np.random.default_rng(seed)
    true = rng.normal(scale=2, size=(CASES, CANDIDATES))
    item_type = rng.integers(0, TYPES, (CASES, CANDIDATES))
    noise = rng.gumbel(size=true.shape)
    chosen = np.zeros(true.shape, dtype=np.bool_)
    best = np.argmax(true + favour * item_type + noise, axis=1)
    chosen[np.arange(CASES), best] = True
    scores = overstated * true + rng.normal(scale=3, size=(CASES, 1))  # people differ
    log_share = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    return log_share.ravel(), item_type.ravel(), chosen.ravel()


@pytest.mark.parametrize(("overstated", "favour"), [(1.0, 0.0), (2.5, 0.0), (1.0, 1.5), (2.0, 1.0)])
def test_chances_come_true_for_people_and_types_that_were_not_fitted(
    overstated: float, favour: float
) -> None:
    calibration = fit(*world(1, overstated=overstated, favour=favour), TYPES)
    log_share, item_type, chosen = world(2, overstated=overstated, favour=favour)
    chances = calibration.chances(log_share, item_type)
    for kind in range(TYPES):
        mine = item_type == kind
        assert gap(chances[mine], chosen[mine]) < 0.08
    if (overstated, favour) != (1.0, 0.0):
        assert gap(np.exp(log_share[item_type == 1]), chosen[item_type == 1]) > 0.15


def test_shares_that_are_right_are_left_alone() -> None:
    calibration = fit(*world(3), TYPES)
    np.testing.assert_allclose(calibration.slope, 1, atol=0.05)
    np.testing.assert_allclose(calibration.offset, 0, atol=0.1)
    log_share = np.log([0.001, 0.2, 0.9])
    kept = Calibration((1.0,), (0.0,)).chances(log_share, np.zeros(3, dtype=np.int64))
    np.testing.assert_allclose(kept, [0.001, 0.2, 0.9])


def test_order_inside_a_type_is_kept_and_chances_stay_between_0_and_1() -> None:
    calibration = fit(*world(4, overstated=3.0), TYPES)
    log_share = np.array([-1e4, -700.0, -50.0, -3.0, -1e-3, 0.0])
    chances = calibration.chances(log_share, np.zeros(6, dtype=np.int64))
    assert (np.diff(chances) >= 0).all()
    assert 0 <= chances[0] < 1e-9
    assert 0.9 < chances[-1] <= 1


def test_type_that_nobody_chose_has_what_holds_for_all() -> None:
    log_share, item_type, chosen = world(5, overstated=2.0)
    calibration = fit(log_share, item_type, chosen, TYPES + 1)
    together = fit(log_share, np.zeros_like(item_type), chosen, 1)
    assert (calibration.slope[2], calibration.offset[2]) == (together.slope[0], together.offset[0])


def test_candidates_that_stand_for_others_count_as_often() -> None:
    log_share, item_type, chosen = world(9, overstated=2.0)
    drawn = chosen | (np.random.default_rng(0).random(len(chosen)) < 0.25)
    weight = np.where(chosen, 1.0, 4.0)[drawn]
    part = fit(log_share[drawn], item_type[drawn], chosen[drawn], TYPES, weight=weight)
    whole = fit(log_share, item_type, chosen, TYPES)
    np.testing.assert_allclose(part.slope, whole.slope, atol=0.03)
    np.testing.assert_allclose(part.offset, whole.offset, atol=0.08)


def test_shares_that_say_the_opposite_do_not_turn_the_order_round() -> None:
    log_share, item_type, chosen = world(6, overstated=-1.0)
    assert min(fit(log_share, item_type, chosen, TYPES).slope) > 0


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    calibration = fit(*world(7), TYPES)
    assert Calibration.load(tmp_path) is None
    calibration.save(tmp_path)
    assert Calibration.load(tmp_path) == calibration
    (tmp_path / "calibration.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ValueError, match="expected an object, got list"):
        Calibration.load(tmp_path)
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


@pytest.mark.parametrize(
    "content",
    [
        {"slope": [1.0]},
        {"slope": [1.0], "offset": []},
        {"slope": [], "offset": []},
        {"slope": [0.0], "offset": [0.0]},
        {"slope": [float("nan")], "offset": [0.0]},
        {"slope": ["1"], "offset": [0.0]},
        {"slope": 1.0, "offset": [0.0]},
    ],
)
def test_what_is_no_calibration_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        Calibration.from_json(content)


def test_fitting_without_a_choice_is_refused() -> None:
    log_share, item_type, chosen = world(8)
    with pytest.raises(ValueError, match="chosen: expected at least one"):
        fit(log_share, item_type, np.zeros_like(chosen), TYPES)
    with pytest.raises(ValueError, match="of one length"):
        fit(log_share[1:], item_type, chosen, TYPES)
