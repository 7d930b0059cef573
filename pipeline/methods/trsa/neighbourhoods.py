"""States of the densest places, and how far they are by the neighbours that they share.

Single noisy states far from all others fill the hole of a ring or torus, and a choice of states far
from each other takes just these. Here states are chosen where there are most others, and distances
are large wherever two states do not count each other among their neighbours, so that only the
nearest ones shape the graph.

Sources: Gardner et al. (2022), Nature 602:123 (the recipe); McInnes, Healy & Melville (2018), arXiv
1802.03426 (membership of neighbours).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]

AROUND = 1000 / 15_000
"""Share of all states that are neighbours where density is measured (published: 1000 of 15000)."""
WITHIN = 1 / 2
"""Share of the chosen states that are neighbours where distances are.

Published are 800 of 1200. Two thirds of a ring reach as far as a third of its length to both sides,
where its loop is filled and voids appear that no ring has.
"""
LEAST_NEIGHBOURS = 3
LEAST_WIDTH = 1e-3
"""Least width of a neighbourhood, as a share of the mean distance of neighbours."""
HALVINGS = 50
COPY = 1 - 1e-9
"""Membership from which a state does not differ from another."""


def dense_distances(points: NDArray[np.floating], count: int) -> Floats:
    """Distances, condensed, of states chosen by density.

    Minus the logarithm of how far two states are neighbours; for states that are none, the largest
    that there is, so that what is then still open ends there.

    Parameters
    ----------
    points
        Shape (state, axis); angles between them count.
    count
        States that are chosen.

    Raises
    ------
    ValueError
        If there are fewer states.
    """
    chosen = dense_points(memberships(points, round(AROUND * len(points))), count)
    alike = memberships(points[chosen], round(WITHIN * count)).toarray()
    alike = alike[np.triu_indices(count, 1)]
    neighbours = alike > 0
    apart = -np.log(np.where(neighbours, alike, 1.0))
    return np.where(neighbours, apart, apart.max())


def memberships(points: NDArray[np.floating], n_neighbours: int) -> csr_array:
    """How far states are neighbours of each other, from 0 to 1, symmetric, zero diagonal.

    Each state is its own first neighbour; the width of its neighbourhood is such that those of the
    others sum to the binary logarithm of their number. What one state is to another and the other
    to it are joined as by 'or' of independent events.

    Parameters
    ----------
    points
        Shape (state, axis); distance is one minus the cosine.
    n_neighbours
        Taken as no fewer than ``LEAST_NEIGHBOURS``, nor more than there are states.
    """
    from sklearn.neighbors import NearestNeighbors

    size = min(max(n_neighbours, LEAST_NEIGHBOURS), len(points)) - 1  # the others
    search = NearestNeighbors(n_neighbors=size, metric="cosine", algorithm="brute").fit(points)
    distances, index = search.kneighbors()
    strength = np.exp(-distances / _widths(distances, np.log2(size + 1))[:, None])
    start = np.arange(0, strength.size + 1, size)
    one_way = csr_array((strength.ravel(), index.ravel(), start), shape=(len(points), len(points)))
    other_way = one_way.T.tocsr()
    return csr_array(one_way + other_way - one_way.multiply(other_way))


def dense_points(membership: csr_array, count: int) -> NDArray[np.int64]:
    """Places of states chosen one after another, each where most others are that none stands for.

    A state's density is the sum of its memberships; those with states chosen before are taken off.
    States that do not differ from a chosen one come behind all others.
    """
    if not 1 <= count <= membership.shape[0]:
        raise ValueError(f"{count} of {membership.shape[0]} states cannot be chosen.")
    density = np.asarray(membership.sum(axis=1), dtype=np.float64)
    chosen = np.zeros(count, dtype=np.int64)
    for place in range(count):
        best = int(density.argmax())
        chosen[place] = best
        row = slice(membership.indptr[best], membership.indptr[best + 1])
        strength = membership.data[row]
        density[membership.indices[row]] -= np.where(strength < COPY, strength, membership.shape[0])
        density[best] = -np.inf
    return chosen


def _widths(distances: Floats, total: float) -> Floats:
    """Width of each state's neighbourhood, by halving; shape (state,)."""
    low = np.full(len(distances), LEAST_WIDTH * max(distances.mean(), np.finfo(float).tiny))
    high = np.full(len(distances), max(distances.max(), np.finfo(float).tiny) / LEAST_WIDTH)
    for _ in range(HALVINGS):
        middle = np.sqrt(low * high)
        wide = np.exp(-distances / middle[:, None]).sum(axis=1) > total
        high, low = np.where(wide, middle, high), np.where(wide, low, middle)
    return np.asarray(low)
