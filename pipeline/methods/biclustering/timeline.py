"""Bins on one drawn axis, stretches in a row, with the epochs on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.core.axes import axes, check_axes
from pipeline.core.parts import Span
from pipeline.core.views import SpikeCounts

MOST_SPANS = 60
"""Epochs that are shaded; more would be a grey band."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """Where bins, stretches and epochs stand on the horizontal axis.

    Matrices are drawn with even columns, so gaps between stretches are left out.
    """

    position_s: NDArray[np.float64] = axes("time_bin", unit="s")
    """Start of each bin in recorded time."""
    spans: tuple[Span, ...]
    breaks: tuple[float, ...]
    title: str

    def __post_init__(self) -> None:
        check_axes(self)

    def shown(self, bins: NDArray[np.int64]) -> NDArray[np.float64]:
        """Positions of the bins that are drawn, evenly spaced, shape (drawn bin,)."""
        return self.position_s[bins]


def timeline(view: SpikeCounts) -> Timeline:
    """The axis that figures draw time on."""
    position = view.bin_s * np.arange(view.time_s.size, dtype=np.float64)
    joins = np.flatnonzero(np.diff(view.segment) != 0) + 1
    gaps = np.diff(view.time_s)[joins - 1] > 1.5 * view.bin_s if joins.size else np.empty(0, bool)
    start = float(view.time_s[0])
    whole = not gaps.any()
    spans = []
    for begin, stop, label in zip(
        view.epochs["start_s"], view.epochs["stop_s"], view.epochs["label"], strict=True
    ):
        low, high = np.searchsorted(view.time_s, [float(begin), float(stop)])
        if high > low and len(view.epochs) <= MOST_SPANS:
            spans.append(
                Span(
                    start=float(position[low]) + (start if whole else 0.0),
                    stop=float(position[high - 1] + view.bin_s) + (start if whole else 0.0),
                    label=str(label),
                )
            )
    return Timeline(
        position_s=position + (start if whole else 0.0),
        spans=tuple(spans),
        breaks=tuple(float(value) for value in position[joins][gaps]),
        title="Time (s)" if whole else "Recorded time, gaps left out (s)",
    )
