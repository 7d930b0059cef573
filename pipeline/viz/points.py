"""Points in the plane, by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import LEAST_OF_HULL, Points
from pipeline.viz.theme import LIGHT, MPL_MARKERS, group_index, mark_index

Axes = Any  # Any: Matplotlib's axes; Matplotlib is imported when something is drawn

MOST_VECTOR_POINTS = 5000
MOST_LABELS = 40


def draw_points(axes: Axes, panel: Points) -> None:
    """Draw points; more than some thousand as pixels."""
    group = np.full(panel.x.size, -1) if panel.group is None else panel.group
    for value, x, y in hulls(panel):
        axes.plot(x, y, color=LIGHT.groups[group_index(value)], linewidth=0.9, zorder=0.9)
    for value in sorted(set(group.tolist())):
        members = group == value
        axes.scatter(
            panel.x[members], panel.y[members], s=16, label=group_name(value, panel.group_names),
            rasterized=panel.x.size > MOST_VECTOR_POINTS, **group_style(value),
        )  # fmt: skip
    if len(panel.labels) <= MOST_LABELS:
        for x, y, label in zip(panel.x, panel.y, panel.labels, strict=bool(panel.labels)):
            axes.annotate(label, (x, y), (3, 3), textcoords="offset points", fontsize=6)
    axes.set_xlabel(panel.x_title)
    axes.set_ylabel(panel.y_title)
    if panel.diagonal:
        axes.axline((0, 0), slope=1, color=LIGHT.muted, linewidth=0.9, linestyle=(0, (5, 3)))
    if panel.group is not None:
        axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0)


def hulls(panel: Points) -> tuple[tuple[int, NDArray[np.float64], NDArray[np.float64]], ...]:
    """Groups with their convex outlines: x and y of corners, of which the first comes again.

    None around points without a group, nor where the points of a group span no area.
    """
    from scipy.spatial import ConvexHull, QhullError

    if not panel.hulls or panel.group is None:
        return ()
    found = []
    for value in np.unique(panel.group[panel.group >= 0]).tolist():
        points = np.column_stack([panel.x, panel.y])[panel.group == value]
        if len(points) < LEAST_OF_HULL:
            continue
        try:
            corners = ConvexHull(points).vertices
        except QhullError:  # all on a line
            continue
        x, y = points[[*corners, corners[0]]].T
        found.append((value, x, y))
    return tuple(found)


def group_style(group: int) -> dict[str, Any]:  # Any: Matplotlib's arguments
    """Colour and marker of a group; -1, no group, is an open circle."""
    if group < 0:
        return {"marker": "o", "facecolors": "none", "edgecolors": LIGHT.quiet, "linewidths": 0.8}
    return {
        "marker": MPL_MARKERS[mark_index(group)],
        "facecolors": LIGHT.groups[group_index(group)],
        "edgecolors": LIGHT.surface,
        "linewidths": 0.4,
    }


def group_name(group: int, names: Sequence[str]) -> str:
    """Name of a group as shown; -1 has none."""
    if group < 0:
        return "none"
    return names[group] if group < len(names) else str(group)
