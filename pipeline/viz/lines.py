"""Curves with bands over shaded spans."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.core.parts import Lines, Track
from pipeline.viz.axis import counts, draw_breaks, draw_spans, span_key
from pipeline.viz.theme import LIGHT, MPL_DASHES, group_index, mark_index

Axes = Any  # Any: Matplotlib's axes; Matplotlib is imported when something is drawn

MOST_NAMED = 12
MOST_VECTOR_POINTS = 5000


def dashes_tell(panel: Lines) -> bool:
    """Whether dashes tell curves apart; a dash where there is nothing to tell looks like gaps."""
    return len({line.group for line in panel.lines}) > 1


def draw_lines(axes: Axes, panel: Lines) -> None:
    """Draw curves; very long ones as pixels."""
    points = sum(line.y.size for line in panel.lines)
    dense = points > 10 * MOST_VECTOR_POINTS
    several = dashes_tell(panel)
    shown_groups: set[int] = set()
    for line in panel.lines:
        color = LIGHT.groups[group_index(line.group)]
        if line.lower is not None and line.upper is not None:
            axes.fill_between(
                panel.x, line.lower, line.upper, color=color, alpha=0.2, linewidth=0,
                rasterized=dense,
            )  # fmt: skip
        named = len(panel.lines) <= MOST_NAMED or line.group not in shown_groups
        shown_groups.add(line.group)
        axes.plot(
            panel.x, line.y, color=color, linewidth=1.2,
            linestyle=MPL_DASHES[mark_index(line.group)] if several else "-",
            label=_label(line.name) if named else "_nolegend_", rasterized=dense,
        )  # fmt: skip
    finite = panel.x[np.isfinite(panel.x)]
    if isinstance(panel, Track):
        axes.set_xlim(*panel.x_limits)
        axes.locator_params(axis="y", nbins=3)
    elif finite.size > 1 and finite.min() < finite.max():
        axes.set_xlim(float(finite.min()), float(finite.max()))
    if counts(panel.x):
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    key = span_key(panel.spans, axes.get_xlim())
    axes.set_xlabel(f"{panel.x_title}\n{key}" if key else panel.x_title)
    axes.set_ylabel(panel.y_title)
    draw_spans(axes, panel.spans, shade=True)
    draw_breaks(axes, panel.breaks, color=LIGHT.muted)
    if len(panel.lines) > 1:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)


def _label(name: str) -> str:
    # Matplotlib leaves labels that start with an underscore out of the legend.
    return f"\N{ZERO WIDTH SPACE}{name}" if name.startswith("_") else name
