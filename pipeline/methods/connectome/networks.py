"""Components as drawings of their strongest edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.core.parts import Figure, Network
from pipeline.core.unit_names import UnitNames
from pipeline.core.words import counted
from pipeline.methods.connectome.result import ConnectomeResult

DRAWN_COMPONENTS = 4
DRAWN_UNITS = 30
DRAWN_EDGES = 60
LEAST_EDGE = 0.1
"""Strength below which an edge is not drawn, as a share of the strongest."""
LEAST_SHARE = 0.1
LEAST_UNITS = 12
"""Units are shown down to this share of the strongest one's strength, but so many at least."""


def order_by_community(
    result: ConnectomeResult, component: int, *, limit: int
) -> NDArray[np.int64]:
    """The strongest units of a component, community by community, units in none at the end.

    Units in no community with next to none of the strongest unit's strength are not among them,
    beyond the first :data:`LEAST_UNITS`.
    """
    strength = np.nansum(result.pair_matrix(component), axis=0)
    strongest = np.argsort(-strength, kind="stable")[:limit]
    weak = strength[strongest] < LEAST_SHARE * strength.max(initial=0.0)
    outside = result.community[component, strongest] < 0
    dropped = weak & outside & (np.arange(strongest.size) >= LEAST_UNITS)
    strongest = np.asarray(strongest[~dropped], dtype=np.int64)
    label = result.community[component, strongest]
    label = np.where(label < 0, result.unit.size, label)
    return np.asarray(strongest[np.lexsort((-strength[strongest], label))])


Called = NDArray[np.object_]
"""What the units of a result are called, shape (unit,)."""


def unit_names(result: ConnectomeResult, names: UnitNames) -> Called:
    """What the units are called; those of both sides as they are pooled."""
    return np.array([names.pooled(str(name)) for name in result.unit], dtype=object)


def network_figure(result: ConnectomeResult, called: Called) -> Figure:
    """The strongest edges of the first components.

    Parameters
    ----------
    result
        The joined fit.
    called
        What its units are called.
    """
    n_drawn = min(DRAWN_COMPONENTS, result.rank)
    sizes = [int(result.community[component].max()) + 1 for component in range(result.rank)]
    return Figure(
        id="network",
        title="Strongest pairs",
        finding=(
            f"{_counted(sizes)}; in {int(result.structured.sum())} of "
            f"{counted(result.rank, 'component')} groups are a better description than one group "
            "of all units."
        ),
        caption=(
            f"Pairs with at least {100 * LEAST_EDGE:.0f} % of the largest strength, the "
            f"{DRAWN_EDGES} strongest at most, among the {DRAWN_UNITS} strongest units of the "
            f"first {n_drawn} of {counted(result.rank, 'component')}, on a circle by community "
            f"(colour; open: none). {result.unit.size} units from "
            f"{counted(result.recording.size, 'recording')}; edges have "
            "no direction and are not synapses: two units are joined when both change at the same "
            "times. No band: how stable components are has figures of its own. Good: few units "
            "with many edges among them. Bad: one unit joined to all."
        ),
        alt=f"{n_drawn} networks of units on a circle.",
        panels=tuple(_network(result, component, called) for component in range(n_drawn)),
        columns=2,
    )


def _counted(sizes: list[int]) -> str:
    """How many communities the components have."""
    fewest, most = min(sizes), max(sizes)
    if fewest == most:
        return f"Each component has {most} {'community' if most == 1 else 'communities'}"
    return f"Components have {fewest} to {most} communities (median {np.median(sizes):.3g})"


def _network(result: ConnectomeResult, component: int, called: Called) -> Network:
    """One component's strongest edges on a circle."""
    units = order_by_community(result, component, limit=DRAWN_UNITS)
    angle = 2 * np.pi * np.arange(units.size, dtype=np.float64) / max(units.size, 1)
    matrix = np.nan_to_num(result.pair_matrix(component)[np.ix_(units, units)])
    first, second = np.triu_indices(units.size, k=1)
    weights = matrix[first, second]
    kept = np.argsort(-weights, kind="stable")[:DRAWN_EDGES]
    kept = kept[weights[kept] > LEAST_EDGE * weights.max(initial=0.0)]
    label = result.community[component, units]
    return Network(
        title=f"Component {component + 1}",
        labels=tuple(called[units]),
        x=np.cos(angle).round(3),
        y=np.sin(angle).round(3),
        group=label.astype(np.int64),
        edges=np.stack([first[kept], second[kept]], axis=1).astype(np.int64),
        weights=np.round(weights[kept] / max(weights.max(initial=0.0), 1e-12), 3),
        group_names=tuple(f"community {index + 1}" for index in range(int(label.max()) + 1)),
    )
