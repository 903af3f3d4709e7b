"""Drawings of their own kind: types shown and consumed, curves of training, the map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from training.page import style
from training.page.curves import Curve

_LEGIBLE = 0.05
"""A share below has no room for its number."""
_MAP_HEIGHT = (3.5, 7.6)  # inches


@dataclass(frozen=True)
class Mix:
    """A bar: the share of each type."""

    label: str
    shares: tuple[float, ...]
    note: str
    """At the right of the bar."""
    stands_out: bool


def draw_mix(bars: Sequence[Mix], types: Sequence[str]) -> str:
    """Draw the bars below each other, the types stacked along them."""
    with style.house_style():
        figure = Figure(figsize=(style.WIDTH, 0.27 * len(bars) + 0.7), layout="constrained")
        axes = figure.subplots()
        style.bare(axes)
        axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
        for tick, bar in zip(axes.get_yticklabels(), bars, strict=True):
            if bar.stands_out:
                tick.set(color=style.SERVED, fontweight="bold")
        for place, bar in enumerate(bars):
            start = 0.0
            for number, share in enumerate(bar.shares):
                colour = style.type_colour(number)
                axes.barh(place, share, left=start, height=0.74, color=colour, label=types[number])
                if share >= _LEGIBLE:
                    middle = start + share / 2
                    axes.text(
                        middle, place, f"{share:.0%}", ha="center", va="center", color=style.INK
                    )
                start += share
            axes.text(1.01, place, bar.note, va="center", fontsize=8, color="#52606d")
        axes.set(xlim=(0, 1.26), ylim=(len(bars) - 0.5, -0.5))
        handles = axes.get_legend_handles_labels()[0][: len(types)]
        figure.legend(handles, types, loc="outside upper left", ncols=min(len(types), 6))
        return style.to_svg(figure)


def draw_curves(curves: Sequence[Curve]) -> str:
    """Draw loss above score, a column per stage, and mark the epoch whose weights were kept."""
    with style.house_style():
        width = style.WIDTH * min(len(curves), 3) / 3
        roomy = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08)
        figure = Figure(figsize=(max(width, 4.2), 3.9), layout=roomy)
        grid = figure.subplots(2, len(curves), sharex="col", squeeze=False)
        for (above, below), curve in zip(grid.T, curves, strict=True):
            above.set_title(curve.stage.title)
            _curve(above, curve, curve.loss, "training loss", style.MUTED)
            _curve(below, curve, curve.score, curve.stage.score, style.SERVED)
            below.set_xlabel("epoch")
        return style.to_svg(figure)


def _curve(axes: Axes, curve: Curve, values: NDArray[np.float64], name: str, colour: str) -> None:
    axes.grid(axis="y")
    axes.set_ylabel(name)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.axvline(curve.best, color=style.WORSE, linewidth=0.9, linestyle=(0, (3, 2)))
    there = ~np.isnan(values)
    axes.plot(
        curve.epoch[there], values[there], color=colour, linewidth=1.6, marker="o", markersize=2.5
    )
    kept = there & (curve.epoch == curve.best)
    axes.plot(curve.epoch[kept], values[kept], "o", color=style.WORSE, markersize=5)


@dataclass(frozen=True)
class Landmark:
    """An item that is named on the map."""

    place: int
    """Its position among the points."""
    title: str


def draw_map(
    points: NDArray[np.float32],
    item_type: NDArray[np.int64],
    types: Sequence[str],
    landmarks: Sequence[Landmark],
) -> str:
    """Draw each item as a point of its type's colour, the rarest type last and on top.

    Shapes:
        points: (n, 2). item_type: (n,), positions in `types`.
    """
    with style.house_style():
        width, height = np.maximum(np.ptp(points, axis=0), 1e-9)
        tall = float(np.clip(style.WIDTH * height / width, *_MAP_HEIGHT))
        figure = Figure(figsize=(style.WIDTH, tall), layout="constrained")
        axes = figure.subplots()
        style.bare(axes)
        axes.set_aspect("equal")
        count = np.bincount(item_type, minlength=len(types))
        handles = {}
        for number in np.argsort(-count, kind="stable").tolist():
            chosen = item_type == number
            handles[number] = axes.scatter(
                points[chosen, 0],
                points[chosen, 1],
                s=7,
                color=style.type_colour(number),
                alpha=0.65,
                linewidths=0,
            )
        for landmark in landmarks:
            axes.annotate(
                landmark.title,
                points[landmark.place],
                xytext=(4, 3),
                textcoords="offset points",
                fontsize=7.5,
                bbox={"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.8},
            )
        figure.legend(
            [handles[number] for number in range(len(types))],
            [f"{name} ({count[number]:,})" for number, name in enumerate(types)],
            loc="outside upper left",
            ncols=min(len(types), 5),
            markerscale=2.5,
        )
        return style.to_svg(figure)
