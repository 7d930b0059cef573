"""Communities of a component: groups of units that its pair factor ties together.

This form uses modularity (Leiden) in place of the paper's nested block model. Modularity finds
groups in noise as well, so the number and strength found are always set beside surrogates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.partitions import coassignment, mean_agreement

MIN_WEIGHT = 1e-3
"""Edges below this share of the strongest are absent."""

MIN_SIZE = 3
"""Fewer units than this are no community."""

MIN_MEMBERSHIP = 0.5
"""Units that share a group with their community less often than this belong to none."""

MAX_ROUNDS = 10
"""Rounds in which the consensus may be clustered again; two or three are usual."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Communities:
    """Consensus communities of one graph."""

    label: NDArray[np.int64]
    """Shape (unit,); from 0 by decreasing size, -1 for none."""
    membership: NDArray[np.float64]
    """Shape (unit,); mean share of runs that put a unit with the others of its community."""
    agreement: float
    """Mean adjusted Rand index between runs."""
    modularity: float
    concentration: float
    """Share of the graph's weight inside communities, less their share of all pairs."""

    @property
    def count(self) -> int:
        """Number of communities."""
        return int(self.label.max(initial=-1)) + 1


def graph(
    strength: NDArray[np.floating], pairs: NDArray[np.integer], n_units: int
) -> NDArray[np.float64]:
    """Symmetric weights (unit, unit) of a pair factor, largest 1, zero diagonal.

    Parameters
    ----------
    strength
        Shape (pair,), not negative.
    pairs
        Shape (pair, 2).
    """
    weights = np.zeros((n_units, n_units))
    largest = strength.max(initial=0.0)
    if largest > 0:
        kept = np.where(strength >= MIN_WEIGHT * largest, strength / largest, 0.0)
        weights[pairs[:, 0], pairs[:, 1]] = kept
        weights += weights.T
    return weights


def find_communities(
    weights: NDArray[np.float64],
    *,
    resolution: float,
    min_strength: float,
    n_partitions: int,
    rng: np.random.Generator,
) -> Communities:
    """Consensus of several Leiden partitions of a weighted graph.

    Parameters
    ----------
    weights
        Symmetric, not negative, zero diagonal, shape (unit, unit).
    resolution
        Of modularity.
    min_strength
        Units whose summed weight is below this share of the largest take no part.
    n_partitions
        Runs with their own order of units.

    Returns
    -------
    Labels and how firm they are, and the modularity among the units that take part.

    Notes
    -----
    Consensus as in Lancichinetti & Fortunato (2012): the matrix of how often two units fall
    together is itself clustered until all runs agree.
    """
    n_units = len(weights)
    label = np.full(n_units, -1, dtype=np.int64)
    membership = np.zeros(n_units)
    strength = weights.sum(axis=1)
    tied = np.flatnonzero((strength > 0) & (strength >= min_strength * strength.max()))
    if tied.size < MIN_SIZE:
        return Communities(
            label=label, membership=membership, agreement=1.0, modularity=0.0, concentration=0.0
        )
    inner = weights[np.ix_(tied, tied)]
    partitions = _partitions(inner, resolution=resolution, n_partitions=n_partitions, rng=rng)
    together = coassignment(partitions)
    consensus = _consensus(partitions, rng=rng)
    of_tied, firmness = _firm(consensus, together)
    label[tied], membership[tied] = of_tied, firmness
    return Communities(
        label=label,
        membership=membership,
        agreement=mean_agreement(partitions),
        modularity=modularity(inner, of_tied),
        concentration=concentration(weights, label),
    )


def modularity(weights: NDArray[np.float64], label: NDArray[np.integer]) -> float:
    """Share of weight inside communities beyond what unit strengths alone would give.

    Units in no community count as communities of one. Newman's weighted modularity.
    """
    total = weights.sum()
    if total == 0:
        return 0.0
    strength = weights.sum(axis=1)
    own = np.where(label >= 0, label, label.max(initial=-1) + 1 + np.arange(label.size))
    same = own[:, None] == own[None, :]
    expected = np.outer(strength, strength) / total
    return float(((weights - expected) * same).sum() / total)


def concentration(weights: NDArray[np.float64], label: NDArray[np.integer]) -> float:
    """Share of all weight that lies inside communities, less their share of all pairs.

    Near 1 for a few tight communities that hold all weight, 0 when weight is spread evenly or
    one community holds every unit. Unlike modularity it does not vanish for a single community.
    """
    total = weights.sum()
    if total == 0:
        return 0.0
    inside = (label[:, None] == label[None, :]) & (label[:, None] >= 0)
    np.fill_diagonal(inside, False)
    n_pairs = label.size * (label.size - 1)
    return float((weights * inside).sum() / total - inside.sum() / n_pairs)


def _partitions(
    weights: NDArray[np.float64], *, resolution: float, n_partitions: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Labels (partition, unit) of runs that look at the units in orders of their own."""
    from scipy.sparse import csr_matrix
    from sknetwork.clustering import Leiden

    n_units = len(weights)
    found = np.empty((n_partitions, n_units), dtype=np.int64)
    for index in range(n_partitions):
        order = rng.permutation(n_units)
        leiden = Leiden(
            resolution=resolution,
            modularity="newman",
            random_state=int(rng.integers(2**31)),
            return_probs=False,
            return_aggregate=False,
        )
        found[index, order] = leiden.fit_predict(csr_matrix(weights[np.ix_(order, order)]))
    return found


def _consensus(partitions: NDArray[np.int64], *, rng: np.random.Generator) -> NDArray[np.int64]:
    """The partition that runs on their own coassignment agree on."""
    for _ in range(MAX_ROUNDS):
        together = coassignment(partitions)
        if np.isin(together, (0.0, 1.0)).all():
            break
        votes = np.where(together >= MIN_MEMBERSHIP, together, 0.0)
        np.fill_diagonal(votes, 0.0)
        if not votes.any():
            break
        partitions = _partitions(votes, resolution=1.0, n_partitions=len(partitions), rng=rng)
    return np.asarray(partitions[0], dtype=np.int64)


def _firm(
    label: NDArray[np.int64], together: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels by decreasing size without loose units and small groups, and memberships."""
    same = label[:, None] == label[None, :]
    np.fill_diagonal(same, False)
    others = same.sum(axis=1)
    membership = (together * same).sum(axis=1) / np.maximum(others, 1)
    kept = np.where((membership >= MIN_MEMBERSHIP) & (others > 0), label, -1)
    names, counts = np.unique(kept[kept >= 0], return_counts=True)
    large = counts >= MIN_SIZE
    names, counts = names[large], counts[large]
    final = np.full(label.size, -1, dtype=np.int64)
    for position, name in enumerate(names[np.argsort(-counts, kind="stable")]):
        final[kept == name] = position
    return final, np.where(final >= 0, membership, 0.0)
