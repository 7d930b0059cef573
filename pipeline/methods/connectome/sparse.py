"""Graphs made sparse before groups are sought, for those who want to see the strongest ties only.

Pair factors are nearly complete graphs, in which topology says little. The disparity filter
(Serrano, Boguna & Vespignani 2009, PNAS 106:6483, eq. 2) keeps edges that hold more of a unit's
strength than chance gives them, so that units of all strengths keep some.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.methods.connectome.config import ConnectomeConfig


def sparsified(weights: NDArray[np.float64], config: ConnectomeConfig) -> NDArray[np.float64]:
    """The graph with the edges that the settings keep; others are 0.

    Parameters
    ----------
    weights
        Symmetric, not negative, zero diagonal, shape (unit, unit).
    """
    if config.sparsify == "none":
        return weights
    if config.sparsify == "backbone":
        return np.where(disparity(weights) < config.backbone_alpha, weights, 0.0)
    return strongest(weights, config.density)


def disparity(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely chance gives an edge as much of a unit's strength, at the end where it is less so.

    Chance cuts a unit's strength into as many parts as it has edges, all cuts being alike. 1 for
    pairs without an edge, and for an edge that is the only one of both its units.

    Parameters
    ----------
    weights
        Symmetric, not negative, zero diagonal, shape (unit, unit).

    Returns
    -------
    Shape (unit, unit), symmetric.
    """
    edge = weights > 0
    degree = edge.sum(axis=1, keepdims=True)
    strength = weights.sum(axis=1, keepdims=True)
    share = weights / np.where(strength > 0, strength, 1.0)
    # Rounding must not make the whole of a strength more than all of it.
    left = np.clip(1.0 - share, 0.0, 1.0)
    chance = np.where(degree > 1, left ** np.maximum(degree - 1, 1), 1.0)
    return np.asarray(np.where(edge, np.minimum(chance, chance.T), 1.0))


def strongest(weights: NDArray[np.float64], density: float) -> NDArray[np.float64]:
    """The strongest edges of a graph, as many as the share of all pairs, and others as strong.

    Parameters
    ----------
    weights
        Symmetric, not negative, zero diagonal, shape (unit, unit).
    density
        Share of all pairs of units that have an edge, 0 to 1; at least one edge stays.
    """
    pairs = np.sort(weights[np.triu_indices(len(weights), 1)])[::-1]
    n_kept = max(1, round(density * pairs.size))
    if n_kept >= pairs.size:
        return weights
    return np.where(weights >= pairs[n_kept - 1], weights, 0.0)
