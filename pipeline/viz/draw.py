"""Figure data -> static pictures for papers and print, in the colours of the page."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from pipeline.core.parts import Bars, Figure, Heatmap, Lines, Network, Panel, Points, Track
from pipeline.viz.bars import LETTER_INCHES, bars_lie, draw_bars, labels_turned
from pipeline.viz.heatmap import draw_heatmap, heatmap_height
from pipeline.viz.lines import draw_lines
from pipeline.viz.network import draw_network
from pipeline.viz.points import draw_points
from pipeline.viz.scales import bar_limits
from pipeline.viz.theme import LIGHT

Axes = Any  # Any: Matplotlib's axes; Matplotlib is imported when something is drawn

PANEL_WIDTH = 6.8
"""Width of one panel in inches: a text column of a journal page."""
LOW_INCHES = 1.5
"""Height of a low panel in inches."""
PAPER_DPI = 300
"""What journals ask of pictures made of pixels, which heat maps are in every format."""
PICTURES = {"svg": "Date", "pdf": "CreationDate", "png": "Software"}
"""Formats of pictures, and what Matplotlib would say in them that differs from time to time."""


def draw_figure(figure: Figure) -> str:
    """A figure as SVG text with its text as text; the same figure gives the same bytes.

    Names are shown as they are: a ``$`` in a unit's name does not start a formula.
    """
    return picture(figure, "svg").decode("utf-8")


def picture(figure: Figure, kind: str) -> bytes:
    """A figure as the content of a file; the same figure gives the same bytes.

    Parameters
    ----------
    kind
        A name in :data:`PICTURES`.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure as Canvas

    with mpl.rc_context(_style()):
        columns = max(1, min(figure.columns, len(figure.panels)))
        rows = -(-len(figure.panels) // columns)
        width = PANEL_WIDTH if columns == 1 else PANEL_WIDTH * 1.35
        heights = [
            max(
                panel_height(panel, width=width / columns)
                for panel in figure.panels[row * columns : (row + 1) * columns]
            )
            for row in range(rows)
        ]
        canvas = Canvas(figsize=(width, sum(heights)), layout="constrained")
        places = canvas.subplots(
            rows, columns, squeeze=False, gridspec_kw={"height_ratios": heights}
        ).ravel()
        for axes, panel in zip(places, figure.panels, strict=False):
            draw_panel(axes, panel)
            limits = bar_limits(panel, figure) if isinstance(panel, Bars) else None
            if isinstance(panel, Bars) and limits is not None:
                (axes.set_xlim if bars_lie(panel) else axes.set_ylim)(*limits)
        for axes in places[len(figure.panels) :]:
            axes.set_visible(False)
        buffer = io.BytesIO()
        told = {"Title": figure.title, PICTURES[kind]: None}
        canvas.savefig(buffer, format=kind, metadata=told, dpi=PAPER_DPI)
    return buffer.getvalue()


def draw_panel(axes: Axes, panel: Panel) -> None:
    """Draw one panel, with its title."""
    if isinstance(panel, Heatmap):
        draw_heatmap(axes, panel)
    elif isinstance(panel, Lines):
        draw_lines(axes, panel)
    elif isinstance(panel, Points):
        draw_points(axes, panel)
    elif isinstance(panel, Bars):
        draw_bars(axes, panel)
    else:
        draw_network(axes, panel)
    if panel.title:
        # Above the strip of spans, where there is one.
        spanned = isinstance(panel, (Heatmap, Lines)) and panel.spans
        axes.set_title(panel.title, loc="left", pad=20 if spanned else 6)


def panel_height(panel: Panel, *, width: float) -> float:
    """Height in inches that suits a panel of some width."""
    if isinstance(panel, Heatmap):
        return heatmap_height(panel, width=width)
    if isinstance(panel, Network):
        return width * 0.9
    if isinstance(panel, Track):
        return LOW_INCHES
    if isinstance(panel, Bars) and len(panel.labels) > 12:
        return float(np.clip(0.2 * len(panel.labels), 2.6, 7.0))
    if isinstance(panel, Bars) and labels_turned(panel.labels, width=width):
        # Room for labels that stand on end.
        return max(2.4, width * 0.4) + LETTER_INCHES * min(24, max(map(len, panel.labels)))
    return width * 0.62 if isinstance(panel, Points) else max(2.4, width * 0.4)


def _style() -> Any:  # Any: Matplotlib's settings
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "neuroptych",
        "font.family": "sans-serif",
        "font.sans-serif": ["Arial", "Helvetica", "Liberation Sans", "DejaVu Sans"],
        "font.size": 8.5,
        "axes.titlesize": 9,
        "axes.titleweight": "bold",
        "axes.labelsize": 8.5,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "legend.fontsize": 7.5,
        "legend.frameon": False,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": LIGHT.muted,
        "axes.labelcolor": LIGHT.ink,
        "axes.titlecolor": LIGHT.ink,
        "text.color": LIGHT.ink,
        "xtick.color": LIGHT.muted,
        "ytick.color": LIGHT.muted,
        "axes.linewidth": 0.7,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "axes.unicode_minus": True,
        "text.usetex": False,
        "text.parse_math": False,
        "path.simplify": True,
        "figure.dpi": 100,
    }
