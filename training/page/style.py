"""How every drawing looks, and how it becomes SVG inside a page."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

SERVED = "#0072b2"
WORSE = "#d55e00"
MUTED = "#9aa3ad"
INK = "#1f2933"
FAINT = "#d9dee3"
TYPES = ("#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#c9b400", "#7f8c99")
"""Colours of the item types, which people with any colour vision tell apart (Okabe and Ito);
blue is left for the served model."""
WIDTH = 11.1
"""Inches; the page shows a drawing of this width as it is."""

_SETTINGS: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",  # text stays text, in the font of the page
    "svg.hashsalt": "nearfield",
    "text.parse_math": False,  # a title may hold dollars
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.xmargin": 0.07,
    "text.color": INK,
    "xtick.color": "#52606d",
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": "#edf0f2",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
}
_NOTHING: dict[str, None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@contextmanager
def house_style() -> Iterator[None]:
    """Draw by the house's settings; fonts without a glyph are the browser's affair."""
    with warnings.catch_warnings(), mpl.rc_context(_SETTINGS):
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def to_svg(figure: Figure) -> str:
    """Write a figure as an SVG element that can stand in a page beside others.

    Groups lose their ids, which are the same in every drawing; what is referred to is named by
    its content.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata=_NOTHING)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return re.sub(r'<g id="[^"]*"', "<g", text)


def type_colour(number: int) -> str:
    """Give an item type its colour, the same in every drawing."""
    return TYPES[number % len(TYPES)]


def bare(axes: Axes) -> None:
    """Leave an axes without frame and ticks."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
