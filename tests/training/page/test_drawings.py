"""Drawings say what they are given, escaped, and stand in a page side by side."""

from xml.etree import ElementTree

import numpy as np
import pytest

from training.measurement import Measurement
from training.page.curves import STAGES, Curve
from training.page.dots import DotStyle, Panel, draw_dots
from training.page.drawings import Landmark, Mix, draw_curves, draw_map, draw_mix

HOSTILE = '<script>alert("$x$")</script> & 映画'


def texts(svg: str) -> list[str]:
    """Every text in a drawing, which must be well-formed to be read."""
    return [(each.text or "").strip() for each in ElementTree.fromstring(svg).iter() if each.text]


def dot(value: float, low: float | None = None, high: float | None = None) -> Measurement:
    return Measurement("m", "part", "HR@10", value, low, high, 10)


def drawn() -> dict[str, str]:
    """One of each kind, everything named by hostile data."""
    points = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    epoch = np.arange(4)
    curve = Curve(STAGES[0], epoch, np.array([np.nan, 3, 2, 1.0]), np.array([0.1, 0.3, 0.2, 0.1]))
    panel = Panel(HOSTILE, "10 users", {HOSTILE: dot(0.2, 0.1, 0.3), "other": dot(0.1)}, 0.15)
    return {
        "dots": draw_dots([panel] * 5, [HOSTILE, "other"], DotStyle(served=HOSTILE)),
        "mix": draw_mix([Mix(HOSTILE, (0.75, 0.25), "KL 0", True)], [HOSTILE, "film"]),
        "curves": draw_curves([curve]),
        "map": draw_map(points, np.arange(20) % 2, [HOSTILE, "film"], [Landmark(3, HOSTILE)]),
    }


@pytest.fixture(scope="module")
def drawings() -> dict[str, str]:
    return drawn()


def test_hostile_names_are_text(drawings: dict[str, str]) -> None:
    for name in ("dots", "mix", "map"):
        assert "<script" not in drawings[name]
        assert any(HOSTILE in text for text in texts(drawings[name])), name


def test_a_drawing_names_no_groups_that_another_would_name_too(drawings: dict[str, str]) -> None:
    for svg in drawings.values():
        named = [each.get("id") for each in ElementTree.fromstring(svg).iter() if each.get("id")]
        assert not [name for name in named if "figure" in str(name) or "axes" in str(name)]
        assert len(named) == len(set(named))


def test_a_drawing_begins_with_its_element_and_tells_nothing_of_its_making(
    drawings: dict[str, str],
) -> None:
    for svg in drawings.values():
        assert svg.startswith("<svg")
        assert "metadata" not in svg
        assert "matplotlib" not in svg.lower()


def test_the_same_drawing_is_the_same_text(drawings: dict[str, str]) -> None:
    assert drawn() == drawings


def test_a_difference_is_coloured_by_the_side_on_which_its_interval_leaves_zero_out() -> None:
    dots = {"better": dot(0.2, 0.1, 0.3), "worse": dot(-0.2, -0.3, -0.1), "open": dot(0, -1, 1)}
    colours = {}
    for name, one in dots.items():
        svg = draw_dots(
            [Panel("", "", {name: one})], [name], DotStyle(served=None, differences=True)
        )
        colours[name] = [c for c in ("#0072b2", "#d55e00", "#9aa3ad") if f"stroke: {c}" in svg]
    assert colours == {"better": ["#0072b2"], "worse": ["#d55e00"], "open": ["#9aa3ad"]}


def test_shares_too_small_to_read_have_no_number() -> None:
    written = texts(draw_mix([Mix("m", (0.97, 0.03), "", False)], ["book", "film"]))
    assert "97%" in written
    assert "3%" not in written
