"""Ends of colour scales, and of the axes of bars."""

from __future__ import annotations

import numpy as np

from pipeline.core.parts import Bars, Figure, Heatmap
from pipeline.viz.brackets import bar_ends, bracket_paths
from pipeline.viz.theme import LIGHT


def heatmap_limits(panel: Heatmap) -> tuple[float, float]:
    """Ends of the colour scale: as stated, or from the finite values, symmetric if diverging."""
    if panel.scale == "categorical":
        return -1.5, len(LIGHT.groups) - 0.5
    if panel.limits is not None:
        return panel.limits
    finite = panel.values[np.isfinite(panel.values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if panel.scale == "diverging":
        reach = max(abs(low), abs(high)) or 1.0
        return -reach, reach
    return low, high if high > low else low + 1.0


BEYOND = 0.04
"""Room beyond the longest bar, as a share of the range."""


def bar_limits(panel: Bars, figure: Figure) -> tuple[float, float] | None:
    """The range that a panel shares with the figure's other bars of the same quantity.

    ``None`` where it has none beside it, so that nothing is to be compared, no brackets, and no
    range of references, which may lie beyond the bars.
    """
    alike = [one for one in figure.panels if isinstance(one, Bars) and one.y_title == panel.y_title]
    if len(alike) < 2 and not panel.brackets and panel.reference_to is None:
        return None
    ends = np.concatenate([np.append(bar_ends(one), bracket_paths(one)[..., 1]) for one in alike])
    ends = ends[np.isfinite(ends)]
    low, high = float(ends.min(initial=0.0)), float(ends.max(initial=0.0))
    room = BEYOND * (high - low or 1.0)
    return (low - room if low < 0 else 0.0), (high + room if high > 0 else 0.0)
