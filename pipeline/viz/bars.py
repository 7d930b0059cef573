"""Bars with error ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.core.parts import Bars
from pipeline.viz.axis import told_apart
from pipeline.viz.brackets import bracket_paths
from pipeline.viz.theme import LIGHT

Axes = Any  # Any: Matplotlib's axes; Matplotlib is imported when something is drawn

MOST_LYING = 40
LETTER_INCHES = 0.0625
LETTERS_ACROSS = 60
"""Letters of labels that fit side by side below upright bars."""
WIDE = 0.7
FEW = 5
"""Upright bars below which each is as wide as one of so many."""


def measured(labels: Sequence[str]) -> bool:
    """Whether labels are values in ascending order, as of a histogram; some can go unwritten."""
    try:
        values = np.array([float(label) for label in labels])
    except ValueError:
        return False
    return values.size > 2 and bool(np.all(np.diff(values) > 0))


def bars_lie(panel: Bars) -> bool:
    """Whether bars run from left to right: when their labels would not fit side by side."""
    if measured(panel.labels):
        return False
    longest = max((len(label) for label in panel.labels), default=0)
    return len(panel.labels) <= MOST_LYING and len(panel.labels) * longest > LETTERS_ACROSS


def bar_width(panel: Bars) -> float:
    """Width of a bar as a share of its place: few upright bars are no walls."""
    return WIDE if bars_lie(panel) else min(WIDE, WIDE * len(panel.labels) / FEW)


def labels_turned(labels: Sequence[str], *, width: float) -> bool:
    """Whether labels below upright bars stand on end, in a panel of a width in inches."""
    letters = sum(len(label) + 1 for label in labels)
    # Tick labels and the title beside the bars take about a fifth of the width.
    return letters > min(0.8 * width / LETTER_INCHES, LETTERS_ACROSS)


def draw_bars(axes: Axes, panel: Bars) -> None:
    """Draw bars, upright or lying, with error ranges, brackets and a dashed reference."""
    places = np.arange(len(panel.labels))
    lies = bars_lie(panel)
    bars = axes.barh if lies else axes.bar
    bars(places, panel.values, bar_width(panel), color=LIGHT.groups[0], alpha=0.85)
    if panel.lower is not None and panel.upper is not None:
        reach = np.stack([panel.values - panel.lower, panel.upper - panel.values])
        at = (panel.values, places) if lies else (places, panel.values)
        axes.errorbar(
            *at, **{"xerr" if lies else "yerr": reach}, fmt="none", ecolor=LIGHT.ink,
            elinewidth=0.9, capsize=2.5,
        )  # fmt: skip
    for corners in bracket_paths(panel):
        line = corners[:, ::-1] if lies else corners
        axes.plot(*line.T, color=LIGHT.ink, linewidth=0.9)
    names = told_apart(panel.labels)
    width = axes.figure.get_size_inches()[0] * axes.get_position().width / 0.775
    every = max(1, len(names) // 40)
    while measured(names) and every < len(names) and labels_turned(names[::every], width=width):
        every += 1
    (axes.set_yticks if lies else axes.set_xticks)(places[::every], names[::every])
    if lies:
        axes.invert_yaxis()
    axes.tick_params(axis="y" if lies else "x", length=0)
    if not lies and labels_turned(names[::every], width=width):
        axes.tick_params(axis="x", labelrotation=90)
    (axes.set_ylabel if lies else axes.set_xlabel)(panel.x_title)
    (axes.set_xlabel if lies else axes.set_ylabel)(panel.y_title)
    if panel.reference is not None:
        (axes.axvline if lies else axes.axhline)(
            panel.reference, color=LIGHT.ink, linewidth=0.9, linestyle=(0, (5, 3)),
            label=panel.reference_label or None,
        )  # fmt: skip
        if panel.reference_to is not None:
            (axes.axvline if lies else axes.axhline)(
                panel.reference_to, color=LIGHT.ink, linewidth=0.9, linestyle=(0, (5, 3))
            )
            (axes.axvspan if lies else axes.axhspan)(
                panel.reference, panel.reference_to, color=LIGHT.ink, alpha=0.12, linewidth=0
            )
        if panel.reference_label:
            axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0)
