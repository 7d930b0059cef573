"""Nested communities as trees with the units' names."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Network
from pipeline.core.words import counted
from pipeline.methods.connectome.networks import Called
from pipeline.methods.connectome.result import ConnectomeResult

DRAWN_COMPONENTS = 4
DRAWN_UNITS = 48


def dendrogram_figure(result: ConnectomeResult, called: Called) -> Figure | None:
    """Groups within groups of the most important components that have groups; else nothing."""
    gains = np.where(result.structured, result.component_gain, -np.inf)
    chosen = [int(c) for c in np.argsort(-gains, kind="stable") if result.structured[c]]
    chosen = [c for c in chosen if len(own_levels(result, c))][:DRAWN_COMPONENTS]
    if not chosen:
        return None
    depth = [len(own_levels(result, component)) for component in chosen]
    return Figure(
        id="dendrogram",
        title="Groups within groups",
        finding=(
            f"Component {chosen[0] + 1}, the most important one with groups, has "
            f"{counted(int(result.group[chosen[0], 0].max()) + 1, 'group')} at the finest of "
            f"{counted(depth[0], 'level')}."
        ),
        caption=(
            f"Nested groups of {counted(len(chosen), 'component')}, by decreasing importance: "
            f"the {DRAWN_UNITS} strongest units that have an edge stand on the outer circle, "
            "coloured by their community (the groups of the finest level that are tied more than "
            "the average; open: in none, or a node of the tree). Each circle further in is a "
            "level; the centre holds all units. Lengths of branches mean nothing, and the tree "
            "has no error bars: how firm groups are is in the table of members. Good: units of a "
            "kind side by side. Bad: levels that each split off single units."
        ),
        alt=f"{len(chosen)} round trees of units.",
        panels=tuple(_tree(result, component, called) for component in chosen),
        columns=2,
    )


def own_levels(result: ConnectomeResult, component: int) -> NDArray[np.int64]:
    """Levels with more than one group, the finest first, (level, unit); -1 without an edge."""
    groups = result.group[component]
    several = groups.max(axis=1) > 0
    return np.asarray(groups[several])


def _tree(result: ConnectomeResult, component: int, called: Called) -> Network:
    """One component's groups; units on the outer circle, the centre for all of them."""
    levels = own_levels(result, component)
    strength = np.nansum(result.pair_matrix(component), axis=0)
    units = np.argsort(-strength, kind="stable")
    units = units[levels[0, units] >= 0][:DRAWN_UNITS]
    # By the coarsest level first, so that every group is one stretch of the circle.
    units = units[np.lexsort((-strength[units], *levels[:, units]))]
    angle = 2 * np.pi * np.arange(units.size, dtype=np.float64) / max(units.size, 1)
    names = [str(name) for name in called[units]]
    turn, radius = angle.tolist(), [1.0] * units.size
    edges: list[tuple[int, int]] = []
    below = np.arange(units.size)
    for level, groups in enumerate(levels[:, units]):
        for group in np.unique(groups):
            inside = groups == group
            node = len(names)
            names.append(f"group {group + 1} of level {level + 1}")
            turn.append(float(angle[inside].mean()))
            radius.append(1 - (level + 1) / (len(levels) + 1))
            edges += [(node, int(child)) for child in np.unique(below[inside])]
            below = np.where(inside, node, below)
    centre = len(names)
    names.append("all units")
    turn.append(0.0)
    radius.append(0.0)
    edges += [(centre, int(child)) for child in np.unique(below)]
    label = result.community[component, units]
    inner = np.full(len(names) - units.size, -1)
    return Network(
        title=f"Component {component + 1}",
        labels=tuple(names),
        x=(np.array(radius) * np.cos(turn)).round(3),
        y=(np.array(radius) * np.sin(turn)).round(3),
        group=np.concatenate([label, inner]).astype(np.int64),
        edges=np.array(edges, dtype=np.int64),
        weights=np.ones(len(edges)),
        group_names=tuple(f"community {index + 1}" for index in range(int(label.max()) + 1)),
        tree=True,
    )
