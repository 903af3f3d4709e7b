"""What the ways to hold out take from the data set itself."""

import dataclasses
from pathlib import Path

import polars as pl
import pytest

from tables.folder import read_dataset
from tables.roles import HoldOutRule
from training.holdings import HOLDINGS

DAY_S = 86_400


@pytest.mark.parametrize(("days", "targets"), [(2.0, 2), (4.0, 4)])
def test_a_named_time_protocol_holds_out_the_days_of_the_data_set(
    tmp_path: Path, days: float, targets: int
) -> None:
    pl.DataFrame({"item_id": ["a"], "item_type": ["book"], "title": ["A"]}).write_csv(
        tmp_path / "items.csv"
    )
    pl.DataFrame(
        {
            "user_id": [f"u{day}" for day in range(10)],
            "item_id": ["a"] * 10,
            "timestamp": [day * DAY_S for day in range(10)],
        }
    ).write_csv(tmp_path / "interactions.csv")
    dataset = read_dataset(tmp_path, strict=True)
    dataset = dataclasses.replace(dataset, hold_out=HoldOutRule("random", days))
    split = HOLDINGS["test by time"](dataset, 0)
    assert split.rule == f"time: the last {days:g} days"
    assert len(split.test) == targets
