"""Nodes and weighted edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Network
from pipeline.viz.axis import shortened, told_apart
from pipeline.viz.points import group_name, group_style
from pipeline.viz.theme import LIGHT

Axes = Any  # Any: Matplotlib's axes; Matplotlib is imported when something is drawn

EDGE_CLASSES = 4
"""Widths in which the edges of a network are drawn."""
MOST_LABELS = 80
MOST_ON_RING = 64
"""Names around a circle that do not touch."""
MOST_VECTOR_EDGES = 5000
LONGEST = 14
LETTER = (6.0, 12.0)
"""Width and height of a letter in pixels."""

EdgeClass = tuple[NDArray[np.float64], NDArray[np.float64], float, float, bool]


def edge_classes(panel: Network) -> list[EdgeClass]:
    """Edges of like strength and sign as one broken curve each, weakest first.

    Returns
    -------
    x, y with NaN between edges, width in pixels, strength of colour, whether weights are negative.
    """
    if not len(panel.edges):
        return []
    size = np.abs(panel.weights)
    limits = np.quantile(size, np.linspace(0, 1, EDGE_CLASSES + 1)[1:-1])
    classes = np.searchsorted(limits, size, side="left")
    if panel.tree:  # branches are all alike
        classes[:] = EDGE_CLASSES // 2
    found: list[EdgeClass] = []
    for strength in range(EDGE_CLASSES):
        for below in (False, True):
            chosen = panel.edges[(classes == strength) & ((panel.weights < 0) == below)]
            if not len(chosen):
                continue
            gap = np.full(len(chosen), np.nan)
            x = np.stack([panel.x[chosen[:, 0]], panel.x[chosen[:, 1]], gap], axis=1).ravel()
            y = np.stack([panel.y[chosen[:, 0]], panel.y[chosen[:, 1]], gap], axis=1).ravel()
            found.append((x, y, 0.6 + 0.7 * strength, 0.16 + 0.16 * strength, below))
    return found


def on_ring(panel: Network) -> bool:
    """Whether the nodes stand on a circle around 0, so that names can point outwards."""
    radius = np.hypot(panel.x, panel.y)
    if panel.tree:
        return True
    return radius.size > 2 and bool(np.ptp(radius) < 0.01 * radius.max())


def labelled_nodes(panel: Network, *, width: float = 400.0) -> list[int]:
    """Nodes whose names fit without covering a name or another node, best linked first.

    On a circle (the outermost one of a tree) names point outwards, each along its ray, and all fit.

    Parameters
    ----------
    width
        Pixels over which the longer side of the network spreads.
    """
    if on_ring(panel):
        radius = np.hypot(panel.x, panel.y)
        outermost = np.flatnonzero(radius > 0.99 * radius.max())
        if outermost.size <= MOST_ON_RING:
            return [int(node) for node in outermost]
    if len(panel.labels) > MOST_LABELS or not panel.x.size:
        return []
    reach = max(float(np.ptp(panel.x)), float(np.ptp(panel.y))) or 1.0
    x = (panel.x - panel.x.min()) / reach * width
    y = (panel.y - panel.y.min()) / reach * width
    strength = np.zeros(x.size)
    np.add.at(strength, panel.edges.ravel(), np.repeat(np.abs(panel.weights), 2))
    kept: list[int] = []
    half = np.array([LETTER[0] / 2 * len(shortened(name, LONGEST)) for name in panel.labels])
    for node in np.argsort(-strength, kind="stable").tolist():
        # The name stands above its node; other nodes are obstacles of their own size.
        near_node = (np.abs(x - x[node]) < half[node] + 5) & (np.abs(y - y[node] - 12) < 10)
        near_name = [
            abs(x[other] - x[node]) < half[node] + half[other]
            and abs(y[other] - y[node]) < LETTER[1]
            for other in kept
        ]
        near_node[node] = False
        if not near_node.any() and not any(near_name):
            kept.append(node)
    return sorted(kept)


def draw_network(axes: Axes, panel: Network) -> None:
    """Draw edges below nodes; negative edges are dotted."""
    dense = len(panel.edges) > MOST_VECTOR_EDGES
    for x, y, width, alpha, below in edge_classes(panel):
        axes.plot(
            x, y, color=LIGHT.ink, alpha=alpha, linewidth=0.75 * width, rasterized=dense,
            linestyle=":" if below else "-", zorder=1,
        )  # fmt: skip
    for value in sorted(set(panel.group.tolist())):
        members = panel.group == value
        axes.scatter(
            panel.x[members], panel.y[members], s=34, zorder=2,
            label=group_name(value, panel.group_names), **group_style(value),
        )  # fmt: skip
    names = told_apart(panel.labels, LONGEST)
    outwards = on_ring(panel)
    for node in labelled_nodes(panel):
        at = (panel.x[node], panel.y[node])
        if outwards:
            angle = float(np.degrees(np.arctan2(at[1], at[0])))
            left = abs(angle) > 90
            lift = 5 * np.array(at) / np.hypot(*at)
            axes.annotate(
                names[node], at, tuple(lift), textcoords="offset points", fontsize=5.5,
                rotation=angle + 180 if left else angle, rotation_mode="anchor",
                ha="right" if left else "left", va="center",
            )  # fmt: skip
        else:
            axes.annotate(
                names[node], at, (0, 4), textcoords="offset points", ha="center", fontsize=5.5
            )
    if outwards:
        axes.margins(0.16)
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_axis_off()
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0)
