"""Matrices in colour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Heatmap
from pipeline.viz.axis import draw_breaks, draw_spans, label_axis, names_alone, span_key
from pipeline.viz.scales import heatmap_limits
from pipeline.viz.theme import LIGHT, VIRIDIS, Scale, text_on

Axes = Any  # Any: Matplotlib's axes; Matplotlib is imported when something is drawn

FEW_CELLS = 64
"""Cells up to which a matrix tells its values in numbers too; as on the page."""
LETTER_INCHES = 0.075


def heatmap_height(panel: Heatmap, *, width: float) -> float:
    """Height in inches: square where asked for, else by the number of rows."""
    if panel.square:
        return width * 0.92
    strip = 0.3 if panel.spans else 0.0
    return float(np.clip(0.09 * panel.values.shape[0], 1.0, 3.6)) + 0.75 + strip


def draw_heatmap(axes: Axes, panel: Heatmap) -> None:
    """Draw a matrix with row 0 on top; cells without a value are grey."""
    from matplotlib.colors import BoundaryNorm, Colormap, LinearSegmentedColormap, ListedColormap

    rows, columns = panel.values.shape
    x = np.arange(columns, dtype=float) if panel.x is None else panel.x
    step = float(x[1] - x[0]) if columns > 1 else 1.0
    first = float(x[0]) if columns else 0.0
    extent = (first - step / 2, first + (columns - 0.5) * step, rows - 0.5, -0.5)
    low, high = heatmap_limits(panel)
    drawn: dict[str, Any] = {"vmin": low, "vmax": high}  # Any: Matplotlib's arguments
    values = panel.values
    colors: Colormap
    if panel.scale == "categorical":
        count = len(LIGHT.groups)
        values = np.where(values < 0, -1, values % count)
        colors = ListedColormap([LIGHT.surface, *LIGHT.groups])
        drawn = {"norm": BoundaryNorm(np.arange(-1.5, count), count + 1)}
    else:
        scale: Scale = VIRIDIS if panel.scale == "sequential" else cropped(low, high)
        colors = LinearSegmentedColormap.from_list(panel.scale, scale)
    axes.set_facecolor(LIGHT.missing)
    image = axes.imshow(
        np.ma.masked_invalid(values), cmap=colors, extent=extent, interpolation="nearest",
        aspect="equal" if panel.square else "auto", **drawn,
    )  # fmt: skip
    width, height = _inches(axes)
    if panel.x_labels:
        again = panel.square and panel.x_labels == panel.y_labels
        # Remarks stand beside the rows already.
        names = names_alone(panel.x_labels) if again else panel.x_labels
        label_axis(axes.xaxis, names, inches=width)
        axes.tick_params(axis="x", labelrotation=90)
    if panel.y_labels:
        label_axis(axes.yaxis, panel.y_labels, inches=height)
    elif rows == 1:
        axes.set_yticks([])  # nothing to number
    framed = f"Framed: {panel.outlined_title}" if panel.outlined_title else ""
    grey = f"Grey: {panel.missing_title}" if np.isnan(panel.values).any() else ""
    below = (panel.x_title, span_key(panel.spans, axes.get_xlim()), grey, framed)
    axes.set_xlabel("\n".join(filter(None, below)))
    axes.set_ylabel(panel.y_title)
    draw_spans(axes, panel.spans, shade=False)
    draw_breaks(axes, panel.breaks, color=LIGHT.surface)
    for row, column in panel.outlined:
        _frame(axes, float(x[column]), row, width=step)
    if panel.scale != "categorical" and panel.values.size <= FEW_CELLS:
        _tell_values(axes, panel, colors, low=low, high=high, cell=width / max(1, columns))
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02, fraction=0.035, aspect=22)
    bar.outline.set_visible(False)
    bar.set_label(panel.value_title)
    if panel.scale == "categorical":
        present = np.unique(values[np.isfinite(values)]).astype(int).tolist()
        bar.set_ticks(present, labels=["none" if value < 0 else str(value) for value in present])


def _frame(axes: Axes, x: float, row: int, *, width: float) -> None:
    """A frame around a cell, a line on a wider one, so that it is seen on every colour."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    axes.add_patch(
        Rectangle(
            (x - width / 2, row - 0.5), width, 1,
            fill=False, edgecolor=LIGHT.ink, linewidth=1.5, clip_on=False,
            path_effects=[withStroke(linewidth=3, foreground=LIGHT.surface)],
        )
    )  # fmt: skip


def _tell_values(
    axes: Axes, panel: Heatmap, colors: Any, *, low: float, high: float, cell: float
) -> None:
    """Values in the cells of a small matrix, where those of all fit."""
    from matplotlib.colors import to_hex

    x = np.arange(panel.values.shape[1]) if panel.x is None else panel.x
    digits = decimals(panel.values, reach=max(abs(low), abs(high)))
    told = {
        place: value_text(float(panel.values[place]), digits=digits)
        for place in zip(*np.nonzero(np.isfinite(panel.values)), strict=True)
    }
    if max(map(len, told.values()), default=0) * LETTER_INCHES > 0.9 * cell:
        return
    for (row, column), text in told.items():
        at = (float(panel.values[row, column]) - low) / ((high - low) or 1.0)
        ink = text_on(to_hex(colors(min(1.0, max(0.0, at)))))
        axes.text(x[column], row, text, ha="center", va="center", color=ink, fontsize="small")


def decimals(values: NDArray[np.float32], *, reach: float) -> int:
    """Digits after the point: two, fewer of large values, more of small ones, none of counts."""
    finite = values[np.isfinite(values)]
    if not np.any(finite % 1):
        return 0
    order = int(np.floor(np.log10(reach or 1.0) + 1e-9))
    return max(0, min(6, 2 - (order + 1 if order < -1 else max(0, order))))


def value_text(value: float, *, digits: int) -> str:
    """A value with so many digits after its point; a nothing has no sign."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if not float(text) else text.replace("-", "\N{MINUS SIGN}")


def cropped(low: float, high: float) -> Scale:
    """The part of the diverging scale between two values, with 0 in the neutral colour."""
    from matplotlib.colors import LinearSegmentedColormap, to_hex

    whole = LinearSegmentedColormap.from_list("whole", LIGHT.diverging, N=1025)
    reach = max(abs(low), abs(high)) or 1.0
    places = np.linspace(0, 1, 33)
    values = low + places * (high - low)
    return tuple(
        (float(place), str(to_hex(whole(0.5 + value / (2 * reach)))))
        for place, value in zip(places, values, strict=True)
    )


def _inches(axes: Axes) -> tuple[float, float]:
    # The layout is not made yet; colour bar and labels take about a third of the width.
    box = axes.get_position()
    width, height = axes.figure.get_size_inches()
    return 0.66 * width * box.width / 0.775, 0.72 * height * box.height / 0.77
