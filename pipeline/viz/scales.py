"""Ends of colour scales."""

from __future__ import annotations

import numpy as np

from pipeline.core.parts import Heatmap
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
