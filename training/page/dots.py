"""Dots with whiskers: models below each other, panels beside each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from training.measurement import Measurement
from training.page import style

_ROW = 0.185  # inches a model takes
_MARGIN = 0.62
_LEAST_SPAN = 0.02


@dataclass(frozen=True)
class Panel:
    """One metric on one slice: a dot per model."""

    title: str
    note: str
    """Under the title: how many users, say."""
    dots: Mapping[str, Measurement]
    """By model; one that is missing has no dot."""
    reference: float | None = None
    """A value to compare with: a dashed line."""


@dataclass(frozen=True, kw_only=True)
class DotStyle:
    """What the dots stand for."""

    served: str | None
    """The model that stands out."""
    shared: bool = False
    """Whether all panels have one scale."""
    differences: bool = False
    """Whether 0 is what matters: intervals that leave it out are coloured by their side."""
    columns: int = 4
    """Most panels in a row."""


def draw_dots(panels: Sequence[Panel], models: Sequence[str], look: DotStyle) -> str:
    """Draw the panels, the models in the order given from the top."""
    columns = min(look.columns, len(panels))
    rows = -(-len(panels) // columns)
    with style.house_style():
        height = rows * (_ROW * len(models) + _MARGIN)
        roomy = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06)
        figure = Figure(figsize=(_width(columns), height), layout=roomy)
        grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for number, axes in enumerate(grid.flat):
            if number < len(panels):
                _draw(axes, panels[number], models, look)
                axes.set_xlim(_limits(panels if look.shared else [panels[number]]))
                axes.tick_params(labelbottom=True, labelleft=number % columns == 0)
            else:
                axes.set_visible(False)
        grid[0, 0].set_ylim(len(models) - 0.4, -0.6)
        grid[0, 0].set_yticks(range(len(models)), models)
        for label in (each for row in grid for each in row[0].get_yticklabels()):
            if label.get_text() == look.served:
                label.set(color=style.SERVED, fontweight="bold")
        return style.to_svg(figure)


def _width(columns: int) -> float:
    return style.WIDTH if columns > 2 else style.WIDTH * (0.45 if columns == 1 else 0.66)


def _limits(panels: Sequence[Panel]) -> tuple[float, float]:
    """Hold every dot and whisker, with some room around."""
    ends = [
        end
        for panel in panels
        for dot in panel.dots.values()
        for end in (dot.value, dot.low, dot.high)
        if end is not None
    ]
    ends += [panel.reference for panel in panels if panel.reference is not None]
    if not ends:
        return (0.0, 1.0)
    room = max(max(ends) - min(ends), _LEAST_SPAN) * 0.06
    return (min(ends) - room, max(max(ends), min(ends) + _LEAST_SPAN) + room)


def _draw(axes: Axes, panel: Panel, models: Sequence[str], look: DotStyle) -> None:
    axes.grid(axis="x")
    axes.set_title(f"{panel.title}\n", pad=2)
    axes.text(
        0, 1.015, panel.note, transform=axes.transAxes, fontsize=8, color="#616e7c", va="bottom"
    )
    axes.locator_params(axis="x", nbins=4)
    if look.differences:
        axes.axvline(0, color=style.INK, linewidth=0.8)
    if panel.reference is not None:
        axes.axvline(panel.reference, color=style.INK, linewidth=0.9, linestyle=(0, (3, 2)))
    served = panel.dots.get(look.served or "")
    if served is not None and served.low is not None and served.high is not None:
        axes.axvspan(served.low, served.high, color=style.SERVED, alpha=0.10, linewidth=0)
    for place, model in enumerate(models):
        if model in panel.dots:
            dot = panel.dots[model]
            colour = _colour(dot, model, look)
            if dot.low is not None and dot.high is not None:
                axes.hlines(place, dot.low, dot.high, color=colour, linewidth=1.6)
            axes.plot(dot.value, place, "o", color=colour, markersize=4.5)


def _colour(dot: Measurement, model: str, look: DotStyle) -> str:
    if not look.differences:
        return style.SERVED if model == look.served else style.MUTED
    if dot.low is not None and dot.low > 0:
        return style.SERVED
    if dot.high is not None and dot.high < 0:
        return style.WORSE
    return style.MUTED
