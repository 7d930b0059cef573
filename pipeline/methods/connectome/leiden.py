"""Leiden: groups that hold more weight than unit strengths alone would give (modularity).

Another notion of community than the block model's, and blind to other things: modularity finds
groups in noise as well, and merges small ones. It serves as the second opinion.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.numerics.partitions import coassignment, mean_agreement

MIN_MEMBERSHIP = 0.5
"""Units that share a group with their community less often than this belong to none."""

MAX_ROUNDS = 10
"""Rounds in which the consensus may be clustered again; two or three are usual."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Consensus:
    """What several runs agree on."""

    label: NDArray[np.int64]
    """Shape (unit,), from 0; -1 for units that runs put now here, now there, or alone."""
    membership: NDArray[np.float64]
    """Shape (unit,); mean share of runs that put a unit with the others of its group."""
    agreement: float
    """Mean adjusted Rand index between runs."""


def leiden_consensus(
    weights: NDArray[np.float64],
    *,
    resolution: float,
    n_partitions: int,
    rng: np.random.Generator,
) -> Consensus:
    """Consensus of several Leiden partitions of a weighted graph.

    Parameters
    ----------
    weights
        Symmetric, not negative, zero diagonal, shape (unit, unit).
    resolution
        Of modularity.
    n_partitions
        Runs with their own order of units.

    Notes
    -----
    Consensus as in Lancichinetti & Fortunato (2012): the matrix of how often two units fall
    together is itself clustered until all runs agree.
    """
    partitions = _partitions(weights, resolution=resolution, n_partitions=n_partitions, rng=rng)
    label, membership = _firm(_consensus(partitions, rng=rng), coassignment(partitions))
    return Consensus(label=label, membership=membership, agreement=mean_agreement(partitions))


def _partitions(
    weights: NDArray[np.float64], *, resolution: float, n_partitions: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Labels (partition, unit) of runs that look at the units in orders of their own."""
    from scipy.sparse import csr_matrix
    from sknetwork.clustering import Leiden

    # Leiden's refinement draws from the C library (`rand`), not by its `random_state`. That state
    # is of the whole process: other graphs, other parts in the job and interruptions move it.
    library = ctypes.CDLL(None)
    n_units = len(weights)
    found = np.empty((n_partitions, n_units), dtype=np.int64)
    for index in range(n_partitions):
        order = rng.permutation(n_units)
        seed = int(rng.integers(2**31))
        library.srand(seed)
        leiden = Leiden(
            resolution=resolution,
            modularity="newman",
            random_state=seed,
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
    """Labels without loose and single units, and memberships."""
    same = label[:, None] == label[None, :]
    np.fill_diagonal(same, False)
    others = same.sum(axis=1)
    membership = (together * same).sum(axis=1) / np.maximum(others, 1)
    kept = np.where((membership >= MIN_MEMBERSHIP) & (others > 0), label, -1)
    return kept, np.where(kept >= 0, membership, 0.0)
