"""From scores to chances: how often items of a type with such a share of the choice were chosen.

The scorer is fitted by conditional logistic regression, so the softmax of its scores over a
person's candidates is the share of the choice that it gives each of them. Shares have no unit that
differs between people, but they need not be right: the scorer is fitted on few cases, and as much
for the order inside a type as for that among all. So they are compared, type by type, with what
people chose who had no part in fitting, and corrected by two numbers each:

    chance = sigmoid(slope * logit(share) + offset)

with slope 1 and offset 0 where shares are right as they are. It says: of a hundred hits with a
chance of .05, whatever their type and whoever got them, about five were what the person chose next.

Source: Platt, Probabilistic outputs for support vector machines, 1999; on the logit of a softmax,
Guo et al., On calibration of modern neural networks, ICML 2017, arXiv:1706.04599. Ours has a pair
for each type, and a prior.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LARGEST_SHARE = 1 - 1e-9
LEAST_SLOPE = 1e-3
"""A larger share never means a smaller chance."""
PRIOR = 1.0
"""How firmly slope 1 and offset 0 are believed in, as the inverse of a variance. What is learned
of a type with a few dozen choices is hardly held back."""
STEPS = 100
_CONVERGED = 1e-10
_FILE = "calibration.json"


@dataclass(frozen=True)
class Calibration:
    """What a share is worth, by type index.

    Raises:
        ValueError: not as many slopes as offsets, none at all, or one that is not finite, or a
            slope that is not above 0.
    """

    slope: tuple[float, ...]
    offset: tuple[float, ...]

    def __post_init__(self) -> None:
        numbers = np.array([*self.slope, *self.offset], dtype=np.float64)
        if not len(self.slope) == len(self.offset) > 0 or not np.isfinite(numbers).all():
            raise ValueError(
                f"expected as many finite slopes as offsets, got {self.slope} and {self.offset}"
            )
        if min(self.slope) <= 0:
            raise ValueError(f"slope: expected numbers above 0, got {self.slope}")

    def chances(
        self, log_share: NDArray[np.floating], item_type: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Turn shares into chances.

        Shapes:
            log_share: (n,), natural logs of the shares. item_type: (n,). returns: (n,), 0 to 1.
        """
        slope, offset = np.array(self.slope)[item_type], np.array(self.offset)[item_type]
        return _sigmoid(slope * _logit(log_share) + offset)

    def to_json(self) -> dict[str, list[float]]:
        """Give the numbers as plain values."""
        return {"slope": list(self.slope), "offset": list(self.offset)}

    def save(self, folder: Path) -> None:
        """Write `calibration.json` into an existing folder."""
        (folder / _FILE).write_text(json.dumps(self.to_json(), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Calibration | None":
        """Read what `save` wrote; None where nothing was measured.

        Raises:
            ValueError: the file is no calibration.
        """
        path = folder / _FILE
        if not path.exists():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"expected an object, got {type(content).__name__}")
        return cls.from_json(content)

    @classmethod
    def from_json(cls, content: Mapping[str, object]) -> "Calibration":
        """Read what `to_json` gave.

        Raises:
            ValueError: not such an object.
        """
        if set(content) != {"slope", "offset"}:
            raise ValueError(f"expected exactly slope and offset, got {sorted(content)}")
        return cls(_numbers(content["slope"], "slope"), _numbers(content["offset"], "offset"))


def fit(
    log_share: NDArray[np.floating],
    item_type: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    num_types: int,
    *,
    weight: NDArray[np.floating] | None = None,
) -> Calibration:
    """Fit the pair of each type; a type of which nothing was chosen gets that of all together.

    `weight` says how many candidates each one stands for, where not all are given or the cases were
    drawn; without it each stands for itself.

    Give every candidate of every case as a server would have them: shares over drawn candidates
    alone are too large. The cases must not be those that the scorer was fitted on, whose shares
    flatter it.

    Shapes:
        log_share, item_type, chosen, weight: (n,), the candidates of all cases; `chosen` is true
            for at most one of a case.

    Raises:
        ValueError: the lengths differ, or nothing was chosen at all.
    """
    if not len(log_share) == len(item_type) == len(chosen):
        lengths = len(log_share), len(item_type), len(chosen)
        raise ValueError(f"expected three arrays of one length, got {lengths}")
    if not chosen.any():
        raise ValueError("chosen: expected at least one choice, got none")
    logit = _logit(log_share)
    times = np.ones(len(logit)) if weight is None else weight.astype(np.float64)
    everything = _fit_one(logit, chosen, times)
    pairs = [
        _fit_one(logit[mine], chosen[mine], times[mine]) if chosen[mine].any() else everything
        for mine in (item_type == kind for kind in range(num_types))
    ]
    return Calibration(tuple(slope for slope, _ in pairs), tuple(offset for _, offset in pairs))


def gap(chances: NDArray[np.float64], chosen: NDArray[np.bool_], bins: int = 10) -> float:
    """Tell how far chances are from what happened: the expected calibration error.

    Rows are sorted by chance and cut into bins so that each holds the same sum of chances; it is
    the mean over the bins of |choices - chances| / chances expected.

    Shapes:
        chances, chosen: (n,).
    """
    order = np.argsort(chances)
    expected = np.cumsum(chances[order])
    number = np.minimum((bins * expected / expected[-1]).astype(np.int64), bins - 1)
    told = np.bincount(number, weights=chances[order], minlength=bins)
    happened = np.bincount(number, weights=chosen[order].astype(np.float64), minlength=bins)
    return float(np.mean(np.abs(happened - told)[told > 0] / told[told > 0]))


def _fit_one(
    logit: NDArray[np.float64], chosen: NDArray[np.bool_], weight: NDArray[np.float64]
) -> tuple[float, float]:
    """Fit slope and offset by Newton's method, halving steps that make it worse."""
    pair = np.array([1.0, 0.0])
    loss = _loss(pair, logit, chosen, weight)
    for _ in range(STEPS):
        chance = _sigmoid(pair[0] * logit + pair[1])
        wrong, spread = weight * (chance - chosen), weight * chance * (1 - chance)
        gradient = np.array([wrong @ logit, wrong.sum()]) + PRIOR * (pair - (1, 0))
        cross = spread @ logit
        curvature = np.array([[spread @ logit**2, cross], [cross, spread.sum()]])
        step = np.linalg.solve(curvature + PRIOR * np.eye(2), gradient)
        while _loss(pair - step, logit, chosen, weight) > loss and np.abs(step).max() > _CONVERGED:
            step = step / 2
        pair = pair - step
        loss = _loss(pair, logit, chosen, weight)
        if np.abs(step).max() < _CONVERGED:
            break
    return max(float(pair[0]), LEAST_SLOPE), float(pair[1])


def _loss(
    pair: NDArray[np.float64],
    logit: NDArray[np.float64],
    chosen: NDArray[np.bool_],
    weight: NDArray[np.float64],
) -> float:
    value = pair[0] * logit + pair[1]
    surprise = weight @ (np.logaddexp(0, value) - chosen * value)
    return float(surprise + PRIOR / 2 * ((pair - (1, 0)) ** 2).sum())


def _logit(log_share: NDArray[np.floating]) -> NDArray[np.float64]:
    """Give log(share / (1 - share)). Shapes: (n,), returns (n,)."""
    log = np.minimum(log_share.astype(np.float64), np.log(LARGEST_SHARE))
    logit: NDArray[np.float64] = log - np.log(-np.expm1(log))
    return logit


def _sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    chances: NDArray[np.float64] = np.exp(-np.logaddexp(0, -values))
    return chances


def _numbers(values: object, field: str) -> tuple[float, ...]:
    if not isinstance(values, list) or not all(
        isinstance(each, int | float) and not isinstance(each, bool) for each in values
    ):
        raise ValueError(f"{field}: expected a list of numbers, got {str(values)[:80]}")
    return tuple(float(each) for each in values)
