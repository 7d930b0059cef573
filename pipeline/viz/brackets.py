"""Brackets over bars that differ: where they stand, one above the other where they would cross."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Bars

Floats = NDArray[np.float64]

STEP = 0.04
"""From one bracket to the next, as a share of what bars reach; its ends are half as long."""


def bar_ends(panel: Bars) -> Floats:
    """Everything that bars, their ranges and the reference reach."""
    parts = [panel.values, panel.lower, panel.upper, [panel.reference], [panel.reference_to]]
    return np.concatenate(
        [np.asarray(part, dtype=np.float64) for part in parts if part is not None]
    )


def bracket_paths(panel: Bars) -> Floats:
    """Corners of each bracket: place among the bars and value; shape (bracket, 4, 2).

    Brackets that have a bar in common, or cross, stand on different heights, short ones below.
    """
    ends = bar_ends(panel)
    ends = ends[np.isfinite(ends)]
    top = float(ends.max(initial=0.0))
    step = STEP * ((top - float(ends.min(initial=0.0))) or 1.0)
    paths = np.empty((len(panel.brackets), 4, 2))
    heights: list[list[tuple[int, int]]] = []
    order = sorted(
        range(len(paths)), key=lambda at: (_span(panel, at)[1] - _span(panel, at)[0], at)
    )
    for at in order:
        low, high = _span(panel, at)
        height = 0
        while height < len(heights) and any(
            low <= other_high and other_low <= high for other_low, other_high in heights[height]
        ):
            height += 1
        if height == len(heights):
            heights.append([])
        heights[height].append((low, high))
        line = top + (height + 1) * step
        foot = line - step / 2
        paths[at] = [(low, foot), (low, line), (high, line), (high, foot)]
    return paths


def _span(panel: Bars, at: int) -> tuple[int, int]:
    bracket = panel.brackets[at]
    return min(bracket.first, bracket.second), max(bracket.first, bracket.second)
